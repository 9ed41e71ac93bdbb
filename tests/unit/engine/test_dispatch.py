"""The dispatcher: order inside a group, retries, a dead receiver that delays no other, rows nobody can send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from watcher.engine.dispatch import Dispatcher
from watcher.engine.worker import Name
from watcher.model.changes import Changes
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.message import Heading, Mark, Message, Notification, SendReason
from watcher.model.observations import DeliveryDone, Input
from watcher.model.state import OutboxRow
from watcher.ports import StoreError
from watcher.store.memory import MemoryStore

BEGIN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
A: Name = ("ops", "webhook_configs[0]")
B: Name = ("ops", "webhook_configs[1]")


class LoopClock:
    """Time from the loop, so that waiting is as long as it says."""

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.monotonic())

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.now()).total_seconds())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() - self._start

    def steady(self) -> float:
        return self.monotonic()

    def __init__(self) -> None:
        self._start = asyncio.get_running_loop().time()


class Recorder:
    """A sender that answers what it is told to, and an event it waits for where there is one."""

    def __init__(self, *answers: Outcome | Exception, gate: asyncio.Event | None = None) -> None:
        self.answers = list(answers)
        self.gate = gate
        self.sent: list[str] = []
        self.closed = False

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        self.sent.append(notification.id)
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else Delivered()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


class Book:
    """The writer's part: takes outcomes; `record` commits what follows from one."""

    def __init__(self) -> None:
        self.inputs: list[DeliveryDone] = []

    async def put(self, observation: Input) -> None:
        assert isinstance(observation, DeliveryDone)
        self.inputs.append(observation)

    def offer(self, observation: Input) -> bool:
        raise AssertionError(f"an outcome is put, not offered: {observation}")

    async def room(self) -> None:
        raise AssertionError("an outcome does not wait for room")


def row(
    name: str, *, integration: Name = A, group: str = "g", at: float = 0, attempts: int = 0, due: float = 0
) -> OutboxRow:
    notification = Notification(
        id=name, at=BEGIN, receiver=integration[0], integration=integration[1], status="firing",
        reason=SendReason.FIRST, group_key="{}", title="t", text="t",
        message=Message(heading=Heading(mark=Mark.WARNING, title="t")),
    )  # fmt: skip
    return OutboxRow(
        id=name, receiver=integration[0], integration=integration[1], group=group,
        created_at=BEGIN + timedelta(seconds=at), notification=notification, attempts=attempts,
        next_at=BEGIN + timedelta(seconds=due),
    )  # fmt: skip


@asynccontextmanager
async def running(dispatcher: Dispatcher) -> AsyncIterator[None]:
    task = asyncio.create_task(dispatcher.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def made(senders: dict[Name, Recorder], store: MemoryStore | None = None) -> tuple[Dispatcher, Book]:
    book = Book()
    return Dispatcher(senders, store or MemoryStore(), book, LoopClock()), book


async def test_messages_of_one_group_keep_their_order() -> None:
    sender = Recorder()
    dispatcher, book = made({A: sender})
    dispatcher.committed({name: row(name, at=at) for at, name in enumerate(["1", "2", "3"])})
    async with running(dispatcher):
        for count, name in enumerate(["1", "2", "3"], 1):
            await until(lambda count=count: len(book.inputs) == count)  # type: ignore[misc]
            await settled()
            assert sender.sent[-1] == name, "the next waits until the outcome is recorded"
            dispatcher.committed({name: None})
    assert sender.sent == ["1", "2", "3"]
    assert dispatcher.waiting() == 0


async def test_a_later_message_of_a_group_waits_while_an_earlier_one_is_tried_again() -> None:
    sender = Recorder(TryLater(reason="503"))
    store = MemoryStore()
    dispatcher, book = made({A: sender}, store)
    first, second = row("first"), row("second", at=1)
    dispatcher.committed({"first": first, "second": second})
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 1)
        await settled()
        assert sender.sent == ["first"]
        again = row("first", attempts=1, due=0.05)
        await store.commit(Changes(outbox={"first": again}), BEGIN)
        dispatcher.committed({"first": again})
        await until(lambda: len(book.inputs) == 2)
        assert sender.sent == ["first", "first"]
        dispatcher.committed({"first": None})
        await until(lambda: len(book.inputs) == 3)
    assert sender.sent == ["first", "first", "second"]
    assert (dispatcher.stats.delivered, dispatcher.stats.retried) == (2, 1)


async def test_groups_do_not_wait_for_each_other() -> None:
    sender = Recorder(TryLater(reason="503"))
    dispatcher, book = made({A: sender})
    dispatcher.committed({"1": row("1"), "2": row("2", group="other", at=1)})
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 2)
    assert sender.sent == ["1", "2"]


async def test_a_dead_receiver_delays_no_other() -> None:
    slow, quick = Recorder(gate=asyncio.Event()), Recorder()
    dispatcher, book = made({A: slow, B: quick})
    dispatcher.committed({"a": row("a"), "b": row("b", integration=B)})
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 1)
        assert book.inputs[0].message_id == "b"
        assert slow.sent == ["a"]
        assert dispatcher.busy()


async def test_an_adapter_that_raises_costs_its_message_and_nothing_else() -> None:
    broken, fine = Recorder(RuntimeError("secret-in-the-text")), Recorder()
    dispatcher, book = made({A: broken, B: fine})
    dispatcher.committed({"a": row("a"), "b": row("b", integration=B), "c": row("c", group="other", at=1)})
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 3)
    outcomes = {one.message_id: one.outcome for one in book.inputs}
    assert outcomes["a"] == GiveUp(reason="Watcher could not make the message: RuntimeError")
    assert (outcomes["b"], outcomes["c"]) == (Delivered(), Delivered())
    assert dispatcher.stats.dead == 1


async def test_a_message_is_busy_until_its_outcome_is_recorded() -> None:
    dispatcher, book = made({A: Recorder()})
    dispatcher.committed({"1": row("1")})
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 1)
        await settled()
        assert dispatcher.busy(), "a stop now would lose the outcome, and the message would be sent twice"
        dispatcher.committed({"1": None})
        assert not dispatcher.busy()


async def test_rows_that_an_earlier_process_left_are_leased_and_sent_once() -> None:
    store, sender = MemoryStore(), Recorder()
    rows = {name: row(name, group=name) for name in ("1", "2")}
    await store.commit(Changes(outbox=dict(rows)), BEGIN)
    dispatcher, book = made({A: sender}, store)
    dispatcher.resume(rows.values())
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 2)
        await settled()
    assert sorted(sender.sent) == ["1", "2"]


async def test_a_store_that_cannot_lease_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class AwayStore(MemoryStore):
        failures = 1

        async def lease(
            self, integration: tuple[str, str], now: datetime, until: datetime, limit: int
        ) -> list[OutboxRow]:
            if self.failures:
                self.failures -= 1
                raise StoreError("away")
            return await super().lease(integration, now, until, limit)

    store, sender = AwayStore(), Recorder()
    await store.commit(Changes(outbox={"1": row("1")}), BEGIN)
    dispatcher, book = made({A: sender}, store)
    dispatcher.resume([row("1")])
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 1)
    assert sender.sent == ["1"]


async def test_rows_of_a_receiver_that_is_gone_are_given_up_with_the_reason() -> None:
    dispatcher, book = made({A: Recorder()})
    dispatcher.resume([row("1", integration=("old", "slack_configs[0]"))])
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 1)
    (one,) = book.inputs
    assert one.message_id == "1"
    assert isinstance(one.outcome, GiveUp)
    assert "'old'" in one.outcome.reason
    assert dispatcher.waiting() == 0


async def test_a_row_waits_for_its_time() -> None:
    dispatcher, book = made({A: Recorder()})
    dispatcher.committed({"1": row("1", due=3600)})
    async with running(dispatcher):
        await settled()
        assert (book.inputs, dispatcher.busy(), dispatcher.waiting()) == ([], False, 1)
        assert dispatcher.oldest() == BEGIN


async def test_closing_closes_every_adapter() -> None:
    senders = {A: Recorder(), B: Recorder()}
    dispatcher, _ = made(senders)
    await dispatcher.close()
    assert all(sender.closed for sender in senders.values())


async def test_a_later_message_waits_until_what_was_said_of_the_earlier_one_is_committed() -> None:
    """The core has taken the first out of the queue, and the store does not answer yet: a crash would send it again."""
    sender = Recorder()
    dispatcher, book = made({A: sender})
    dispatcher.committed({"first": row("first"), "second": row("second", at=1)})
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 1)
        changes = {"first": None, "second": msgspec.structs.replace(row("second", at=1), reference="77")}
        dispatcher.withhold(changes)
        await settled()
        assert sender.sent == ["first"]
        assert dispatcher.busy()
        dispatcher.committed(changes)
        await until(lambda: len(book.inputs) == 2)
        await settled()
    assert sender.sent == ["first", "second"]


async def test_a_row_that_is_put_anew_while_its_outcome_is_not_recorded_is_not_sent_again() -> None:
    sender = Recorder()
    dispatcher, book = made({A: sender})
    dispatcher.committed({"one": row("one")})
    async with running(dispatcher):
        await until(lambda: len(book.inputs) == 1)
        dispatcher.committed({"one": msgspec.structs.replace(row("one"), reference="77")})
        await settled()
        assert sender.sent == ["one"]
        dispatcher.committed({"one": row("one", attempts=1)})
        await until(lambda: len(book.inputs) == 2)
    assert sender.sent == ["one", "one"]


async def test_a_message_that_gave_way_is_not_begun_while_that_is_committed() -> None:
    sender = Recorder()
    dispatcher, book = made({A: sender})
    dispatcher.committed({"old": row("old", due=0.02)})
    async with running(dispatcher):
        changes = {"old": None, "new": row("new", at=1)}
        dispatcher.withhold(changes)
        await asyncio.sleep(0.05)
        assert sender.sent == []
        dispatcher.committed(changes)
        await until(lambda: len(book.inputs) == 1)
    assert sender.sent == ["new"]
