"""Who waits for an answer of the core gets it after the commit, or none."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.support.clocks import BEGIN
from watcher.api.outcomes import Outcomes
from watcher.engine.queue import IntakeQueue
from watcher.model.changes import Changes
from watcher.model.observations import SilenceExpireAsked
from watcher.model.silence import Answer

LONG, SHORT = timedelta(seconds=30), timedelta(milliseconds=20)


def asked(request: str) -> SilenceExpireAsked:
    return SilenceExpireAsked(at=BEGIN, request=request, id="x")


async def test_each_waits_for_its_own_answer() -> None:
    outcomes, intake = Outcomes(), IntakeQueue()
    first, second = (asyncio.create_task(outcomes.ask(intake, asked(name), LONG)) for name in ("1", "2"))
    await asyncio.sleep(0)
    assert len(intake) == 2
    outcomes.note(Changes(answers={"2": Answer(id="b"), "3": Answer(id="c")}))
    assert await second == Answer(id="b")
    assert not first.done()
    outcomes.note(Changes(answers={"1": Answer(code=404)}))
    assert await first == Answer(code=404)


async def test_without_a_commit_in_time_there_is_no_answer_and_a_late_one_harms_nobody() -> None:
    outcomes, intake = Outcomes(), IntakeQueue()
    assert await outcomes.ask(intake, asked("1"), SHORT) is None
    outcomes.note(Changes(answers={"1": Answer(id="a")}))
    again = asyncio.create_task(outcomes.ask(intake, asked("1"), LONG))
    await asyncio.sleep(0)
    outcomes.note(Changes(answers={"1": Answer(id="b")}))
    assert await again == Answer(id="b")


@pytest.mark.parametrize("before", [True, False], ids=["before it is asked", "while somebody waits"])
async def test_a_service_that_stops_keeps_nobody_waiting(before: bool) -> None:
    outcomes, intake = Outcomes(), IntakeQueue()
    if before:
        outcomes.end()
    waiting = asyncio.create_task(outcomes.ask(intake, asked("1"), LONG))
    await asyncio.sleep(0)
    outcomes.end()
    assert await waiting is None
    assert len(intake) == 1
