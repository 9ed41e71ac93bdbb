"""Two replicas as processes of their own, on one Postgres and one emulated API server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml
from aiohttp import ClientSession

from tests.support.postgres import PostgresServer
from tests.support.serving import free_port
from watcher.demo import DemoCluster

TOKEN = "t0ken-ö"
POSTS = "posts-only"
PATIENCE = 60.0
"""Seconds for what a busy machine may take."""
ELECTION = {"enabled": True, "namespace": "watcher", "retry_period": "200ms"}
"""Kubernetes' own times but for the last: only who is told to end gives way at once."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def same(self) -> tuple[int, str, str, bytes]:
        """What must not depend on who answers."""
        names = ("Content-Type", "WWW-Authenticate")
        return (self.status, *(self.headers.get(name, "") for name in names), self.body)  # type: ignore[return-value]


class Replica:
    """Its configuration is `folder/name.yaml`."""

    def __init__(self, name: str, folder: Path, kubeconfig: Path) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{free_port()}"
        self.config = folder / f"{name}.yaml"
        self._kubeconfig = kubeconfig
        self._log = folder / f"{name}.log"
        self.process: asyncio.subprocess.Process

    async def begin(self) -> None:
        with self._log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "watcher", "run", "--config", str(self.config),
                "--listen", self.url.removeprefix("http://"), stdout=output, stderr=output,
                env={**os.environ, "KUBECONFIG": str(self._kubeconfig)},
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text()

    def said(self, event: str) -> int:
        """How often its log has a line with this event."""
        return sum(line.get("event.action") == event for line in self.lines())

    def lines(self, *levels: str) -> list[dict[str, Any]]:
        """Of its log, of these levels (none given: of all)."""
        found = [msgspec.json.decode(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in found if not levels or line["log.level"] in levels]

    async def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN, **headers: str) -> Answer:
        data = None if body is None else io.BytesIO(body if isinstance(body, bytes) else msgspec.json.encode(body))
        given = {"Content-Type": "application/json"} if body is not None else {}
        given |= {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            ClientSession() as http,
            http.request(method, self.url + path, data=data, headers=given | headers) as found,
        ):
            return Answer(found.status, dict(found.headers), await found.read())

    async def metric(self, name: str) -> float:
        lines = (await self.ask("GET", "/metrics")).body.decode().splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    async def ready(self) -> None:
        """Until it says so."""
        await self.until("/-/ready", lambda answer: answer.status == 200)

    async def until(self, path: str, condition: Any, within: float = PATIENCE) -> Answer:
        """Ask until `condition` holds for the answer."""
        found: Answer | None = None
        try:
            async with asyncio.timeout(within):
                while True:
                    assert self.process.returncode is None, self.log[-3000:]
                    with contextlib.suppress(OSError):
                        found = await self.ask("GET", path)
                        if condition(found):
                            return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{path} of {self.name}: {found}\n{self.log[-3000:]}") from None

    async def ended(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Told to end: its exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def removed(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            await self.process.wait()


class Pair:
    def __init__(self, folder: Path, demo: DemoCluster, server: PostgresServer) -> None:
        self.demo = demo
        self.database = server.create()
        kubeconfig = demo.kubeconfig(folder / "kubeconfig")
        (folder / "token").write_text(TOKEN)
        (folder / "posts").write_text(POSTS)
        self.replicas = [Replica(name, folder, kubeconfig) for name in ("a", "b")]
        self._server = server

    def configure(self, election: Mapping[str, Any] = ELECTION, **keys: Any) -> None:
        """Both alike, but for their addresses. `election`: empty for one that is alone."""
        for replica in self.replicas:
            document = {
                "volumes": {"source": "none"},
                "first_start": "alert",
                "store": {"url": self._server.url(self.database)},
                "http": {"token_file": "token", "posts_token_file": "posts"},
                "leader_election": {**election, "address": replica.url} if election else {},
            }
            replica.config.write_text(yaml.safe_dump(document | keys))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Replica, Replica]]:
        """(leader, standby), both ready."""
        leader, standby = self.replicas
        await leader.begin()
        try:
            await leader.ready()
            await standby.begin()
            await standby.ready()
            yield leader, standby
        finally:
            for replica in self.replicas:
                if hasattr(replica, "process"):
                    await replica.removed()
