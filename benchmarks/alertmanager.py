"""Posted alerts: Watcher beside the real Alertmanager (Debian's prometheus-alertmanager), one after the other.

    python -m benchmarks.alertmanager

Both get the same requests and send to the same kind of local webhook: 10,000 alerts in batches of 100 and 100 groups
(`group_wait: 1s`), `GET /alerts`, 1,000 silences, single alerts (`group_wait: 0s`), and batches that are posted once,
each followed by `kill -9`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession, web

ALERTS = 10_000
BATCH = 100
GROUPS = 100
SILENCES = 1000
SINGLES = 50
KILLS = 10
CONFIG = """\
route:
  receiver: hook
  group_by: [service]
  group_wait: 1s
  routes: [{{matchers: ['quick="yes"'], receiver: hook, group_by: [instance], group_wait: 0s}}]
receivers: [{{name: hook, webhook_configs: [{{url: "{url}"}}]}}]
"""
OURS = "cluster: bench\nvolumes: {source: none}\n"
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


class Hook:
    """The webhook: when each alert came for the first time, by its label `instance`."""

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"

    async def _take(self, request: web.Request) -> web.Response:
        now = time.perf_counter()
        for alert in msgspec.json.decode(await request.read())["alerts"]:
            self.came.setdefault(alert["labels"]["instance"], now)
        return web.Response(text="ok")

    async def has(self, names: Sequence[str], within: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not all(name in self.came for name in names):
                    await asyncio.sleep(0.0005 if len(names) == 1 else 0.01)
        return all(name in self.came for name in names)


class Program:
    """One of the two, as a process of its own that can be killed and started again."""

    def __init__(self, command: Sequence[str], url: str) -> None:
        self._command = command
        self.url = url
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, http: ClientSession) -> None:
        quiet = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(*self._command, stdout=quiet, stderr=quiet)
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    async with http.get(f"{self.url}/-/ready") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.02)

    async def end(self, how: int) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        await self.process.wait()

    def resident(self) -> float:
        """MiB."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Bench:
    def __init__(self, program: Program, hook: Hook, http: ClientSession) -> None:
        self._program = program
        self._hook = hook
        self._http = http

    async def figures(self) -> dict[str, float]:
        await self._program.start(self._http)
        found = await self._many()
        found["silences: 1,000 made (s)"] = await self._silences()
        found["GET /alerts with them (s)"] = await self._listed()
        found |= await self._singles()
        found["resident after all (MiB)"] = self._program.resident()
        found["lost of 1,000 after ten kill -9"] = await self._killed()
        await self._program.end(signal.SIGTERM)
        return found

    async def _many(self) -> dict[str, float]:
        names = [f"many-{number}" for number in range(ALERTS)]
        begin = time.perf_counter()
        for at in range(0, ALERTS, BATCH):
            await self._post([_alert(name, service=f"s{at // BATCH % GROUPS}") for name in names[at : at + BATCH]])
        posted = time.perf_counter() - begin
        if not await self._hook.has(names, 120):
            sys.exit("not all of the alerts reached the webhook within two minutes")
        last = max(self._hook.came[name] for name in names) - begin
        return {
            "10,000 alerts posted (s)": posted,
            "last of them at the webhook (s)": last,
            "GET /alerts (s)": await self._listed(),
            "resident then (MiB)": self._program.resident(),
        }

    async def _silences(self) -> float:
        begin = time.perf_counter()
        now = datetime.now(UTC)
        for number in range(SILENCES):
            matchers = [{"name": "silenced", "value": f"no-{number}", "isRegex": False}]
            body = {"matchers": matchers, "startsAt": now.isoformat(), "createdBy": "bench", "comment": "bench"}
            await self._send("/silences", body | {"endsAt": (now + timedelta(hours=1)).isoformat()})
        return time.perf_counter() - begin

    async def _listed(self) -> float:
        begin = time.perf_counter()
        async with self._http.get(f"{self._program.url}/api/v2/alerts") as answer:
            found = msgspec.json.decode(await answer.read())
        assert len(found) == ALERTS, len(found)
        return time.perf_counter() - begin

    async def _singles(self) -> dict[str, float]:
        took = []
        for number in range(SINGLES):
            name = f"single-{number}"
            begin = time.perf_counter()
            await self._post([_alert(name, quick="yes")])
            await self._hook.has([name], 10)
            took.append((self._hook.came[name] - begin) * 1000)
            await asyncio.sleep(0.02)
        return {"one alert at the webhook, median (ms)": statistics.median(took), "the slowest of 50 (ms)": max(took)}

    async def _killed(self) -> float:
        names = [f"killed-{number}" for number in range(KILLS * BATCH)]
        for at in range(0, len(names), BATCH):
            await self._post([_alert(name, service=f"killed-{at}") for name in names[at : at + BATCH]])
            await self._program.end(signal.SIGKILL)
            await self._program.start(self._http)
        await self._hook.has(names, 20)
        return sum(name not in self._hook.came for name in names)

    async def _post(self, alerts: list[dict[str, Any]]) -> None:
        await self._send("/alerts", alerts)

    async def _send(self, path: str, body: Any) -> None:
        async with self._http.post(
            f"{self._program.url}/api/v2{path}",
            data=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
        ) as answer:
            assert answer.status == 200, await answer.text()


def _alert(instance: str, **labels: str) -> dict[str, Any]:
    end = datetime.now(UTC) + timedelta(hours=1)
    named = {"alertname": "Bench", "severity": "warning", "instance": instance, **labels}
    annotations = {"summary": f"{instance} is slow", "description": "Requests take longer than they should."}
    return {"labels": named, "annotations": annotations, "endsAt": end.isoformat()}


def alertmanager(folder: Path, hook: str, port: int) -> Program:
    assert ALERTMANAGER is not None
    (folder / "alertmanager.yml").write_text(CONFIG.format(url=hook))
    listen = (f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
    files = (f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data")
    return Program((ALERTMANAGER, *files, *listen), f"http://127.0.0.1:{port}")


def watcher(folder: Path, hook: str, port: int) -> Program:
    (folder / "config.yaml").write_text(OURS + CONFIG.format(url=hook))
    run = (sys.executable, "-m", "watcher", "run", "--no-watch", "--config", str(folder / "config.yaml"))
    return Program((*run, "--data", str(folder), "--listen", f"127.0.0.1:{port}"), f"http://127.0.0.1:{port}")


async def measured(make: Callable[[Path, str, int], Program]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        listener.close()
        hook = Hook()
        await hook.start()
        async with ClientSession() as http:
            return await Bench(make(Path(folder), hook.url, port), hook, http).figures()


async def main() -> None:
    if ALERTMANAGER is None:
        sys.exit("there is no Alertmanager: install prometheus-alertmanager")
    theirs, ours = await measured(alertmanager), await measured(watcher)
    print(f"{'':40} {'Alertmanager':>13} {'Watcher':>10} {'ratio':>7}")
    for name, their in theirs.items():
        ratio = f"{ours[name] / their:7.1f}" if their else "      –"
        print(f"{name:40} {their:13.3f} {ours[name]:10.3f} {ratio}")


if __name__ == "__main__":
    asyncio.run(main())
