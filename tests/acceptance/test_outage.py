"""A receiver that is down for an hour while 2,000 alerts come and go: what it gets afterwards is true and short.

The real writer, dispatcher and workers, a store in memory, and the loop's own virtual time.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec
import pytest

from tests.support.pods import pod, status
from tests.support.timeline import PODS, START, core
from watcher.app.service import paced
from watcher.engine.dispatch import Dispatcher
from watcher.engine.queue import IntakeQueue
from watcher.engine.worker import LEASE
from watcher.engine.writer import Writer
from watcher.model.changes import Changes
from watcher.model.config import Integration, Receiver, Secret, SlackConfig, WebhookConfig
from watcher.model.delivery import Delivered, Outcome, TryLater
from watcher.model.kube import Pod
from watcher.model.message import Notification, SendReason
from watcher.model.observations import EventType, Listing, PodSeen, Started, Synced
from watcher.model.state import OutboxRow
from watcher.store.memory import MemoryStore

HOOK = WebhookConfig(url=Secret("http://hook"))
SLACK = SlackConfig(api_url=Secret("http://slack"), send_resolved=True)
MINUTE, HOUR = 60.0, 3600.0
WORKLOADS = 500
TIMES = 4
"""How often each of them breaks in the hour."""
LONG_ONES = 60
"""Workloads that break before the outage: half of them heal in it, half not before it is over."""
LAST_ONES = 40
"""Workloads that break towards the end of the outage, and stay so."""


class LoopClock:
    def __init__(self) -> None:
        self._start = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.now()).total_seconds())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() - self._start

    def steady(self) -> float:
        return self.monotonic()


class CountingStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__(owner="test", lease_for=LEASE)
        self.commits = 0
        self.leases = 0

    async def commit(self, changes: Changes, at: datetime) -> None:
        self.commits += 1
        await super().commit(changes, at)

    async def lease(self, integration: tuple[str, str], now: datetime, until: datetime, limit: int) -> list[OutboxRow]:
        self.leases += 1
        return await super().lease(integration, now, until, limit)


class Line:
    """A sender whose receiver can be down."""

    def __init__(self, clock: LoopClock) -> None:
        self.down = False
        self.attempts = 0
        self.heard: list[tuple[float, Notification]] = []
        self._clock = clock

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        self.attempts += 1
        await asyncio.sleep(0.05)
        if self.down:
            return TryLater(reason="connection refused")
        self.heard.append((self._clock.monotonic(), notification))
        return Delivered()

    async def close(self) -> None: ...


Instance = tuple[str, datetime]
"""(fingerprint, when it began)"""


class World:
    """Watcher without its outside, and what was decided in it."""

    def __init__(self, integration: Integration) -> None:
        receiver = Receiver(name="ops", integrations=(("i0", integration),))
        self.clock = LoopClock()
        self.store = CountingStore()
        self.line = Line(self.clock)
        self.queue = IntakeQueue()
        self.over: dict[Instance, bool] = {}
        self.decided: set[Instance] = set()
        """Alerts that a message was made of."""
        self.groups: set[str] = set()
        senders = {("ops", "i0"): self.line}
        self.dispatcher = Dispatcher(senders, self.store, self.queue, self.clock, paced=paced([receiver]))
        self.core = core(receivers=(receiver,), evidence=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        view, since = await self.store.load()
        self.writer = Writer(self.core, view, self.store, self.clock, self.queue, self._hand_on)
        self.writer.in_flight = self.dispatcher.in_flight
        self.writer.withhold = lambda changes: self.dispatcher.withhold(changes.outbox)
        now = self.clock.now()
        await self.queue.put(Started(at=now, since=since, scopes=(PODS,)))
        await self.queue.put(Listing(at=now, scope=PODS))
        await self.queue.put(Synced(at=now, scope=PODS, complete=True))
        tasks = [asyncio.create_task(self.writer.run()), asyncio.create_task(self.dispatcher.run())]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _hand_on(self, changes: Changes) -> None:
        self.dispatcher.committed(changes.outbox, changes.channels)
        for alert in changes.alerts.values():
            if alert is not None:
                self.over[alert.fingerprint, alert.starts_at] = alert.ends_at is not None
        for row in changes.outbox.values():
            if row is not None:
                self.groups.add(row.group)
                self.decided.update((one.fingerprint, one.starts_at) for one in row.notification.alerts)

    def now(self) -> float:
        return self.clock.monotonic()

    async def until(self, second: float) -> None:
        await asyncio.sleep(second - self.now())

    async def sees(self, one: Pod) -> None:
        await self.queue.put(PodSeen(at=self.clock.now(), event=EventType.MODIFIED, scope=PODS, pod=one))


def broken(name: str) -> Pod:
    text = f"{name}:9: not found"
    return pod(f"{name}-0", status(waiting="ErrImagePull", message=text), phase="Pending", owner=f"StatefulSet/{name}")


def well(name: str) -> Pod:
    return pod(f"{name}-0", status(), owner=f"StatefulSet/{name}")


def hour(rng: random.Random) -> list[tuple[float, Pod]]:
    """What happens in the outage, with the seconds since its begin."""
    events: list[tuple[float, Pod]] = []
    for number in range(WORKLOADS):
        for time in range(TIMES):
            begins = (time + rng.uniform(0.05, 0.5)) * HOUR / TIMES
            events.append((begins, broken(f"w{number}")))
            events.append((begins + rng.uniform(15.0, 0.4 * HOUR / TIMES), well(f"w{number}")))
    events += [(rng.uniform(0.0, HOUR - MINUTE), well(f"long{number}")) for number in range(LONG_ONES // 2)]
    events += [(rng.uniform(0.8, 0.95) * HOUR, broken(f"last{number}")) for number in range(LAST_ONES)]
    return sorted(events, key=lambda event: event[0])


class Count(msgspec.Struct, kw_only=True):
    """What an outage cost, and what came after it."""

    commits: int
    attempts: int
    leases: int
    messages: int
    groups: int
    digests: int
    drained: float
    """Seconds until the last message had arrived, from the moment at which the receiver was back."""


async def outage(world: World) -> tuple[Count, list[Notification]]:
    """What it cost, and what was heard after it."""
    for number in range(LONG_ONES):
        await world.sees(broken(f"long{number}"))
        await asyncio.sleep(10)
    begin = world.now()
    world.line.down = True
    world.groups.clear()
    heard_before = len(world.line.heard)
    before = (world.store.commits, world.line.attempts, world.store.leases)
    for second, one in hour(random.Random(4)):
        await world.until(begin + second)
        await world.sees(one)
    await world.until(begin + HOUR)
    after = (world.store.commits, world.line.attempts, world.store.leases)
    commits, attempts, leases = (late - early for early, late in zip(before, after, strict=True))
    world.line.down = False
    await drained(world)
    late = [one for _, one in world.line.heard[heard_before:]]
    count = Count(
        commits=commits,
        attempts=attempts,
        leases=leases,
        messages=len(late),
        groups=len(world.groups),
        digests=sum(one.reason is SendReason.DIGEST for one in late),
        drained=world.line.heard[-1][0] - begin - HOUR,
    )
    return count, late


async def drained(world: World) -> None:
    """Until nothing waits, and half an hour of quiet after it."""
    async with asyncio.timeout(3 * HOUR):
        while world.dispatcher.waiting():
            await asyncio.sleep(1)
    await asyncio.sleep(HOUR / 2)


def instances(messages: list[Notification], status: str) -> Counter[Instance]:
    return Counter((one.fingerprint, one.starts_at) for m in messages for one in m.alerts if one.status == status)


def last_heard(world: World) -> dict[Instance, str]:
    return {(one.fingerprint, one.starts_at): one.status for _, m in world.line.heard for one in m.alerts}


@pytest.mark.looptime
@pytest.mark.parametrize("integration", [HOOK, SLACK], ids=["webhook", "chat"])
async def test_after_an_hour_without_its_receiver_it_hears_what_is_true_and_little_more(
    integration: Integration, capsys: pytest.CaptureFixture[str]
) -> None:
    async with World(integration).running() as world:
        count, late = await outage(world)
        view = world.writer.view
    with capsys.disabled():
        print(
            f"\n{type(integration).__name__}: {len(world.over)} alerts, {len(world.decided)} of them decided; {count}"
        )
    last = last_heard(world)
    fires = {instance for instance, over in world.over.items() if not over}
    assert len(fires) == LONG_ONES // 2 + LAST_ONES
    assert all(last.get(one) == "firing" for one in fires)
    assert all(status == "resolved" for one, status in last.items() if one not in fires)
    # Of those of one workload that came and went, the last is told, and it was told of each workload.
    latest = dict(sorted(world.decided))
    assert set(latest.items()) <= set(last)
    assert set(instances(late, "resolved").values()) == {1}, "no end is told twice"
    singles = [one for one in late if one.reason is not SendReason.DIGEST]
    assert set(instances(singles, "firing").values()) <= {1}
    assert not world.writer.stats.set_aside
    # Nothing stays behind, and the hour itself was quiet.
    assert not view.outbox.rows
    assert {told.key.alert for told in view.told.rows.values()} == {a.key for a in view.alerts.rows.values()}
    assert count.messages <= count.groups + count.digests
    assert count.attempts <= 60
    assert count.leases <= 2 * count.attempts
    assert count.drained <= 5 * MINUTE + 2 * count.messages
