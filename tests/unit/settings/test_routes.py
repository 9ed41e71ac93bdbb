"""Alertmanager's route tree and inhibition rules, and the ones that ship with Watcher."""

from datetime import timedelta

import pytest

from tests.unit.settings.conftest import RECEIVER, Home
from watcher.lib.matchers import Matcher, MatcherOp
from watcher.settings.load import load
from watcher.settings.shippedroutes import shipped_inhibitions, shipped_route

MINUTE = timedelta(minutes=1)
THREE = "receivers: [{name: a}, {name: b}, {name: c}]\n"


def match(home: Home, route: str, **labels: str) -> list[tuple[str, str]]:
    """(receiver, id) of each route that takes the labels."""
    return [(found.receiver, found.id) for found in home.load(THREE + route).route.match(labels)]


# -- the shipped ones --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "receiver", "group_by"),
    [
        pytest.param(
            {"alertname": "X", "namespace": "shop", "workload": "api", "severity": "warning"},
            "ops",
            ("cluster", "namespace", "workload_kind", "workload"),
            id="pods by workload",
        ),
        pytest.param({"alertname": "X", "node": "n1"}, "ops", ("cluster", "alertname"), id="nodes by alert"),
        pytest.param(
            {"alertname": "X", "namespace": "shop", "claim": "data"},
            "ops",
            ("cluster", "namespace", "claim"),
            id="claims by themselves",
        ),
        pytest.param(
            {"alertname": "X", "namespace": "shop", "severity": "info"},
            "",
            ("cluster", "namespace", "workload_kind", "workload"),
            id="info to nobody",
        ),
    ],
)
def test_without_a_route_the_shipped_ones_apply(
    home: Home, labels: dict[str, str], receiver: str, group_by: tuple[str, ...]
) -> None:
    route = home.load(RECEIVER).route
    (found,) = route.match(labels)
    assert (found.receiver, found.group_by) == (receiver, group_by)
    assert (found.group_wait, found.group_interval, found.repeat_interval) == (
        timedelta(seconds=10),
        5 * MINUTE,
        720 * MINUTE,
    )


def test_the_keys_of_the_shipped_routes_are_alertmanagers() -> None:
    keys = [route.key for route in shipped_route("ops").walk()]
    assert keys == ["{}", '{}/{severity="info"}', '{}/{namespace="",node!=""}', '{}/{claim!=""}']


def test_the_receiver_called_default_takes_everything_where_no_route_says_more(home: Home) -> None:
    settings = home.load("receivers: [{name: a}, {name: default}]")
    assert settings.route.receiver == "default"
    assert [problem.message for problem in settings.warnings] == ["no route uses the receiver a: write a route"]


def test_several_receivers_without_a_route_are_an_error(home: Home) -> None:
    assert home.problems("receivers: [{name: a}, {name: b}]") == [
        "1:1: there are 2 receivers and none is called default: write a route that says who hears what"
    ]


def test_the_shipped_inhibitions_come_first_and_know_worse_from_milder(home: Home) -> None:
    settings = home.load(RECEIVER + "inhibit_rules: [{source_matchers: [a=b], target_matchers: [c=d]}]")
    assert settings.inhibit_rules[:-1] == shipped_inhibitions()
    assert settings.inhibit_rules[-1].name == ""
    base = {"namespace": "shop", "workload_kind": "Deployment", "workload": "api"}
    loop = {**base, "alertname": "ContainerCrashLooping", "container": "app", "severity": "warning"}
    often = {**base, "alertname": "ContainerRestartingOften", "container": "app", "severity": "warning"}
    down = {**base, "alertname": "WorkloadDown", "severity": "critical"}
    rules = shipped_inhibitions()
    assert any(rule.inhibits(loop, often) for rule in rules)
    assert not any(rule.inhibits(often, loop) for rule in rules)
    assert not any(rule.inhibits(loop, {**often, "container": "proxy"}) for rule in rules)
    assert any(rule.inhibits(down, loop) for rule in rules)
    assert not any(rule.inhibits(loop, down) for rule in rules)
    assert not any(rule.inhibits(down, {**loop, "workload": "web"}) for rule in rules)
    posted = {"alertname": "ContainerRestartingOften", "container": "app"}
    assert not any(rule.inhibits({"alertname": "ContainerCrashLooping", "container": "app"}, posted) for rule in rules)


# -- the configuration's own -------------------------------------------------------------------------------------


def test_the_first_route_has_alertmanagers_defaults(home: Home) -> None:
    route = home.load(RECEIVER + "route: {receiver: ops}").route
    assert (route.id, route.key, route.receiver, route.group_by) == ("", "{}", "ops", ())
    assert (route.group_wait, route.group_interval, route.repeat_interval) == (
        timedelta(seconds=30),
        5 * MINUTE,
        240 * MINUTE,
    )


def test_children_inherit_all_but_matchers_and_continue(home: Home) -> None:
    text = """route:
  receiver: a
  group_by: [x, y]
  group_wait: 1s
  group_interval: 2m
  repeat_interval: 4m
  routes:
  - matchers: [s="1", 'r=~"v|w"']
    receiver: b
    continue: true
    routes: [{match: {q: z}, group_by: [], repeat_interval: 6m}]
  - match_re: {p: "o.*"}
    group_by: ['...']
"""
    route = home.load("receivers: [{name: a}, {name: b}]\n" + text).route
    first, second = route.routes
    (inner,) = first.routes
    assert [each.id for each in route.walk()] == ["", "0", "0/0", "1"]
    assert [each.receiver for each in route.walk()] == ["a", "b", "b", "a"]
    assert [each.group_by for each in route.walk()] == [("x", "y"), ("x", "y"), (), None]
    assert [each.repeat_interval for each in route.walk()] == [4 * MINUTE, 4 * MINUTE, 6 * MINUTE, 4 * MINUTE]
    assert [each.group_wait for each in route.walk()] == [timedelta(seconds=1)] * 4
    assert [each.continue_ for each in route.walk()] == [False, True, False, False]
    assert first.matchers == (
        Matcher(name="r", op=MatcherOp.REGEX, value="v|w"),
        Matcher(name="s", op=MatcherOp.EQUAL, value="1"),
    )
    assert inner.key == '{}/{r=~"v|w",s="1"}/{q="z"}'
    assert second.key == '{}/{p=~"o.*"}'


def test_a_tree_is_walked_as_alertmanager_walks_it(home: Home) -> None:
    text = (
        "route: {receiver: a, routes: [{matchers: [x=1], receiver: b, continue: true}, {matchers: [y=1], receiver: c}]}"
    )
    assert match(home, text, x="1") == [("b", "0")]
    assert match(home, text, x="1", y="1") == [("b", "0"), ("c", "1")]
    assert match(home, text, z="1") == [("a", "")]


def test_values_without_quotes_are_what_their_author_wrote(home: Home) -> None:
    text = """route: {receiver: ops, routes: [{match: {code: 500, on: True, v: 1.10}, match_re: {n: 5}}]}
inhibit_rules: [{source_match: {a: 1}, target_match_re: {b: 2}}]
"""
    settings = home.load(RECEIVER + text)
    assert list(map(str, settings.route.routes[0].matchers)) == ['code="500"', 'n=~"5"', 'on="True"', 'v="1.10"']
    rule = settings.inhibit_rules[-1]
    assert [*map(str, rule.source), *map(str, rule.target)] == ['a="1"', 'b=~"2"']


def test_inhibition_rules_are_read_in_both_spellings(home: Home) -> None:
    text = """inhibit_rules:
- name: mine
  source_matchers: [a="b"]
  source_match: {c: d}
  target_matchers: ['e!="f"']
  target_match_re: {g: "h.*"}
  equal: [cluster]
"""
    rule = home.load(RECEIVER + text).inhibit_rules[-1]
    assert rule.name == "mine"
    assert list(map(str, rule.source)) == ['a="b"', 'c="d"']
    assert list(map(str, rule.target)) == ['e!="f"', 'g=~"h.*"']
    assert rule.equal == ("cluster",)


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        pytest.param(
            "{}", "2:8: the first route needs a receiver: it takes what no other route takes", id="no receiver"
        ),
        pytest.param("{receiver: opps}", "2:19: there is no receiver opps; did you mean ops?", id="unknown receiver"),
        pytest.param(
            "{receiver: ops, matchers: [a=b]}", "2:24: the first route takes everything: remove matchers", id="matchers"
        ),
        pytest.param(
            "{receiver: ops, continue: true}", "2:24: the first route takes everything: remove continue", id="continue"
        ),
        pytest.param(
            "{receiver: ops, group_bye: []}", "2:24: unknown key group_bye; did you mean group_by?", id="unknown key"
        ),
        pytest.param("{receiver: ops, group_by: [a, a]}", "2:38: a is in group_by twice", id="group_by twice"),
        pytest.param(
            "{receiver: ops, group_by: ['...', a]}",
            "2:34: '...' means all labels: no other can stand beside it",
            id="all and another",
        ),
        pytest.param(
            "{receiver: ops, group_interval: 0s}", "2:40: group_interval must be more than 0s", id="no interval"
        ),
        pytest.param(
            "{receiver: ops, repeat_interval: 0s}", "2:41: repeat_interval must be more than 0s", id="no repeat"
        ),
        pytest.param(
            "{receiver: ops, group_wait: soon}",
            "2:36: 'soon' is not a duration: write whole numbers with y, w, d, h, m, s or ms, such as 90s, 5m or 1h30m",
            id="duration",
        ),
        pytest.param(
            "{receiver: ops, routes: [{matchers: ['a=~\"[\"']}]}",
            "2:45: error parsing regexp: missing closing ]: `[)$`",
            id="bad regex in a matcher",
        ),
        pytest.param(
            "{receiver: ops, routes: [{match_re: {a: '('}}]}",
            "2:48: error parsing regexp: missing closing ): `^(?:()$`",
            id="bad regex in match_re",
        ),
        pytest.param("{receiver: ops, routes: [{matchers: [foo]}]}", "2:45: bad matcher format: foo", id="no matcher"),
        pytest.param(
            "{receiver: ops, routes: [{matchers: a=b}]}",
            "2:44: matchers must be a list, not text",
            id="matchers as text",
        ),
        pytest.param(
            "{receiver: ops, routes: [{match: {a: [b]}}]}", "2:45: a must be text, not a list", id="a list to match"
        ),
        pytest.param("{receiver: ops, routes: [x]}", "2:33: routes[0] must be a mapping, not text", id="no mapping"),
        pytest.param(
            "{receiver: ops, routes: [{matchers: [a=b], mute_time_intervals: [night]}]}",
            "2:73: there is no time interval night",
            id="unknown time interval",
        ),
    ],
)
def test_what_is_wrong_with_a_route_is_said_with_its_place(home: Home, route: str, expected: str) -> None:
    found = [each for each in home.problems(f"{RECEIVER}route: {route}") if "warning" not in each]
    assert len(found) == 1
    assert found[0] == expected or (expected.endswith("1h30m") and found[0].startswith(expected[:30]))


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        pytest.param(
            "{receiver: ops, labels: {reason: x}}",
            "2:24: warning: labels of a route are not used: Watcher's templates have none",
            id="labels",
        ),
        pytest.param(
            "{receiver: ops, repeat_interval: 7m}",
            "2:41: warning: a repeat_interval of 7m cannot be kept with a group_interval of 5m: it will be 10m",
            id="no multiple",
        ),
        pytest.param(
            "{receiver: ops, repeat_interval: 1m}",
            "2:41: warning: a repeat_interval of 1m cannot be kept with a group_interval of 5m: it will be 5m",
            id="below the interval",
        ),
        pytest.param(
            "{receiver: ops, group_interval: 7h}",
            "2:40: warning: a repeat_interval of 4h cannot be kept with a group_interval of 7h: it will be 7h",
            id="interval above the default",
        ),
        pytest.param(
            "{receiver: ops, routes: [{matchers: [a=b]}, {matchers: [a=b, c=d]}]}",
            '2:52: warning: this route can never match: route 1 before it takes all of {a="b"}',
            id="taken by the route before it",
        ),
        pytest.param(
            "{receiver: ops, routes: [{}, {matchers: [a=b]}]}",
            "2:37: warning: this route can never match: route 1 before it takes everything",
            id="behind a route that takes everything",
        ),
        pytest.param(
            "{receiver: ops, routes: [{matchers: [a=b], routes: [{matchers: [a=c]}]}]}",
            "2:60: warning: this route can never match: a cannot have two values",
            id="against its parent",
        ),
    ],
)
def test_what_cannot_work_is_a_warning(home: Home, route: str, expected: str) -> None:
    assert home.problems(f"{RECEIVER}route: {route}") == [expected]


@pytest.mark.parametrize(
    "route",
    [
        pytest.param("{receiver: ops, routes: [{matchers: [a=b], continue: true}, {matchers: [a=b]}]}", id="continue"),
        pytest.param(
            "{receiver: ops, routes: [{matchers: [a=b, c=d]}, {matchers: [a=b]}]}", id="narrower before wider"
        ),
        pytest.param("{receiver: ops, repeat_interval: 10m}", id="a multiple"),
    ],
)
def test_what_works_is_no_warning(home: Home, route: str) -> None:
    assert home.problems(f"{RECEIVER}route: {route}") == []


def test_a_route_whose_matchers_have_errors_takes_nothing_for_granted(home: Home) -> None:
    found = home.problems(RECEIVER + "route: {receiver: ops, routes: [{matchers: [foo]}, {matchers: [a=b]}]}")
    assert found == ["2:45: bad matcher format: foo"]


def test_a_receiver_that_no_route_uses_is_a_warning(home: Home) -> None:
    found = home.problems("receivers: [{name: a}, {name: b}]\nroute: {receiver: a}")
    assert found == ["1:31: warning: no route uses the receiver b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("inhibit_rules: x", "2:16: inhibit_rules must be a list", id="inhibitions"),
        pytest.param(
            "inhibit_rules: [{source_matcher: [a=b]}]",
            "2:18: unknown key source_matcher; did you mean source_matchers?",
            id="unknown key of an inhibition",
        ),
        pytest.param("inhibit_rules: [{source_matchers: [foo]}]", "2:36: bad matcher format: foo", id="bad matcher"),
    ],
)
def test_what_is_wrong_with_other_keys_is_said_with_its_place(home: Home, text: str, expected: str) -> None:
    assert expected in home.problems(RECEIVER + text)


def test_a_configuration_may_be_missing() -> None:
    assert load(None, None, {}).route == shipped_route("default")
