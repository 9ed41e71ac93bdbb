"""What was posted is stored before it is acknowledged, judged in its order, and never forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest

from watcher.api import inbox as room
from watcher.api.inbox import Inbox
from watcher.engine.clock import SystemClock
from watcher.engine.queue import IntakeQueue
from watcher.model.changes import Changes
from watcher.model.observations import AlertsPosted
from watcher.model.posted import PostedAlert
from watcher.ports import Fenced, StoreError
from watcher.store.memory import MemoryStore

SOON, LONG = timedelta(milliseconds=100), timedelta(seconds=20)


class Shaky(MemoryStore):
    """`failing`: how often it fails before it stores; `vague`: it fails after it has stored."""

    failing = 0
    vague = False
    hanging = False
    fenced = False

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.answers.set()
        self.read = asyncio.Event()
        self.read.set()

    async def accept(self, body: bytes, at: datetime) -> int:
        if self.fenced:
            raise Fenced("another one writes")
        if self.hanging:
            await asyncio.sleep(60)
        if self.failing and not self.vague:
            self.failing -= 1
            raise StoreError("away")
        await self.answers.wait()
        number = await super().accept(body, at)
        if self.failing:
            self.failing -= 1
            raise StoreError("the answer was lost")
        return number

    async def accepted(self) -> Sequence[tuple[int, datetime, bytes]]:
        found = await super().accepted()
        await self.read.wait()
        return found


class World:
    def __init__(self) -> None:
        self.store = Shaky()
        self.queue = IntakeQueue()
        self.inbox = Inbox(self.store, self.queue, SystemClock())
        self.judged: list[str] = []

    async def post(self, *names: str, within: timedelta = LONG) -> bool:
        return await self.inbox.put([PostedAlert(labels={"alertname": name}) for name in names], within)

    async def judge(self) -> list[str]:
        """What the writer is given next; it commits it."""
        inputs = [one for one in await self.queue.take(500, 20) if isinstance(one, AlertsPosted)]
        changes = Changes(accepted=tuple(one.number for one in inputs))
        await self.store.commit(changes, SystemClock().now())
        self.inbox.note(changes)
        return names(inputs)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        loop = asyncio.create_task(self.inbox.run())
        try:
            yield loop
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)


def names(inputs: Sequence[AlertsPosted]) -> list[str]:
    return [alert.labels["alertname"] for one in inputs for alert in one.alerts]


@pytest.fixture
async def world() -> World:
    return World()


async def test_a_post_that_is_alone_is_judged_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "QUIET", 60.0)
    monkeypatch.setattr(room, "GATHER", 60.0)
    async with world.running(), asyncio.timeout(10):
        assert await world.post("A")
        assert await world.judge() == ["A"]
    assert await world.store.accepted() == []


async def test_posts_that_pour_in_gather_and_stay_in_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "QUIET", 0.3)
    async with world.running():
        for name in "ABCDE":
            assert await world.post(name)
        found = await world.judge()
        assert found + (await world.judge() if len(found) < 5 else []) == list("ABCDE")


async def test_nobody_waits_longer_than_that_for_others_that_keep_coming(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "QUIET", 60.0)
    monkeypatch.setattr(room, "GATHER", 0.2)
    async with world.running():
        await world.post("A")
        await world.post("B")
        async with asyncio.timeout(20):
            found = await world.judge()
            while len(found) < 2:
                found += await world.judge()
    assert found == ["A", "B"]


async def test_who_reads_sees_what_was_acknowledged_and_does_not_wait_for_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "QUIET", 60.0)
    monkeypatch.setattr(room, "GATHER", 60.0)
    async with world.running(), asyncio.timeout(20):
        await world.post("A", "B")
        await world.post("C")
        reading = asyncio.create_task(world.inbox.settled())
        found = await world.judge()
        while len(found) < 3:
            assert not reading.done()
            found += await world.judge()
        await reading
    assert found == ["A", "B", "C"]


async def test_a_reader_does_not_wait_for_a_store_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "READ_WITHIN", 0.05)
    await world.post("A")
    async with asyncio.timeout(10):
        await world.inbox.settled()


async def test_portions_are_of_whole_posts_and_the_next_waits_for_the_commit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PORTION", 3)
    for post in (("A", "B"), ("C",), ("D", "E", "F", "G"), ("H",)):
        await world.post(*post)
    async with world.running():
        assert [await world.judge() for _ in range(3)] == [["A", "B", "C"], ["D", "E", "F", "G"], ["H"]]


async def test_a_store_that_fails_for_a_while_costs_time_and_no_alert(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AGAIN", 0.01)
    world.store.failing = 3
    async with world.running():
        assert await world.post("A")
        assert await world.judge() == ["A"]


@pytest.mark.parametrize("way", ["it fails", "it hangs"])
async def test_what_was_not_stored_is_not_acknowledged(world: World, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "AGAIN", 0.01)
    world.store.failing, world.store.hanging = (10**6, False) if way == "it fails" else (0, True)
    assert not await world.post("A", within=SOON)
    assert await world.store.accepted() == []


async def test_what_may_have_been_stored_is_judged_before_what_comes_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AGAIN", 60.0)
    world.store.failing, world.store.vague = 1, True
    assert not await world.post("A", within=SOON)
    assert await world.post("B")
    async with world.running():
        found = await world.judge()
        assert found + (await world.judge() if len(found) < 2 else []) == ["A", "B"]


async def test_what_is_stored_after_its_poster_gave_up_is_judged_without_another_post(world: World) -> None:
    world.store.answers.clear()
    async with world.running(), asyncio.timeout(20):
        assert not await world.post("A", within=SOON)
        world.store.answers.set()
        assert await world.judge() == ["A"]
    assert await world.store.accepted() == []


async def test_what_may_have_been_stored_is_judged_without_another_post(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AGAIN", 60.0)
    world.store.failing, world.store.vague = 1, True
    async with world.running(), asyncio.timeout(20):
        await asyncio.sleep(0)
        assert not await world.post("A", within=SOON)
        assert await world.judge() == ["A"]


async def test_what_is_stored_unheard_of_while_one_looks_for_that_is_found_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AGAIN", 60.0)
    world.store.failing, world.store.vague = 2, True
    world.store.read.clear()
    async with world.running(), asyncio.timeout(20):
        assert not await world.post("A", within=SOON)
        assert not await world.post("B", within=SOON)
        world.store.read.set()
        found = await world.judge()
        assert found + (await world.judge() if len(found) < 2 else []) == ["A", "B"]


async def test_a_stored_post_that_cannot_be_read_is_the_stores_trouble(world: World) -> None:
    await world.store.accept(b'[{"labels": 1}]', SystemClock().now())
    with pytest.raises(StoreError, match="a newer one"):
        await world.inbox.resume()


async def test_what_one_process_acknowledged_the_next_one_judges(world: World) -> None:
    assert await world.post("A")
    assert await world.post("B")
    ((first, at, _), (second, _, _)) = await world.store.accepted()
    after = World()
    after.store = world.store
    after.inbox = Inbox(world.store, after.queue, SystemClock())
    await after.inbox.resume()
    async with after.running():
        one, two = await after.queue.take(10, 20)
    assert isinstance(one, AlertsPosted)
    assert isinstance(two, AlertsPosted)
    assert (one.number, one.accepted, two.number) == (first, at, second)


async def test_who_posts_more_than_is_judged_waits_and_is_told_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST", 3)
    assert await world.post(*"ABCDE")
    assert not await world.post("F", within=SOON)
    async with world.running():
        waiting = asyncio.create_task(world.post("G"))
        assert await world.judge() == list("ABCDE")
        assert await waiting
        assert await world.judge() == ["G"]


async def test_many_that_post_at_once_find_no_more_room_than_there_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST", 3)
    world.store.answers.clear()
    posting = [asyncio.create_task(world.post(name, within=SOON)) for name in "ABCDEFGH"]
    await asyncio.sleep(0)
    world.store.answers.set()
    assert [await each for each in posting] == [True] * 3 + [False] * 5
    assert world.inbox.alerts == 3


async def test_a_large_post_gets_room_before_small_ones_that_came_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST", 3)
    assert await world.post("A")
    large = asyncio.create_task(world.post("B", "C", "D"))
    await asyncio.sleep(0)
    small = asyncio.create_task(world.post("E"))
    async with world.running(), asyncio.timeout(20):
        assert [await world.judge() for _ in range(3)] == [["A"], ["B", "C", "D"], ["E"]]
    assert await large
    assert await small


async def test_who_may_not_write_any_more_takes_nothing_and_ends(world: World) -> None:
    world.store.fenced = True
    async with world.running() as loop:
        with pytest.raises(Fenced):
            await world.post("A")
        with pytest.raises(Fenced):
            await asyncio.wait_for(asyncio.shield(loop), 10)


async def test_a_service_that_stops_keeps_nobody_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 1)
    await world.post("A")
    reading, posting = asyncio.create_task(world.inbox.settled()), asyncio.create_task(world.post("B"))
    await asyncio.sleep(0.01)
    world.inbox.end()
    async with asyncio.timeout(10):
        await reading
        assert not await posting


async def test_a_service_that_stops_tries_no_more_to_store_what_its_poster_gave_up(world: World) -> None:
    world.store.answers.clear()
    assert not await world.post("A", within=SOON)
    world.inbox.end()
    await asyncio.sleep(0.01)
    world.store.answers.set()
    await asyncio.sleep(0.01)
    assert await world.store.accepted() == []
