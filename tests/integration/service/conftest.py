"""A whole service against an emulated cluster, without its HTTP interface, inside the test's own loop; receivers."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.keeper import Keeper
from tests.support.receivers import HttpReceiver
from watcher.app import RunOptions
from watcher.app.process import prepared
from watcher.app.service import Service
from watcher.demo import DemoCluster
from watcher.engine.clock import SystemClock
from watcher.ports import Clock
from watcher.settings.load import load


class Serving(Protocol):
    def __call__(
        self, demo: DemoCluster, config: str, clock: Clock | None = None
    ) -> AbstractAsyncContextManager[Service]: ...


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """`async with serving(demo, CONFIG) as service`: all its loops run."""

    @contextlib.asynccontextmanager
    async def start(demo: DemoCluster, config: str, clock: Clock | None = None) -> AsyncIterator[Service]:
        (tmp_path / "config.yaml").write_text(config)
        settings = load(tmp_path / "config.yaml").with_overrides(data=tmp_path, listen="127.0.0.1:0")
        kubeconfig = str(demo.kubeconfig(tmp_path / "kubeconfig"))
        options = RunOptions(kubeconfig=kubeconfig, clock=clock or SystemClock())
        async with prepared(settings, options) as process, process.working(process.outside) as service:
            running = asyncio.create_task(service.run(asyncio.Event()))
            try:
                yield service
            finally:
                ended = running.done()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                assert not ended

    return start


async def until(condition: Callable[[], object], within: float = 30.0) -> None:
    """Wait for something to become true; TimeoutError when it does not."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def blocked(database: Path) -> AsyncIterator[None]:
    """Somebody else writes to the database and does not come to an end."""
    with contextlib.closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as other:
        await until(lambda: _begun(other))
        yield
        other.execute("ROLLBACK")


def _begun(other: sqlite3.Connection) -> bool:
    """It has to wait for a commit that is under way, which the same loop carries out."""
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    started = Keeper()
    await started.start()
    yield started
    await started.stop()
