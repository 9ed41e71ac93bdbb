"""Rule tests as people write them, read into observations and expectations."""

from datetime import datetime, timedelta
from textwrap import dedent
from typing import Any

import pytest

from watcher.lib.yamlpos import load
from watcher.model.kube import ObjectMeta, Pod
from watcher.model.observations import EventType, Listing, PodSeen, Synced
from watcher.rules.testfile import (
    Expectation,
    Expected,
    RuleTest,
    Sent,
    mismatches,
    parse_tests,
)
from watcher.rules.testinputs import ReadObject, inputs
from watcher.rules.testpod import START


def time(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def parsed(text: str) -> tuple[tuple[RuleTest, ...], list[str]]:
    tests, problems = parse_tests(load(dedent(text).lstrip("\n"), "t.yaml"))
    return tests, [str(problem) for problem in problems]


def one(observations: str) -> RuleTest:
    """A test with these observations."""
    tests, problems = parsed(
        f"""
        rule_files: [../pods.yaml]
        tests:
          - name: a test
            reason: because
            observations: {observations}
            expect: [{{at: 10m, firing: []}}]
        """
    )
    assert problems == []
    return tests[0]


def no_file(name: str, item: Any) -> Pod:
    raise AssertionError(f"{name} {item} is not to be read")


def pods(observations: str, read: ReadObject = no_file) -> list[Pod]:
    return [each.pod for each in inputs(one(observations), read) if isinstance(each, PodSeen)]


# -- the file ----------------------------------------------------------------------------------------------------


def test_a_test_has_what_its_file_says() -> None:
    tests, problems = parsed(
        """
        rule_files: [../pods.yaml, ../memory.yaml]
        tests:
          - name: a container that exits once and recovers is no alert
            reason: it recovered
            observations:
              - {at: 0s, pod: {name: web-1, owner: Deployment/web, containers: {app: {running: true, ready: true}}}}
              - {at: 30s, deleted: web-1}
            expect:
              - at: 10m
                firing: [A, {alert: B, namespace: shop, workload: web, container: app, members: 3}]
                notified: [A, {alert: B, status: resolved, reason: recovered}]
        """
    )
    assert problems == []
    (test,) = tests
    assert (test.name, test.reason) == ("a container that exits once and recovers is no alert", "it recovered")
    assert test.rule_files == ("../pods.yaml", "../memory.yaml")
    assert test.expectations == (
        Expectation(
            at=time(600),
            firing=(
                Expected(alert="A"),
                Expected(alert="B", namespace="shop", workload="web", container="app", members=3),
            ),
            notified=(Sent(alert="A"), Sent(alert="B", status="resolved", reason="recovered")),
        ),
    )
    assert [each.at for each in test.observations] == [time(0), time(30)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param("foo: 1", "t.yaml:1:1: unknown key foo: known are rule_files, tests", id="unknown key"),
        pytest.param("tests: []", "t.yaml:1:1: rule_files is missing", id="no rules"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(lines: str, expected: str) -> None:
    assert expected in parsed(lines)[1]


def case(observation: str, expect: str = "{at: 10m, firing: []}") -> str:
    return f"rule_files: [x.yaml]\ntests:\n- name: a\n  observations:\n  - {observation}\n  expect:\n  - {expect}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            case("{at: 0s, pod: {name: a, contaners: {}}}"),
            "t.yaml:5:29: unknown key contaners; did you mean containers?",
            id="unknown key of a pod",
        ),
        pytest.param(
            case("{at: 0s, pod: {name: a, containers: {app: {terminated: {exit_code: 1}}}}}"),
            "t.yaml:5:61: unknown key exit_code; did you mean exitCode?",
            id="unknown key of a termination",
        ),
        pytest.param(case("{at: 0s, pod: {}}"), "t.yaml:5:19: name is missing", id="pod without a name"),
        pytest.param(
            case("{at: 0s, pod: {name: a, owner: web}}"),
            "t.yaml:5:36: owner must be Kind/name, such as Deployment/web",
            id="owner",
        ),
        pytest.param(
            case("{at: 0s, pod: {name: a, created: soon}}"),
            "t.yaml:5:38: created must be an offset such as 30s or -2h, or a time such as 2026-01-01T10:00:00Z",
            id="time",
        ),
        pytest.param(
            case("{at: 3, deleted: a}"),
            "t.yaml:5:10: duration '3' has no unit: write 3s for seconds, 3m for minutes",
            id="offset",
        ),
        pytest.param(
            case("{at: 0s}"),
            "t.yaml:5:5: an observation has one of pod, claim, node, namespace, event, sample, stream, file and "
            "deleted",
            id="empty observation",
        ),
        pytest.param(
            case("{at: 0s, deleted: web}"),
            "t.yaml:5:23: there is no pod default/web before this: nothing to delete",
            id="deleted before it was there",
        ),
        pytest.param(
            case("{at: 0s, pod: {name: a}}\n  - {at: 1s, first_sight: true, pod: {name: b}}"),
            "t.yaml:6:27: what is there at first sight comes first, and is there",
            id="first sight later",
        ),
        pytest.param(
            case("{at: 9s, pod: {name: a}}\n  - {at: 1s, pod: {name: b}}"),
            "t.yaml:6:10: time does not go back: put this one earlier",
            id="time goes back",
        ),
        pytest.param(
            case("{at: 0s, pod: {metadata: {name: a, labels: 3}}}"),
            "t.yaml:5:19: this is no pod: Expected `object | null`, got `int` - at `$.metadata.labels`",
            id="Kubernetes object",
        ),
        pytest.param(
            case("{at: 0s, pod: {name: a}}", "{at: 1s, firing: [{alrt: A}]}"),
            "t.yaml:7:24: unknown key alrt; did you mean alert?",
            id="expectation",
        ),
        pytest.param(
            case("{at: 0s, file: x.json, item: true}"),
            "t.yaml:5:34: item must be the object's number in its list, from 0, or its name",
            id="item",
        ),
        pytest.param(
            case("{at: 0s, pod: {name: a}}").replace("- name: a\n", "- name: a\n  observation: []\n"),
            "t.yaml:4:3: unknown key observation; did you mean observations?",
            id="unknown key of a test",
        ),
        pytest.param(
            case("{at: 0s, pod: {name: a}}") + case("{at: 0s, pod: {name: a}}").split("tests:\n")[1],
            "t.yaml:8:9: another test has this name already",
            id="name twice",
        ),
    ],
)
def test_what_is_wrong_with_a_test_is_said_with_its_place(text: str, expected: str) -> None:
    assert expected in parsed(text)[1]


# -- the time line -----------------------------------------------------------------------------------------------


def test_without_first_sight_the_cluster_is_empty_at_the_start() -> None:
    found = inputs(one("[{at: 5s, pod: {name: a}}, {at: 9s, pod: {name: a}}, {at: 10s, deleted: a}]"), no_file)
    assert [type(each) for each in found] == [Listing, Synced, PodSeen, PodSeen, PodSeen]
    assert [each.at for each in found] == [START, START, time(5), time(9), time(10)]
    events = [each.event for each in found if isinstance(each, PodSeen)]
    assert events == [EventType.ADDED, EventType.MODIFIED, EventType.DELETED]


def test_what_is_there_at_first_sight_is_listed() -> None:
    found = inputs(
        one("[{at: 1s, first_sight: true, pod: {name: a}}, {at: 2s, first_sight: true, pod: {name: b}}]"), no_file
    )
    assert [type(each) for each in found] == [Listing, PodSeen, PodSeen, Synced]
    assert [each.at for each in found] == [time(1), time(1), time(2), time(2)]
    assert {each.event for each in found if isinstance(each, PodSeen)} == {EventType.LISTED}


def test_a_pod_of_the_same_name_and_another_uid_is_added() -> None:
    found = inputs(one("[{at: 0s, pod: {name: a, uid: x}}, {at: 1s, pod: {name: a, uid: y}}]"), no_file)
    assert [each.event for each in found if isinstance(each, PodSeen)] == [EventType.ADDED, EventType.ADDED]


def test_a_pod_out_of_a_file_is_asked_for() -> None:
    asked = []

    def read(file: str, item: int | str | None) -> Pod:
        asked.append((file, item))
        return Pod(metadata=ObjectMeta(name="x", namespace="shop", uid="u"))

    found = pods("[{at: 0s, file: pods.json, item: 3}, {at: 1s, deleted: shop/x}]", read)
    assert asked == [("pods.json", 3)]
    assert [each.metadata.name for each in found] == ["x", "x"]


def test_deleting_what_a_file_did_not_hold_is_an_error() -> None:
    test = one("[{at: 0s, file: pods.json}, {at: 1s, deleted: shop/y}]")
    with pytest.raises(LookupError, match="there is no pod shop/y to delete"):
        inputs(test, lambda file, item: Pod(metadata=ObjectMeta(name="x", namespace="shop")))


# -- what fired --------------------------------------------------------------------------------------------------

FIRING = [
    Expected(alert="A", namespace="shop", workload="web", container="app", members=2),
    Expected(alert="A", namespace="shop", workload="api", container="app", members=1),
]


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        pytest.param([{"alert": "A"}, {"alert": "A"}], (), id="by name"),
        pytest.param([{"alert": "A"}, {"alert": "A", "workload": "web"}], (), id="the closer one first"),
        pytest.param(
            [{"alert": "A", "workload": "web", "members": 3}, {"alert": "A"}],
            (
                "A (workload web, members 3) does not fire",
                "A (namespace shop, workload api, container app, members 1) fires, which is not expected",
            ),
            id="members differ",
        ),
        pytest.param(
            [{"alert": "B"}, {"alert": "A"}, {"alert": "A"}], ("B does not fire",), id="one that does not fire"
        ),
    ],
)
def test_mismatches_name_what_is_missing_and_what_is_too_much(
    expected: list[dict[str, Any]], found: tuple[str, ...]
) -> None:
    expectation = Expectation(at=START, firing=tuple(Expected(**each) for each in expected))
    assert mismatches(expectation, FIRING) == found
