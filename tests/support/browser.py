"""A real headless Chromium, spoken to over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any, Final

import aiohttp

BROWSER: Final = which("chromium") or which("chromium-browser") or which("google-chrome")

_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--remote-debugging-port=0",
)


class Page:
    """One tab. `requested`: every address that it asked for, whether it got there or not."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last = 0
        self._events: list[str] = []
        self.requested: list[str] = []

    async def call(self, method: str, **params: Any) -> Any:
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": params})
        while True:
            said = await self._next()
            if said.get("id") == self._last:
                assert "error" not in said, said
                return said["result"]

    async def show(self, path: Path, width: int, *, dark: bool = False) -> None:
        """The page of a file in a window of this width."""
        for domain in ("Network", "Page"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        await self.call("Page.navigate", url=path.as_uri())
        while "Page.loadEventFired" not in self._events:
            await self._next()

    async def value(self, expression: str) -> Any:
        """What JavaScript makes of it."""
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return said["result"]["value"]

    async def picture(self) -> bytes:
        """The whole page as PNG."""
        said = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(said["data"])

    async def _next(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(await asyncio.wait_for(self._socket.receive_str(), 30))
        self._events.append(said.get("method", ""))
        if said.get("method") == "Network.requestWillBeSent":
            self.requested.append(said["params"]["request"]["url"])
        return said


@asynccontextmanager
async def page(profile: Path) -> AsyncIterator[Page]:
    """A tab of a browser of its own, with an empty profile in `profile`."""
    assert BROWSER is not None
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        BROWSER, *_FLAGS, f"--user-data-dir={profile}", "about:blank", stdout=quiet, stderr=quiet
    )
    try:
        port = await asyncio.wait_for(_port(profile), 60)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tab = next(each for each in await answer.json() if each["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=64 * 1024 * 1024) as socket:
                yield Page(socket)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _port(profile: Path) -> int:
    """The browser writes it down when it listens."""
    file = profile / "DevToolsActivePort"
    while not file.exists() or not file.read_text().strip():
        await asyncio.sleep(0.05)
    return int(file.read_text().split()[0])
