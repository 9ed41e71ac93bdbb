"""Whether a stream is heard: told to the core once when it falls silent, and once when it speaks again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.support.clocks import BEGIN, StandingClock
from watcher.engine.health import HealthLoop
from watcher.engine.queue import IntakeQueue
from watcher.model.observations import Scope, StreamHealth
from watcher.source.streams import StreamStats

PODS = Scope(kind="Pod")
MINUTE = timedelta(minutes=1)


class Stage:
    """One stream, the loop that looks at it, and what the core is told."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.stats = StreamStats(PODS)
        self.queue = IntakeQueue()
        self.loop = HealthLoop([self.stats], self.queue, self.clock)

    def heard(self) -> None:
        self.stats.last_heard = self.clock.monotonic()

    def listed(self) -> None:
        self.heard()
        self.stats.synced = self.stats.watching = True
        self.stats.lists += 1
        self.stats.watches += 1

    async def after(self, span: timedelta, meanwhile: Callable[[], None] = lambda: None) -> list[StreamHealth]:
        """What is told within `span`, looked at every ten seconds."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.move(timedelta(seconds=10))
            meanwhile()
            await self.loop.step()
        told = await self.queue.take(100, 0)
        assert all(isinstance(one, StreamHealth) for one in told)
        return [one for one in told if isinstance(one, StreamHealth)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def said(told: list[StreamHealth]) -> list[tuple[datetime | None, str]]:
    return [(one.stale_since, one.reason) for one in told]


async def test_a_stream_that_is_heard_is_not_spoken_of(stage: Stage) -> None:
    stage.listed()
    assert await stage.after(10 * MINUTE, stage.heard) == []
    assert stage.loop.blind == {}


async def test_a_stream_that_falls_silent_is_told_once_with_the_time_it_was_last_heard(stage: Stage) -> None:
    stage.listed()
    assert await stage.after(timedelta(seconds=170)) == []
    assert said(await stage.after(10 * MINUTE)) == [(BEGIN, "nothing was heard of it")]
    assert stage.loop.blind == {PODS: "nothing was heard of it"}


async def test_a_stream_that_is_heard_again_is_told_once(stage: Stage) -> None:
    stage.listed()
    await stage.after(5 * MINUTE)
    assert said(await stage.after(5 * MINUTE, stage.heard)) == [(None, "")]
    assert stage.loop.blind == {}


async def test_a_stream_that_is_never_listed_is_blind_from_the_start(stage: Stage) -> None:
    assert await stage.after(timedelta(seconds=170)) == []
    assert said(await stage.after(5 * MINUTE)) == [(BEGIN, "it has not been listed since the start")]
    stage.listed()
    assert said(await stage.after(MINUTE, stage.heard)) == [(None, "")]


async def test_a_list_that_goes_on_for_ever_is_no_list(stage: Stage) -> None:
    told = await stage.after(4 * MINUTE, stage.heard)
    assert [one.reason for one in told] == ["it has not been listed since the start"]


async def test_a_stream_that_answers_and_can_neither_list_nor_watch_is_blind(stage: Stage) -> None:
    stage.listed()
    await stage.after(MINUTE, stage.heard)
    stage.stats.watching = False
    assert said(await stage.after(5 * MINUTE, stage.heard)) == [
        (BEGIN + MINUTE, "it can be neither listed nor watched")
    ]


async def test_a_stream_that_was_forbidden_from_the_start_is_not_blind(stage: Stage) -> None:
    stage.stats.forbidden_since = BEGIN
    assert await stage.after(10 * MINUTE) == []
    assert stage.loop.blind == {}


async def test_a_stream_that_may_not_be_read_any_more_is_blind(stage: Stage) -> None:
    stage.listed()
    stage.stats.forbidden_since = BEGIN
    assert await stage.after(timedelta(seconds=170)) == [], "an API server that starts answers 403 for a moment"
    assert said(await stage.after(MINUTE)) == [(BEGIN, "it may not be read any more (403)")]
    stage.stats.forbidden_since = None
    assert said(await stage.after(MINUTE, stage.heard)) == [(None, "")]


async def test_another_reason_is_told_anew(stage: Stage) -> None:
    stage.listed()
    await stage.after(5 * MINUTE)
    stage.stats.forbidden_since = BEGIN
    assert [one.reason for one in await stage.after(MINUTE)] == ["it may not be read any more (403)"]
