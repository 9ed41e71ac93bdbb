"""Tables, overlays and drafts against plain dictionaries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.timeline import START, time
from watcher.model.changes import Draft, View
from watcher.model.identity import Workload
from watcher.model.observations import Scope
from watcher.model.remembered import PodState
from watcher.model.state import Group, Meta
from watcher.model.table import Overlay, Rank, Table


class Thing(msgspec.Struct, frozen=True):
    colour: str | None
    due: datetime | None


KEYS = st.sampled_from("abcdef")
THINGS = st.builds(
    Thing,
    colour=st.sampled_from(["red", "blue", None]),
    due=st.one_of(st.none(), st.integers(0, 5).map(lambda n: START + timedelta(seconds=n))),
)
STEPS = st.lists(st.tuples(KEYS, st.one_of(st.none(), THINGS)), max_size=30)


def table() -> Table[str, Thing]:
    return Table({"colour": lambda thing: thing.colour}, (Rank.MEMBER, lambda thing: thing.due))


def fill(steps: list[tuple[str, Thing | None]], *homes: Any) -> None:
    for key, thing in steps:
        for home in homes:
            if thing is not None:
                home.put(key, thing) if not isinstance(home, dict) else home.__setitem__(key, thing)
            else:
                home.drop(key) if not isinstance(home, dict) else home.pop(key, None)


def timers(model: dict[str, Thing]) -> list[tuple[datetime, int, str]]:
    return sorted((thing.due, Rank.MEMBER, key) for key, thing in model.items() if thing.due is not None)


@given(STEPS)
def test_a_table_is_a_dictionary_with_indexes_and_timers_in_order(steps: list[tuple[str, Thing | None]]) -> None:
    real, model = table(), dict[str, Thing]()
    fill(steps, real, model)
    assert real.rows == model
    assert real.timers == timers(model)
    for colour in ("red", "blue"):
        assert set(real.keys_by("colour", colour)) == {key for key, thing in model.items() if thing.colour == colour}
    assert set(real.keys_by("colour", None)) == set()


@given(below=STEPS, above=STEPS)
def test_an_overlay_reads_as_if_its_changes_were_applied_and_changes_nothing(
    below: list[tuple[str, Thing | None]], above: list[tuple[str, Thing | None]]
) -> None:
    base, model = table(), dict[str, Thing]()
    fill(below, base, model)
    before, timers_before = dict(base.rows), list(base.timers)
    overlay: Overlay[str, Thing] = Overlay(base)
    for key, thing in above:
        fill([(key, thing)], overlay, model)
        assert overlay.first_timer() == next(iter(timers(model)), None)
        assert {key: overlay.get(key) for key in "abcdef" if overlay.get(key) is not None} == model
    assert sorted(map(repr, overlay.all())) == sorted(map(repr, model.values()))
    for colour in ("red", "blue"):
        assert overlay.by("colour", colour) == [model[key] for key in sorted(model) if model[key].colour == colour]
    assert (base.rows, base.timers) == (before, timers_before)
    for key, row in overlay.changed.items():
        if row is None:
            base.drop(key)
        else:
            base.put(key, row)
    assert (base.rows, base.timers) == (model, timers(model))


@given(STEPS)
def test_timers_are_taken_in_order_of_time_and_key(steps: list[tuple[str, Thing | None]]) -> None:
    base, model = table(), dict[str, Thing]()
    fill(steps, base, model)
    overlay: Overlay[str, Thing] = Overlay(base)
    taken = []
    while (timer := overlay.first_timer()) is not None:
        taken.append(timer)
        overlay.drop(timer[2])
    assert taken == timers(model)


def test_what_is_put_and_dropped_in_one_draft_is_dropped() -> None:
    overlay: Overlay[str, Thing] = Overlay(table())
    overlay.put("a", Thing("red", time(1)))
    overlay.drop("a")
    assert (overlay.get("a"), overlay.by("colour", "red"), overlay.first_timer()) == (None, [], None)
    assert overlay.changed == {"a": None}


def test_dropping_what_is_not_there_is_no_change() -> None:
    overlay: Overlay[str, Thing] = Overlay(table())
    overlay.drop("a")
    assert overlay.changed == {}


class Bag(msgspec.Struct, frozen=True):
    holds: frozenset[str]


@given(st.lists(st.tuples(KEYS, st.one_of(st.none(), st.frozensets(st.sampled_from("xyz")))), max_size=30))
def test_a_row_with_several_values_is_found_under_each_of_them(steps: list[tuple[str, frozenset[str] | None]]) -> None:
    bags: Table[str, Bag] = Table({"holds": lambda bag: bag.holds})
    model: dict[str, Bag] = {}
    for key, holds in steps:
        if holds is None:
            bags.drop(key)
            model.pop(key, None)
        else:
            bags.put(key, Bag(holds))
            model[key] = Bag(holds)
    for value in "xyz":
        assert set(bags.keys_by("holds", value)) == {key for key, bag in model.items() if value in bag.holds}
    for key in list(model):
        bags.drop(key)
    assert not any(bags.keys_by("holds", value) for value in "xyz")


def test_putting_the_very_same_row_is_no_change() -> None:
    base = table()
    row = Thing("red", None)
    base.put("a", row)
    overlay: Overlay[str, Thing] = Overlay(base)
    overlay.put("a", row)
    assert overlay.changed == {}


def pod(uid: str, due: float | None) -> PodState:
    return PodState(
        uid=uid, namespace="shop", name=uid, workload=Workload("shop", "Pod", uid), scope=Scope(kind="Pod"),
        generation=1, due=None if due is None else time(due),
    )  # fmt: skip


def group(name: str, due: float) -> Group:
    return Group(id=name, route="", receiver="ops", labels={}, due=time(due))


def test_of_timers_of_one_instant_the_lower_rank_runs_first() -> None:
    draft = Draft(View())
    draft.groups.put("g", group("g", 5))
    draft.pods.put("p", pod("p", 5))
    assert draft.first_timer(None) == (time(5), Rank.WINDOW, "p")


def test_what_is_overdue_counts_as_due_now_so_that_ranks_hold() -> None:
    draft = Draft(View())
    draft.groups.put("g", group("g", 1))
    draft.pods.put("p", pod("p", 5))
    assert draft.first_timer(None) == (time(1), Rank.GROUP, "g")
    assert draft.first_timer(time(10)) == (time(5), Rank.WINDOW, "p")
    assert draft.first_timer(time(3)) == (time(1), Rank.GROUP, "g")


def test_a_draft_answers_only_what_was_changed() -> None:
    view = View()
    view.pods.put("old", pod("old", 3))
    draft = Draft(view)
    assert not draft.changes().durable
    assert draft.changes().meta is None
    draft.pods.put("new", pod("new", 4))
    draft.meta = Meta(now=time(1))
    changes = draft.changes()
    assert not changes.durable, "pods and the time alone are not stored"
    assert set(changes.pods) == {"new"}
    draft.groups.put("g", group("g", 9))
    assert draft.changes().durable
    view.apply(draft.changes())
    assert (view.meta.now, view.next_due()) == (time(1), time(3))
    again = Draft(view)
    again.pods.drop("old")
    again.pods.put("new", pod("new", None))
    view.apply(again.changes())
    assert (set(view.pods.rows), view.next_due()) == ({"new"}, time(9))


def test_a_view_without_timers_wants_nothing() -> None:
    assert View().next_due() is None
