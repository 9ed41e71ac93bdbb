"""One batch or many: the answer of the core does not depend on how inputs are cut."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.acceptance.test_many import broken
from tests.acceptance.test_time import crash_loop, looping
from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import Timeline, core
from watcher.model.changes import View
from watcher.model.config import FirstStart
from watcher.model.observations import Ended, Input
from watcher.pipeline import Core, handle


def story(first_start: FirstStart) -> list[Input]:
    """An hour of a small cluster with troubles of every kind, several of them in the same instant."""
    line = Timeline(first_start=first_start).at(0).lists(pod("web-1"), broken("shop", 1), broken("shop", 2))
    crash_loop(line, 9, start=20, name="web-1")
    line.at(1500).sees(pod("web-1", status(restarts=9, last=dead(1, at=1400))))
    line.at(1500).sees(looping("web-2", at=1499, code=137, reason="OOMKilled"), looping("web-3", at=1499))
    line.at(1510).sees(pod("img-1", status(waiting="ErrImagePull", message="x: not found"), phase="Pending"))
    line.at(1510).deletes(looping("web-3"))
    line.at(1700).sees(pod("web-2", backoff(160, dead(1, at=1699), restarts=9)))
    line.at(2400).lists(pod("web-1", status(restarts=9, last=dead(1, at=1400))), broken("shop", 1))
    line.until(7200)
    return [*line.inputs, Ended(at=line.inputs[-1].at + timedelta(hours=2))]


STORIES = {start: story(start) for start in FirstStart}


def played(configuration: Core, batches: list[list[Input]]) -> tuple[bytes, bytes]:
    """(all that was answered in order, the state at the end)."""
    view = View()
    answers: list[Any] = []
    for batch in batches:
        changes = handle(configuration, view, batch, batch[-1].at)
        answers += changes.transitions
        answers += changes.decisions
        answers += [row.notification for row in changes.finished]
        answers += changes.fetch
        view.apply(changes)
    rows = [sorted(table.rows.items()) for _, table in view.tables()]
    kinds: dict[str, list[Any]] = {}
    for answer in answers:
        kinds.setdefault(type(answer).__name__, []).append(answer)
    kinds["Notification"].sort(key=lambda n: (n.at, n.id))
    return msgspec.json.encode(kinds, order="sorted"), repr(rows).encode()


@pytest.mark.parametrize("first_start", list(FirstStart))
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_the_same_inputs_in_one_batch_and_in_many_give_the_same(first_start: FirstStart, data: st.DataObject) -> None:
    inputs = STORIES[first_start]
    cuts = data.draw(st.lists(st.integers(1, len(inputs) - 1), unique=True).map(sorted))
    edges = [0, *cuts, len(inputs)]
    batches = [inputs[a:b] for a, b in itertools.pairwise(edges)]
    configuration = core(first_start=first_start, delivered_at_once=True)
    assert played(configuration, batches) == played(configuration, [inputs])


def test_one_input_at_a_time_gives_the_same() -> None:
    inputs = STORIES[FirstStart.ALERT]
    configuration = core(delivered_at_once=True)
    assert played(configuration, [[one] for one in inputs]) == played(configuration, [inputs])


def test_the_view_stays_as_it_is() -> None:
    view = View()
    handle(core(), view, STORIES[FirstStart.ALERT], STORIES[FirstStart.ALERT][-1].at)
    assert all(table.rows == {} for _, table in view.tables())
