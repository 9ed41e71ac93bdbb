"""The writer: what a stage cannot take is set aside, and a store that is away is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.acceptance.test_time import looping
from tests.support.pods import pod
from tests.support.timeline import PODS, START, core, shipped_rules
from watcher.engine.queue import IntakeQueue
from watcher.engine.writer import Writer
from watcher.model.changes import Changes, View
from watcher.model.observations import ClockJumped, Ended, EventType, Input, PodSeen, StoreAway, Synced
from watcher.model.state import Meta
from watcher.pipeline import next_wake
from watcher.ports import StoreError
from watcher.store.memory import MemoryStore


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = START
        self.moved = timedelta()

    def now(self) -> datetime:
        return self.time

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.time).total_seconds())

    def monotonic(self) -> float:
        return self.steady()

    def steady(self) -> float:
        return (self.time - START - self.moved).total_seconds()

    def set(self, to: datetime) -> None:
        """As a person or NTP does it: no time passes."""
        self.moved += to - self.time
        self.time = to


class AwayStore(MemoryStore):
    """Fails as often as it is told."""

    failures = 0

    async def commit(self, changes: Changes, at: datetime) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        await super().commit(changes, at)


class Breaking:
    """A condition with a fault of ours: it raises for one pod."""

    text = "broken"
    names = ("pod",)

    def evaluate(self, fields: Mapping[str, Any]) -> tuple[bool | None, str]:
        if fields["pod"] == "poison":
            raise RuntimeError("a mistake of the program")
        return True, ""


def writer(*, breaking: bool = False) -> tuple[Writer, AwayStore, HandClock, list[Changes]]:
    rules = shipped_rules()
    if breaking:
        rules = tuple(msgspec.structs.replace(rule, where=Breaking()) for rule in rules)
    store, clock, handed = AwayStore(), HandClock(), list[Changes]()
    return Writer(core(rules=rules), View(), store, clock, IntakeQueue(), handed.append), store, clock, handed


def sees(name: str) -> PodSeen:
    return PodSeen(at=START, event=EventType.ADDED, scope=PODS, pod=looping(name))


SYNCED = Synced(at=START, scope=PODS)


async def test_an_observation_that_makes_a_stage_raise_is_set_aside_and_the_rest_goes_on() -> None:
    one, _, _, handed = writer(breaking=True)
    names = [*(f"web-{number}" for number in range(40)), "poison", *(f"web-{number}" for number in range(40, 50))]
    await one.step([SYNCED, *map(sees, names), sees("poison")])
    assert one.stats.set_aside == 2
    assert all('"poison"' in sample for sample in one.stats.samples)
    assert len(one.view.pods.rows) == 50
    assert len(handed) == 1
    await one.step([sees("web-99")])
    assert len(one.view.pods.rows) == 51


class LateFault:
    """A condition with a fault of ours: it raises when it is asked again, by a timer."""

    text = "broken"
    names = ("pod",)

    def __init__(self) -> None:
        self.asked = 0

    def evaluate(self, fields: Mapping[str, Any]) -> tuple[bool | None, str]:
        self.asked += 1
        if self.asked > 1:
            raise RuntimeError("a mistake of the program")
        return True, ""


async def test_a_timer_that_makes_a_stage_raise_costs_only_its_own_row() -> None:
    one, _, clock, _ = writer()
    rules = tuple(
        msgspec.structs.replace(rule, where=LateFault(), hold=timedelta(minutes=1)) for rule in one.core.rules
    )
    one.core = core(rules=rules)
    await one.step([SYNCED, sees("web-1")])
    clock.time += timedelta(minutes=2)
    await one.step([])
    assert one.stats.set_aside == 3, "the members of both rules about crash loops and of the one about readiness"
    due = next_wake(one.view)
    assert due is not None
    assert due > clock.time, "only what is not yet due is waited for"


async def test_samples_do_not_grow_without_end() -> None:
    one, _, _, _ = writer(breaking=True)
    await one.step([SYNCED, *[sees("poison")] * 30])
    assert (one.stats.set_aside, len(one.stats.samples)) == (30, 10)
    assert max(map(len, one.stats.samples)) <= 2000


async def test_nothing_is_applied_or_handed_on_before_its_commit() -> None:
    one, store, _, handed = writer()
    store.failures = 3
    task = asyncio.create_task(one.step([SYNCED, sees("web-1")]))
    while store.failures == 3:
        await asyncio.sleep(0)
    assert (handed, one.view.pods.rows, one.busy) == ([], {}, True)
    await task
    assert (len(handed), set(one.view.pods.rows), one.busy) == (1, {"uid-web-1"}, False)
    assert not one.stats.store_failing
    view, _ = await store.load()
    assert set(view.alerts.rows) == set(one.view.alerts.rows) != set()


async def test_a_store_that_is_away_is_shown_and_intake_waits_in_its_queue() -> None:
    one, store, _, _ = writer()
    store.failures = 10**9
    task = asyncio.create_task(one.step([SYNCED, sees("web-1")]))
    while not one.stats.store_failing:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not one.busy
    assert one.view.pods.rows == {}


async def test_every_input_is_stamped_later_than_the_one_before_though_the_clock_stands_still() -> None:
    one, _, clock, _ = writer()
    stamped: list[Input] = []
    one.record = stamped.extend
    await one.step([SYNCED, sees("a"), sees("b")])
    clock.set(START - timedelta(hours=1))
    await one.step([Ended(at=START)])
    times = [each.at for each in stamped]
    assert times == sorted(set(times))
    assert one.view.meta.now is not None
    assert one.view.meta.now > times[-1]


def stamped_by(one: Writer) -> list[Input]:
    stamped: list[Input] = []
    one.record = stamped.extend
    return stamped


async def test_a_clock_that_is_set_back_does_not_stop_the_time() -> None:
    one, _, clock, _ = writer()
    stamped = stamped_by(one)
    await one.step([SYNCED])
    clock.set(START - timedelta(hours=1))
    clock.time += timedelta(minutes=5)
    await one.step([sees("web-1")])
    assert (stamped[1].at - stamped[0].at).total_seconds() == pytest.approx(300, abs=0.1)
    assert one.stats.clock_behind_seconds == pytest.approx(3600)
    assert one.stats.clock_jumps == 0


async def test_timers_run_though_the_clock_was_set_back() -> None:
    one, _, clock, handed = writer()
    await one.step([SYNCED, sees("web-1")])
    clock.set(START - timedelta(hours=1))
    assert one._pause() == pytest.approx(10, abs=0.1), (
        "the group waits for ten seconds, not for an hour and ten seconds"
    )
    clock.time += timedelta(seconds=11)
    await one.step([])
    assert [row.notification.reason.name for changes in handed for row in changes.outbox.values() if row] == ["FIRST"]


async def test_a_clock_that_jumps_is_an_input_before_all_others_and_recorded() -> None:
    one, _, clock, _ = writer()
    stamped = stamped_by(one)
    await one.step([SYNCED])
    clock.time += timedelta(seconds=30)
    clock.set(clock.time + timedelta(hours=2))
    await one.step([sees("web-1")])
    jump = stamped[1]
    assert isinstance(jump, ClockJumped)
    assert (jump.since, jump.at) == (START + timedelta(seconds=30), START + timedelta(hours=2, seconds=30))
    assert stamped[2].at > jump.at
    assert one.stats.clock_jumps == 1
    await one.step([sees("web-1")])
    assert len(stamped) == 4, "it is told once"


async def test_a_jump_is_told_though_nothing_else_happens() -> None:
    one, _, clock, _ = writer()
    stamped = stamped_by(one)
    clock.set(START + timedelta(hours=2))
    await one.step([])
    assert [type(each) for each in stamped] == [ClockJumped]


async def test_a_stored_time_that_the_clock_has_not_reached_goes_on() -> None:
    clock, store = HandClock(), AwayStore()
    view = View()
    view.meta = Meta(now=START + timedelta(hours=1))
    one = Writer(core(), view, store, clock, IntakeQueue(), list[Changes]().append)
    stamped = stamped_by(one)
    clock.time += timedelta(minutes=1)
    await one.step([SYNCED])
    assert (stamped[0].at - START).total_seconds() == pytest.approx(3660, abs=0.1)
    assert one.stats.clock_behind_seconds == pytest.approx(3600)


async def test_timers_run_without_an_input() -> None:
    one, _, clock, handed = writer()
    await one.step([SYNCED, sees("web-1")])
    clock.time += timedelta(seconds=11)
    await one.step([])
    assert [row.notification.reason.name for changes in handed for row in changes.outbox.values() if row] == ["FIRST"]


async def test_a_healthy_pod_is_not_committed() -> None:
    one, _, _, _ = writer()
    await one.step([SYNCED])
    commits = one.stats.commits
    await one.step([PodSeen(at=START, event=EventType.ADDED, scope=PODS, pod=pod())])
    assert one.stats.commits == commits
    assert set(one.view.pods.rows) == {"uid-web-1"}


async def test_the_loop_takes_what_is_queued_and_drains_it_at_the_end() -> None:
    one, _, _, _ = writer()
    queue = one._queue
    task = asyncio.create_task(one.run())
    await queue.put(SYNCED)
    while not one.view.scopes.rows:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await queue.put(sees("web-1"))
    await one.drain()
    assert set(one.view.pods.rows) == {"uid-web-1"}
    assert len(queue) == 0


async def test_what_could_not_be_stored_for_a_while_is_told_before_all_that_comes_after_it() -> None:
    one, store, _, _ = writer()
    stamped = stamped_by(one)
    await one.step([SYNCED])
    store.failures = 2
    await one.step([sees("web-1")])
    await one.step([sees("web-2")])
    away = stamped[2]
    assert isinstance(away, StoreAway)
    assert stamped[1].at < away.since < away.at < stamped[3].at
    await one.step([sees("web-3")])
    assert [type(each) for each in stamped] == [Synced, PodSeen, StoreAway, PodSeen, PodSeen], "once"


async def test_nothing_is_judged_while_the_store_is_in_doubt() -> None:
    one, store, _, _ = writer()
    stamped = stamped_by(one)
    await one.step([SYNCED])
    store.failures, one.doubtful = 1, True
    await one.step([sees("web-1")])
    assert [type(each) for each in stamped] == [Synced, StoreAway, PodSeen]
    one.doubtful = True
    await one.step([sees("web-1")])
    assert [type(each) for each in stamped] == [Synced, StoreAway, PodSeen, PodSeen]
