"""What the loops count of their own work: times of the core, of transactions and of attempts, and why these failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from tests.unit.engine.test_dispatch import A, Recorder, made, row, running, until
from tests.unit.engine.test_writer import SYNCED, sees, writer
from watcher.engine.causes import Cause
from watcher.model.delivery import Delivered, GiveUp, TryLater
from watcher.model.state import OutboxRow
from watcher.ports import StoreError
from watcher.store.memory import MemoryStore


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def test_the_core_is_timed_for_each_batch_and_the_store_for_each_commit() -> None:
    one, _, _, _ = writer()
    await one.step([SYNCED, sees("web-1")])
    await one.step([])
    assert one.stats.judging.count == one.stats.batches == 2
    assert one.stats.store.seconds["commit"].count == one.stats.commits > 0


async def test_a_commit_that_fails_is_counted_and_timed_only_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_: float) -> None: ...

    monkeypatch.setattr("watcher.engine.writer.asyncio.sleep", at_once)
    one, store, _, _ = writer()
    store.failures = 3
    await one.step([SYNCED, sees("web-1")])
    assert one.stats.store.errors == {"commit": 3}
    assert one.stats.store.seconds["commit"].count == 1
    assert not one.stats.store_failing


@pytest.mark.looptime
async def test_an_attempt_is_timed_whatever_becomes_of_it_and_a_delivery_since_its_decision() -> None:
    gate = asyncio.Event()
    sender = Recorder(TryLater(reason="HTTP 503 Service Unavailable"), KeyError("x"), Delivered(), gate=gate)
    dispatcher, book = made({A: sender})
    stats = dispatcher.stats
    async with running(dispatcher):
        for number, seconds in enumerate((2.0, 0.0, 0.0)):
            dispatcher.committed({str(number): row(str(number), group=str(number))})
            await asyncio.sleep(seconds)
            gate.set()
            await until(lambda number=number: len(book.inputs) > number)  # type: ignore[misc]
    assert stats.sending[A].count == 3
    assert stats.sending[A].total == pytest.approx(2.0, abs=0.1)
    assert stats.failures == {(*A, Cause.SERVER_ERROR): 1, (*A, Cause.INTERNAL): 1}
    assert stats.waited[A].count == 1
    assert stats.waited[A].total == pytest.approx(2.0, abs=0.1), "the third was made when the first was"


@pytest.mark.looptime
async def test_leases_are_timed_and_those_that_fail_are_counted() -> None:
    class Failing(MemoryStore):
        failures = 2

        async def lease(self, *about: object, **more: object) -> list[OutboxRow]:
            if self.failures:
                self.failures -= 1
                raise StoreError("away")
            return [row("1")]

    dispatcher, book = made({A: Recorder(GiveUp(reason="HTTP 404"))}, Failing())
    dispatcher.resume([row("1")])
    async with running(dispatcher):
        await until(lambda: bool(book.inputs))
    assert dispatcher.stats.store.errors == {"lease": 2}
    assert dispatcher.stats.store.seconds["lease"].count == 1


async def test_what_waits_is_told_for_each_integration() -> None:
    dispatcher, _ = made({A: Recorder(), ("ops", "x_configs[0]"): Recorder()})
    dispatcher.resume([row("1", at=3), row("2", at=1)])
    found = {name: (count, oldest) for name, count, oldest in dispatcher.queued()}
    assert found == {A: (2, row("2", at=1).created_at), ("ops", "x_configs[0]"): (0, None)}
