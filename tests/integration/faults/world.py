"""A whole Watcher on an emulated cluster: streams, queue, writer with the core and the shipped rules, deliveries.

Only the clock is the tests': it goes by itself and can be moved on, so that nobody waits for a group's ten seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from tests.integration.source.harness import SHORT, until
from tests.support.timeline import core
from watcher.demo import DemoCluster, pods
from watcher.demo.faults import Clear, DropWatches, Fail
from watcher.demo.pods import Container, terminated, waiting
from watcher.engine.clock import SteadyClock
from watcher.engine.dispatch import Dispatcher
from watcher.engine.queue import CAPACITY, IntakeQueue
from watcher.engine.writer import Writer
from watcher.model.changes import Changes
from watcher.model.delivery import Delivered, Outcome
from watcher.model.message import Notification
from watcher.model.observations import Input, Scope, Started
from watcher.pipeline import next_wake
from watcher.source.client import KubeClient
from watcher.source.kube import ListWatch
from watcher.source.streams import StreamSettings
from watcher.store.memory import MemoryStore

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PODS = Scope(kind="Pod")
CORE = core(evidence=False)
INTEGRATION = ("ops", "webhook_configs[0]")


class Hand:
    """Goes like the machine's clock from `START` on, and is moved on by hand."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._moved = 0.0
        self._set = 0.0

    def move(self, seconds: float) -> None:
        """Time passes."""
        self._moved += seconds

    def set(self, seconds: float) -> None:
        """The wall clock is set forwards or back; no time passes."""
        self._set += seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.steady() + self._set)

    def until(self, due: datetime) -> float:
        """What is due is soon asked again, for it may be moved on meanwhile."""
        return min(0.01, max(0.0, (due - self.now()).total_seconds()))

    def monotonic(self) -> float:
        return time.monotonic()

    def steady(self) -> float:
        return time.monotonic() - self._begun + self._moved


class SlowStore(MemoryStore):
    """Answers only while its gate is open."""

    def __init__(self) -> None:
        super().__init__(owner="test", lease_for=timedelta(seconds=60))
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, changes: Changes, at: datetime) -> None:
        await self.gate.wait()
        await super().commit(changes, at)


class Inbox:
    """The receiver; takes messages only while its gate is open."""

    def __init__(self) -> None:
        self.got: list[Notification] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        await self.gate.wait()
        self.got.append(notification)
        return Delivered()

    async def close(self) -> None:
        pass

    def told(self) -> Counter[str]:
        """How often each alert was told to begin (`Name workload`) and to end (`-Name workload reason`)."""
        return Counter(
            f"{alert.labels['alertname']} {alert.labels['workload']}"
            if alert.end_reason is None
            else f"-{alert.labels['alertname']} {alert.labels['workload']} {alert.end_reason}"
            for notification in self.got
            for alert in notification.alerts
        )


class Watcher:
    """One process of the service, as app/service.py joins it."""

    def __init__(self, client: KubeClient, store: MemoryStore, hand: Hand, inbox: Inbox, queue: IntakeQueue) -> None:
        self.queue = queue
        self.clock = SteadyClock(hand)
        self.seen: list[Input] = []
        self.streams: list[ListWatch] = []
        self.settings = SHORT
        self.scopes: tuple[Scope, ...] = (PODS,)
        self._client = client
        self._store = store
        self._inbox = inbox
        self._tasks: list[asyncio.Task[None]] = []
        self.writer: Writer
        self.dispatcher: Dispatcher

    @property
    def stream(self) -> ListWatch:
        return self.streams[0]

    async def start(self) -> None:
        view, since = await self._store.load()
        self.dispatcher = Dispatcher({INTEGRATION: self._inbox}, self._store, self.queue, self.clock)
        self.dispatcher.resume(view.outbox.rows.values())
        self.writer = Writer(CORE, view, self._store, self.clock, self.queue, self._hand_on)
        self.writer.in_flight = self.dispatcher.in_flight
        self.writer.withhold = lambda changes: self.dispatcher.withhold(changes.outbox)
        await self.queue.put(Started(at=self.clock.now(), since=since, scopes=self.scopes))
        self.streams = [
            ListWatch(self._client, scope, self.queue, self.clock, self.settings, tap=self.seen.append)
            for scope in self.scopes
        ]
        loops = [self.writer.run(), self.dispatcher.run(), *(stream.run() for stream in self.streams)]
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    def _hand_on(self, changes: Changes) -> None:
        self.dispatcher.committed(changes.outbox, changes.channels)

    async def kill(self) -> None:
        """As SIGKILL does: what is not committed is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def check(self) -> None:
        """No loop may ever end."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise AssertionError("a loop ended")

    def idle(self) -> bool:
        """Everything that is queued or due has been judged and delivered."""
        due = next_wake(self.writer.view)
        waits = len(self.queue) or self.writer.busy or self.dispatcher.busy()
        return not waits and (due is None or due > self.clock.now())

    def pods(self) -> set[tuple[str, str, str]]:
        return {(row.namespace, row.name, row.uid) for row in self.writer.view.pods.rows.values()}


class World:
    """The cluster, one Watcher after the other, and the receiver."""

    def __init__(self, demo: DemoCluster, client: KubeClient) -> None:
        self.demo = demo
        self.client = client
        self.store = SlowStore()
        self.hand = Hand()
        self.inbox = Inbox()
        self.settings: StreamSettings = SHORT
        self.scopes: tuple[Scope, ...] = (PODS,)
        self.capacity = CAPACITY
        self.watcher: Watcher
        self._marks = 0

    async def start(self) -> None:
        self.watcher = Watcher(self.client, self.store, self.hand, self.inbox, IntakeQueue(self.capacity))
        self.watcher.settings, self.watcher.scopes = self.settings, self.scopes
        await self.watcher.start()

    async def restart(self) -> None:
        await self.watcher.kill()
        await self.store.release_all()
        await self.start()

    # ---- what happens in the cluster ----

    def put(self, name: str, *, loops: bool = False, uid: str = "", restarts: int = 6) -> None:
        """A pod of the Deployment that its name begins with: healthy, or in a long back-off after its last death."""
        container = looping(restarts, self.hand.now()) if loops else Container()
        owner = "Deployment/" + name.rpartition("-")[0]
        self.demo.cluster.put(
            pods.make("shop", name, owner=owner, containers=[container], uid=uid or f"uid-{name}", created=START)
        )

    def delete(self, name: str) -> None:
        self.demo.cluster.delete("Pod", "shop", name)

    def server(self) -> set[tuple[str, str, str]]:
        metas = [item["metadata"] for item in self.demo.cluster.list("Pod")]
        return {(meta["namespace"], meta["name"], meta["uid"]) for meta in metas}

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """The API server is not to be had, and comes back."""
        self.demo.faults.apply(Fail(status=503))
        self.demo.faults.apply(DropWatches(abrupt=True))
        yield
        self.demo.faults.apply(Clear())

    # ---- what is waited for ----

    async def seen(self) -> None:
        """Wait until a change that is made now is known: then so is everything before it."""
        self._marks += 1
        name = f"mark-{self._marks}"
        self.put(name)
        await self.until(lambda: self._known(name))

    def _known(self, name: str) -> bool:
        view = self.watcher.writer.view
        lists = any(state.listing for state in view.scopes.rows.values())
        return not lists and f"uid-{name}" in view.pods.rows

    async def until(self, condition: Callable[[], object], within: float = 10.0) -> None:
        def met() -> object:
            self.watcher.check()
            return condition()

        await until(met, within)

    async def passes(self, *seconds: float) -> None:
        """Let time pass, in these steps; after each everything that is due has been judged and delivered."""
        for span in seconds:
            self.hand.move(span)
            await self.until(self.watcher.idle)

    def errors(self) -> Counter[str]:
        return self.watcher.stream.stats.errors

    def requests(self, verb: str, resource: str = "pods") -> int:
        return self.demo.counts[verb, resource]


def looping(restarts: int, now: datetime) -> Container:
    """A container in a pause of 2 m 40 s, which died a minute ago."""
    died = now - timedelta(seconds=60)
    text = "back-off 2m40s restarting failed container=app pod=p_shop(uid)"
    return Container(
        restarts=restarts,
        state=waiting("CrashLoopBackOff", text),
        last=terminated(1, started=died - timedelta(seconds=5), ended=died),
    )


def counted(world: World) -> Sequence[tuple[str, int]]:
    """Deaths by container, as they are remembered."""
    return sorted((row.pod, row.deaths) for row in world.watcher.writer.view.histories.rows.values())
