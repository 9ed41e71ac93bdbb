"""The emulated cluster as one thing to start and stop: servers, clock, scenarios.

    async with DemoCluster() as demo:
        demo.cluster.put(pods.make("shop", "web-1"))
        demo.faults.apply(DropWatches())
        async with session.get(f"{demo.url}/api/v1/pods") as response: ...

`DemoOptions(manual=True)` makes the time stand until `advance` moves it. `python -m watcher.demo` serves one by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

import msgspec
import yaml
from aiohttp import web

from watcher.demo.clock import Driver, Timeline
from watcher.demo.faults import Clear
from watcher.demo.kubelet import Kubelets, Stats
from watcher.demo.logs import Logs
from watcher.demo.model import Cluster
from watcher.demo.player import Player
from watcher.demo.recordings import RecordingPlayer
from watcher.demo.scenario import Scenario, load_scenario
from watcher.demo.server import ApiServer, Seen
from watcher.demo.world import World

_POLL = 0.002


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a demo cluster is run."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 picks a free one."""
    speed: float | None = None
    """Cluster seconds in a real second; None: what the scenario says, or 1."""
    start: datetime | None = None
    """The cluster's time at the start; None: the machine's."""
    manual: bool = False
    """Time moves only by `advance`."""
    seed: str = "demo"
    window: int = 10_000
    """Changes kept per kind: how far back a watch can begin, and how far behind a slow client may fall."""


class DemoCluster:
    """An API server and kubelets on loopback, in front of a cluster model."""

    def __init__(self, options: DemoOptions | None = None) -> None:
        self.options = options or DemoOptions()
        self.timeline = Timeline(self.options.start)
        self.cluster = Cluster(self.timeline, seed=self.options.seed, window=self.options.window)
        self.logs = Logs(self.cluster)
        self.stats = Stats(self.cluster)
        self.api = ApiServer(self.cluster, self.logs, self.stats)
        self.access = self.api.access
        self.faults = self.api.faults
        self.watch_options = self.api.watch_options
        self.kubelets = Kubelets(self.stats, self.access, self.faults, self.options.host)
        self.world = World(self.cluster, self.logs, self.stats, self.kubelets.port)
        self.speed = self.options.speed or 1.0
        self.port = self.options.port
        self._runner: web.AppRunner | None = None
        self._driving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{self.options.host}:{self.port}"

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """Requests that arrived, by (verb, resource): `counts["watch", "pods"]`."""
        return self.api.counts

    @property
    def requests(self) -> deque[Seen]:
        """The last 1000 requests, with their queries and headers."""
        return self.api.requests

    @property
    def kubelet_url(self) -> str:
        """The first node's kubelet."""
        nodes = self.cluster.store("Node").current()
        return self.kubelets.url(nodes[0].key[1] if nodes else "node-1")

    async def __aenter__(self) -> DemoCluster:
        # Watch handlers wait for changes: without cancellation they would outlive their clients until the next one.
        runner = web.AppRunner(self.api.application(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        self._runner = runner
        await runner.setup()
        site = web.TCPSite(runner, self.options.host, self.options.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._start_clock()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.apply(Clear())
        try:
            await self._stop_clock()
        finally:
            await self._stop_servers()

    async def _stop_servers(self) -> None:
        for watch in tuple(self.api.watches):
            watch.shut()
        await self.kubelets.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _start_clock(self) -> None:
        if not self.options.manual:
            driver = Driver(self.timeline, self.speed)
            self._driving = asyncio.create_task(driver.run(), name="demo clock")

    async def _stop_clock(self) -> None:
        """Raises what an action raised while the clock ran: a scenario that is broken must not end well."""
        if self._driving is not None:
            self._driving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._driving
            self._driving = None

    async def play(self, scenario: Scenario | str | Path) -> Player:
        """Begin a scenario (a shipped one by name, or a file): its history happens at once, the rest in time.

        The cluster takes its seed and, unless the options say otherwise, its speed.
        """
        if not isinstance(scenario, Scenario):
            scenario = load_scenario(scenario)
        await self._stop_clock()
        self.speed = self.options.speed or scenario.speed
        self.cluster.seed = scenario.seed
        player = Player(self.world, scenario, self.faults.apply)
        self.timeline.restart(self.timeline.now() - scenario.history)
        player.begin()
        self.timeline.advance(scenario.history)
        self._start_clock()
        return player

    async def play_recording(self, path: Path) -> RecordingPlayer:
        """Play a recording: what it lists and saw happens again, in the times between its lines.

        The cluster's time begins at the recording's. ValueError: it is no recording.
        """
        await self._stop_clock()
        player = RecordingPlayer(self.cluster, self.stats, path)
        self.timeline.restart(player.started_at)
        player.begin()
        self._start_clock()
        return player

    async def stopped(self) -> None:
        """Wait until the clock breaks, which only an action of a scenario that raises can make it do."""
        if self._driving is None:
            await asyncio.Event().wait()
        else:
            await self._driving

    def advance(self, by: timedelta) -> None:
        """Move a manual clock; everything due on the way happens, in order."""
        self.timeline.advance(by)

    async def settled(self, within: float = 5.0) -> None:
        """Wait until every open watch has written everything that happened; TimeoutError when one does not."""
        async with asyncio.timeout(within):
            while not all(watch.caught_up for watch in self.api.watches):  # noqa: ASYNC110 -- only tests wait here
                await asyncio.sleep(_POLL)

    async def watched(self, count: int = 1, resource: str = "", within: float = 5.0) -> None:
        """Wait until that many watches are open (of one resource, when named)."""
        async with asyncio.timeout(within):
            while self._open(resource) < count:  # noqa: ASYNC110 -- only tests wait here
                await asyncio.sleep(_POLL)

    def _open(self, resource: str) -> int:
        return sum(resource in ("", watch.request.target.resource.plural) for watch in self.api.watches)

    def kubeconfig(self, path: Path, token: str = "") -> Path:
        """Write a kubeconfig for this server; give its path."""
        user = {"token": token} if token else {}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "demo",
            "clusters": [{"name": "demo", "cluster": {"server": self.url}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo", "namespace": "default"}}],
            "users": [{"name": "demo", "user": user}],
        }
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path
