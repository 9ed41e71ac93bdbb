"""What the heartbeat asks of the writer and of the deliveries."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from tests.support.clocks import BEGIN, StandingClock
from tests.support.timeline import PODS, core
from watcher.engine.dispatch import Dispatcher
from watcher.engine.queue import IntakeQueue
from watcher.engine.vitals import Writing, undelivered, words
from watcher.engine.writer import Writer
from watcher.model.changes import View
from watcher.model.observations import Scope, Synced
from watcher.store.memory import MemoryStore

MINUTE = timedelta(minutes=1)


class Stage:
    def __init__(self) -> None:
        self.clock, self.queue = StandingClock(), IntakeQueue()
        self.writer = Writer(core(), View(), MemoryStore(), self.clock, self.queue, lambda changes: None)
        self.writing = Writing(self.writer, self.queue, self.clock)

    def in_minutes(self, count: int) -> list[str]:
        """What is said minute after minute."""
        said = []
        for _ in range(count):
            self.clock.move(MINUTE)
            said.append(self.writing.trouble())
        return said


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_writer_that_has_nothing_to_do_is_alive(stage: Stage) -> None:
    assert stage.in_minutes(5) == [""] * 5


async def test_a_writer_that_moves_under_a_full_queue_is_alive(stage: Stage) -> None:
    for _ in range(5):
        await stage.queue.put(Synced(at=BEGIN, scope=PODS))
    said = []
    for _ in range(4):
        said += stage.in_minutes(1)
        await stage.writer.step(await stage.queue.take(1, 0))
    assert said == [""] * 4


async def test_a_writer_that_does_not_move_while_something_waits_is_not_alive(stage: Stage) -> None:
    stage.in_minutes(3)
    await stage.queue.put(Synced(at=BEGIN, scope=PODS))
    assert stage.in_minutes(3) == ["", *["nothing was judged for a minute, though something waits"] * 2]
    await stage.writer.drain()
    assert stage.in_minutes(1) == [""]


async def test_a_store_that_does_not_answer_is_named(stage: Stage) -> None:
    stage.writer.stats.store_failing = True
    assert stage.in_minutes(1) == ["the store does not answer"]


def test_a_message_that_waits_for_five_minutes_stops_the_heartbeat() -> None:
    clock = StandingClock()
    dispatcher = Dispatcher({("team", "webhook_configs[0]"): object()}, MemoryStore(), IntakeQueue(), clock)  # type: ignore[dict-item]
    assert undelivered(dispatcher, clock) == ""
    row = SimpleNamespace(id="1", receiver="team", integration="webhook_configs[0]", created_at=clock.now())
    dispatcher.resume([row])  # type: ignore[list-item]
    clock.move(5 * MINUTE)
    assert undelivered(dispatcher, clock) == ""
    clock.move(MINUTE)
    assert undelivered(dispatcher, clock) == "a message could not be delivered for more than 5 minutes"
    dispatcher.committed({"1": None})
    assert undelivered(dispatcher, clock) == ""


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param(Scope(kind="Pod"), "pods of the cluster", id="cluster"),
        pytest.param(Scope(kind="PersistentVolumeClaim", namespace="shop"), "claims of the namespace shop", id="one"),
        pytest.param(Scope(kind="Node"), "nodes", id="without a namespace"),
    ],
)
def test_a_scope_is_named_in_words(scope: Scope, expected: str) -> None:
    assert words(scope) == expected
