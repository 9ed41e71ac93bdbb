"""The service with its HTTP interface, inside the test's own loop and without a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import ClientSession

from watcher.app import RunOptions, run
from watcher.engine.clock import SystemClock
from watcher.ports import Clock
from watcher.settings.load import load


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextlib.asynccontextmanager
async def served(folder: Path, config: str, clock: Clock = SystemClock()) -> AsyncIterator[str]:  # noqa: B008
    """Runs until the end of the block; gives the URL. What it stored in `folder` stays for the next one."""
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    settings = load(folder / "config.yaml").with_overrides(data=folder, listen=url.removeprefix("http://"))
    stop = asyncio.Event()
    service = asyncio.create_task(run(settings, RunOptions(watch=False, stop=stop, clock=clock)))
    try:
        await _ready(url, service)
        yield url
    finally:
        stop.set()
        assert await service == 0


async def _ready(url: str, service: asyncio.Task[int]) -> None:
    async with asyncio.timeout(30), ClientSession(url) as http:
        while not service.done():
            with contextlib.suppress(OSError):
                async with http.get("/-/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)
    await service
