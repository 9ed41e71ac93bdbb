"""A Watcher on an emulated cluster whose time is moved by hand: hours pass as quickly as both can work.

The parts are the service's own (streams, queue, writer, dispatcher, core with the shipped rules), joined as
watcher/app/service.py joins them; only the clock is the cluster's, the store is in memory, and the receiver keeps
what it is told.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import datetime, timedelta

from watcher.demo import DemoCluster
from watcher.engine.clock import SteadyClock
from watcher.engine.dispatch import Dispatcher
from watcher.engine.queue import IntakeQueue
from watcher.engine.writer import Writer
from watcher.model.changes import Changes
from watcher.model.delivery import Delivered, Outcome
from watcher.model.message import Notification
from watcher.model.observations import Scope, Started
from watcher.pipeline import Core, next_wake
from watcher.source.client import KubeClient
from watcher.source.kube import ListWatch
from watcher.source.streams import StreamSettings
from watcher.store.memory import MemoryStore

SCOPES = tuple(Scope(kind=kind) for kind in ("Pod", "PersistentVolumeClaim", "Node", "Namespace", "Event"))
STREAMS = StreamSettings(
    silence=timedelta(seconds=1),
    watch_least=timedelta(seconds=600),
    watch_most=timedelta(seconds=600),
    backoff_first=timedelta(milliseconds=4),
    backoff_most=timedelta(milliseconds=30),
    forbidden_retry=timedelta(milliseconds=20),
    short_watch=timedelta(milliseconds=5),
)
"""The production rules in a world that runs hundreds of times faster."""


class ClusterClock:
    """The cluster's time. What is not due yet is soon asked again, for the time is moved by hand."""

    def __init__(self, demo: DemoCluster) -> None:
        self._timeline = demo.timeline
        self._start = demo.timeline.now()

    def now(self) -> datetime:
        return self._timeline.now()

    def until(self, due: datetime) -> float:
        return 0.002 if due > self.now() else 0.0

    def monotonic(self) -> float:
        return time.monotonic()

    def steady(self) -> float:
        return (self.now() - self._start).total_seconds()


class Inbox:
    """A receiver that takes everything."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        """Notifications by reason."""

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        self.told[notification.reason.name] += 1
        return Delivered()

    async def close(self) -> None:
        pass


class SlowStore(MemoryStore):
    """Answers only while its gate is open."""

    def __init__(self) -> None:
        super().__init__(owner="lockstep", lease_for=timedelta(seconds=60))
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, changes: Changes, at: datetime) -> None:
        await self.gate.wait()
        await super().commit(changes, at)


class Lockstep:
    """One Watcher after the other over one store. `start` and `kill` are its processes."""

    def __init__(self, demo: DemoCluster, client: KubeClient, core: Core) -> None:
        self.inbox = Inbox()
        self.store = SlowStore()
        self.inputs = 0
        self.coalesced = 0
        self.errors: Counter[str] = Counter()
        self.running = False
        self.queue: IntakeQueue
        self.writer: Writer
        self._demo = demo
        self._client = client
        self._core = core
        self._tasks: list[asyncio.Task[None]] = []
        self._streams: list[ListWatch] = []
        self._dispatcher: Dispatcher

    async def start(self) -> None:
        view, since = await self.store.load()
        await self.store.release_all()
        clock, self.queue = SteadyClock(ClusterClock(self._demo)), IntakeQueue()
        senders = {
            (receiver.name, name): self.inbox
            for receiver in self._core.receivers.values()
            for name, _ in receiver.integrations
        }
        self._dispatcher = Dispatcher(senders, self.store, self.queue, clock)
        self._dispatcher.resume(view.outbox.rows.values())
        self.writer = Writer(self._core, view, self.store, clock, self.queue, self._hand_on)
        self.writer.in_flight = self._dispatcher.in_flight
        self.writer.withhold = lambda changes: self._dispatcher.withhold(changes.outbox)
        await self.queue.put(Started(at=clock.now(), since=since, scopes=SCOPES))
        self._streams = [ListWatch(self._client, scope, self.queue, clock, STREAMS) for scope in SCOPES]
        loops = [self.writer.run(), self._dispatcher.run(), *(stream.run() for stream in self._streams)]
        self._tasks = [asyncio.create_task(loop) for loop in loops]
        self.running = True

    def _hand_on(self, changes: Changes) -> None:
        self._dispatcher.committed(changes.outbox, changes.channels)

    async def kill(self) -> None:
        self.running = False
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError):
                raise RuntimeError("a loop of Watcher ended") from result
        self.inputs += self.writer.stats.inputs
        self.coalesced += self.queue.coalesced
        for stream in self._streams:
            self.errors += stream.stats.errors
        if self.writer.stats.set_aside:
            raise RuntimeError(f"set aside: {self.writer.stats.samples}")

    async def caught_up(self, within: float) -> bool:
        """Wait until everything that happened is judged and told; False when that takes longer."""
        try:
            async with asyncio.timeout(within):
                while not self._is_idle():
                    await asyncio.sleep(0.001)
        except TimeoutError:
            return False
        return True

    def _is_idle(self) -> bool:
        if len(self.queue) or self.writer.busy or self._dispatcher.busy():
            return False
        due = next_wake(self.writer.view)
        return (due is None or due > self._demo.timeline.now()) and all(map(self._is_current, self._streams))

    def _is_current(self, stream: ListWatch) -> bool:
        """Nothing has happened that the stream has not delivered."""
        if not stream.stats.synced or not stream.stats.watching:
            return False
        if stream.stats.scope.kind == "Event":
            return True  # most Events are about pods, which are not asked for: its version tells nothing
        newest = self._demo.cluster.store(stream.stats.scope.kind).changes
        return not newest or int(stream._version or 0) >= newest[-1].version

    def pods(self) -> set[str]:
        return set(self.writer.view.pods.rows)

    def firing(self) -> dict[str, list[str]]:
        """The pods behind each alert that fires, or its other subjects."""
        view = self.writer.view
        firing = {key for key, alert in view.alerts.rows.items() if alert.ends_at is None}
        found: dict[str, set[str]] = {key.id: set() for key in firing}
        for member in view.members.rows.values():
            if member.alert in firing:
                subject = member.key.subject
                found[member.alert.id].add(subject.pod or subject.uid)
        return {name: sorted(subjects) for name, subjects in found.items()}
