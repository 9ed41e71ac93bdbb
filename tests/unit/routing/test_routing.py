"""Routes, inhibition and the grid of times, as Alertmanager has them (alertmanager-facts, section 1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.timeline import START, time
from watcher.lib.matchers import parse_matchers
from watcher.model.identity import AlertKey, Workload
from watcher.model.signals import CrashLooping
from watcher.model.state import Alert, AlertState
from watcher.routing.inhibition import InhibitRule, rule_at, sides
from watcher.routing.route import Route, group_labels
from watcher.routing.timing import group_id, next_tick


def node(receiver: str, matchers: str = "", *children: Route, **fields: Any) -> Route:
    return Route(
        id=receiver,
        receiver=receiver,
        matchers=parse_matchers(matchers) if matchers else (),
        routes=children,
        **fields,
    )


TREE = node(
    "root",
    "",
    node("all", 'team=~"a|b"', continue_=True),
    node("a", 'team="a"', node("a-critical", 'severity="critical"'), node("a-db", 'app="db"')),
    node("late-a", 'team="a"'),
    node("none", 'team=""', continue_=True),
)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"team": "c"}, ["root"]),
        ({"team": "b"}, ["all"]),
        ({"team": "a"}, ["all", "a"]),
        ({"team": "a", "severity": "critical", "app": "db"}, ["all", "a-critical"]),
        ({"team": "a", "app": "db"}, ["all", "a-db"]),
        ({}, ["none"]),
    ],
    ids=["no child", "continue to no other", "continue", "first grandchild", "second grandchild", "missing label"],
)
def test_an_alert_takes_the_first_child_and_goes_on_where_that_says_so(
    labels: dict[str, str], receivers: list[str]
) -> None:
    assert [route.receiver for route in TREE.match(labels)] == receivers


def test_walking_gives_every_node_parents_first() -> None:
    assert [route.receiver for route in TREE.walk()] == ["root", "all", "a", "a-critical", "a-db", "late-a", "none"]


def test_a_group_has_the_labels_that_its_route_groups_by_and_the_alert_has() -> None:
    labels = {"b": "2", "a": "1", "x": "3"}
    assert group_labels(node("r", group_by=("b", "missing")), labels) == {"b": "2"}
    assert group_labels(node("r", group_by=()), labels) == {}
    everything = group_labels(node("r", group_by=None), labels)
    assert list(everything.items()) == [("a", "1"), ("b", "2"), ("x", "3")]


def test_a_group_id_tells_routes_receivers_and_labels_apart() -> None:
    ids = {
        group_id("r", "0", {"a": "1"}),
        group_id("r", "1", {"a": "1"}),
        group_id("s", "0", {"a": "1"}),
        group_id("r", "0", {"a": "2"}),
        group_id("r", "0", {"a": "1', b='2"}),
        group_id("r", "0", {"a": "1", "b": "2"}),
        group_id("r", "", {}),
    }
    assert len(ids) == 7
    assert group_id("r", "0", {"b": "2", "a": "1"}) == group_id("r", "0", {"a": "1", "b": "2"})


# --- inhibition


def alert(name: str, **labels: str) -> Alert:
    return Alert(
        key=AlertKey(alertname=name),
        workload=Workload("shop", "Deployment", "web"),
        state=AlertState.FIRING,
        labels={"alertname": name, **labels},
        annotations={},
        fingerprint=name,
        starts_at=START,
        since=START,
        lead=CrashLooping(since=START),
    )


def rule(source: str, target: str, *equal: str) -> InhibitRule:
    return InhibitRule(source=parse_matchers(source), target=parse_matchers(target), equal=equal)


CRITICAL = rule('severity="critical"', 'severity="warning"', "namespace", "zone")


@pytest.mark.parametrize(
    ("source", "target", "held"),
    [
        ({"severity": "critical", "namespace": "a"}, {"severity": "warning", "namespace": "a"}, True),
        ({"severity": "critical", "namespace": "a"}, {"severity": "warning", "namespace": "b"}, False),
        ({"severity": "critical"}, {"severity": "warning"}, True),
        ({"severity": "critical", "namespace": ""}, {"severity": "warning"}, True),
        ({"severity": "critical", "namespace": "a"}, {"severity": "warning"}, False),
        ({"severity": "info"}, {"severity": "warning"}, False),
        ({"severity": "critical"}, {"severity": "critical"}, False),
    ],
    ids=["equal", "another value", "missing on both", "empty is missing", "missing on one", "no source", "no target"],
)
def test_a_target_is_held_where_all_equal_labels_have_the_same_value(
    source: dict[str, str], target: dict[str, str], held: bool
) -> None:
    assert CRITICAL.inhibits(source, target) is held


def test_what_matches_both_sides_is_not_held_by_what_matches_both_sides() -> None:
    both = rule('kind=~".+"', 'kind=~".+"')
    assert not both.inhibits({"kind": "a"}, {"kind": "b"})
    one_sided = rule('kind=~".+"', 'kind="b"')
    assert one_sided.inhibits({"kind": "a"}, {"kind": "b"})
    assert not one_sided.inhibits({"kind": "b"}, {"kind": "b"})


def test_an_alert_can_be_held_only_by_one_that_stands_where_it_is_a_target() -> None:
    rules = [CRITICAL, rule('kind="a"', 'severity="warning"')]
    worse = sides(rules, {"severity": "critical", "namespace": "shop", "kind": "a"})
    milder = sides(rules, {"severity": "warning", "namespace": "shop"})
    elsewhere = sides(rules, {"severity": "warning", "namespace": "tools"})
    assert len(worse.sources) == 2
    assert set(milder.targets) == set(worse.sources)
    assert set(elsewhere.targets) & set(worse.sources) == {worse.sources[1]}, "the rule without equal labels"
    assert [rule_at(rules, place) for place in milder.targets] == rules
    assert rule_at(rules[:1], milder.targets[1]) is None


# --- times


@pytest.mark.parametrize(
    ("now", "due"), [(0, 300), (1, 300), (299.999, 300), (300, 600), (301, 600), (-1, 0), (90000, 90300)]
)
def test_the_next_tick_is_the_first_point_of_the_grid_after_now(now: float, due: float) -> None:
    assert next_tick(START, timedelta(minutes=5), time(now)) == time(due)


@given(
    interval=st.timedeltas(timedelta(microseconds=1), timedelta(days=400)),
    passed=st.timedeltas(timedelta(), timedelta(days=4000)),
)
def test_the_next_tick_lies_ahead_by_at_most_one_interval(interval: timedelta, passed: timedelta) -> None:
    now = START + passed
    due = next_tick(START, interval, now)
    assert now < due <= now + interval
    assert (due - START) % interval == timedelta()
