"""kwatch's filters and thresholds: what its configuration hid stays hidden, and nothing else is.

Routes are asked who hears of an alert; imported rules are run against clusters, as `watcher test` does it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from watcher.lib.yamlpos import load as load_yaml
from watcher.replay.ruletests import run_files
from watcher.rules.compile import compile_rules
from watcher.settings.kwatch import Imported, import_kwatch
from watcher.settings.kwatchreasons import (
    DOWN,
    NODE_ALERTS,
    POD_ALERTS,
    alerts_of,
    hidden_by_allowing,
    hidden_by_forbidding,
    severities_of,
)
from watcher.settings.kwatchwriter import write
from watcher.settings.load import load
from watcher.settings.shipped import directory

ALERT = {"alert": {"slack": {"webhook": "https://hooks.slack.com/services/x"}}}
TWO = {
    "slack": {"webhook": "https://hooks.slack.com/services/x"},
    "discord": {"webhook": "https://discord.com/api/webhooks/1/x"},
}


def imported(config: dict[str, Any]) -> Imported:
    return import_kwatch(json.dumps({**ALERT, **config}), "kwatch.yaml", "out.yaml", "rules.yaml")


def hears(result: Imported, home: Path, **labels: str) -> list[str]:
    """The receivers with integrations that are told of an alert with these labels."""
    (home / "out.yaml").write_text(result.text, encoding="utf-8")
    (home / "rules.yaml").write_text(result.rules or "groups: []\n", encoding="utf-8")
    settings = load(home / "out.yaml", None, {})
    telling = {each.name for each in settings.receivers if each.integrations}
    alert = {"severity": "warning", **labels}
    return sorted({route.receiver for route in settings.route.match(alert)} & telling)


# -- routes ------------------------------------------------------------------------------------------------------


CRASH = {"alertname": "ContainerCrashLooping", "namespace": "shop", "container": "app"}


@pytest.mark.parametrize(
    ("config", "labels", "told"),
    [
        pytest.param({}, CRASH, True, id="no filter"),
        pytest.param({}, {**CRASH, "severity": "info"}, False, id="info is for nobody"),
        pytest.param({"reasons": ["CrashLoopBackOff"]}, CRASH, True, id="an allowed reason"),
        pytest.param({"reasons": ["OOMKilled"]}, CRASH, False, id="another reason is allowed"),
        pytest.param({"reasons": ["OOMKilled"]}, {"alertname": "ContainerOOMKilled"}, True, id="that reason"),
        pytest.param({"reasons": ["OOMKilled"]}, {"alertname": "WorkloadDown"}, False, id="down for another reason"),
        pytest.param({"reasons": ["CrashLoopBackOff"]}, {"alertname": "WorkloadDown"}, True, id="down by crashes"),
        pytest.param({"reasons": ["OOMKilled"]}, {"alertname": "VolumeFillingUp"}, True, id="volumes are no reason"),
        pytest.param({"reasons": ["OOMKilled"]}, {"alertname": "NodeNotReady"}, True, id="nodes are no reason"),
        pytest.param({"reasons": ["OOMKilled"]}, {"alertname": "WatcherBlind"}, True, id="Watcher's own"),
        pytest.param({"reasons": ["!CrashLoopBackOff"]}, CRASH, False, id="a forbidden reason"),
        pytest.param({"reasons": ["!OOMKilled"]}, CRASH, True, id="another reason is forbidden"),
        pytest.param({"ignoreContainerNames": ["app"]}, CRASH, False, id="a container"),
        pytest.param({"ignoreContainerNames": ["ap", "a.p"]}, CRASH, True, id="names are no patterns"),
        pytest.param(
            {"ignoreContainerNames": ["x", "a.p"]}, {**CRASH, "container": "a.p"}, False, id="a name with a dot"
        ),
        pytest.param({"silences": [{"namespaces": ["shop"]}]}, CRASH, False, id="a namespace is silenced"),
        pytest.param({"silences": [{"namespaces": ["sho", "s.op"]}]}, CRASH, True, id="other namespaces are"),
        pytest.param(
            {"silences": [{"namespaces": ["shop"], "reasons": ["OOMKilled"]}]}, CRASH, True, id="all conditions count"
        ),
        pytest.param(
            {"silences": [{"namespaces": ["shop"], "reasons": ["CrashLoopBackOff"], "containerNames": ["app"]}]},
            CRASH,
            False,
            id="all conditions hold",
        ),
        pytest.param({"silences": [{}]}, CRASH, True, id="a silence of nothing"),
        pytest.param(
            {"nodeMonitor": {"enabled": False}}, {"alertname": "NodeNotReady", "node": "n"}, False, id="no nodes"
        ),
        pytest.param({"nodeMonitor": {"enabled": True}}, {"alertname": "NodeNotReady", "node": "n"}, True, id="nodes"),
        pytest.param(
            {"pendingPodMonitor": {"enabled": False}}, {"alertname": "PodPending"}, False, id="no waiting pods"
        ),
        pytest.param({"notReadyMonitor": {"enabled": False}}, {"alertname": "PodNotReady"}, False, id="not ready"),
    ],
)
def test_who_hears_of_an_alert(tmp_path: Path, config: dict[str, Any], labels: dict[str, str], told: bool) -> None:
    assert hears(imported(config), tmp_path, **labels) == (["default"] if told else [])


ROUTES = [{"namespaces": ["prod"], "severities": ["critical"]}, {"reasons": ["OOMKilled"]}, {}]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({**CRASH}, ["default"], id="what no route takes"),
        pytest.param({**CRASH, "namespace": "prod"}, ["default"], id="half of a route"),
        pytest.param({**CRASH, "namespace": "prod", "severity": "critical"}, ["default", "discord"], id="a route"),
        pytest.param(
            {"alertname": "ContainerOOMKilled", "namespace": "x"}, ["default", "discord"], id="the other route"
        ),
        pytest.param(
            {"alertname": "WatcherCannotDeliver", "severity": "critical"}, ["default", "discord"], id="Watcher's"
        ),
        pytest.param({**CRASH, "severity": "info"}, [], id="info"),
    ],
)
def test_a_provider_with_routes_hears_what_one_of_them_takes(
    tmp_path: Path, labels: dict[str, str], expected: list[str]
) -> None:
    result = imported({"alert": {**TWO, "discord": {**TWO["discord"], "routes": ROUTES}}})
    assert hears(result, tmp_path, **labels) == expected
    assert result.left == ()


def test_nobody_hears_twice_of_what_two_routes_take(tmp_path: Path) -> None:
    routes = [{"namespaces": ["prod"]}, {"severities": ["critical"]}]
    result = imported({"alert": {"discord": {**TWO["discord"], "routes": routes}}})
    (tmp_path / "out.yaml").write_text(result.text, encoding="utf-8")
    found = load(tmp_path / "out.yaml", None, {}).route.match({"namespace": "prod", "severity": "critical"})
    assert [route.receiver for route in found] == ["discord"]


def test_who_asks_for_info_hears_it_and_nobody_else(tmp_path: Path) -> None:
    result = imported({"alert": {**TWO, "discord": {**TWO["discord"], "routes": [{"severities": ["normal"]}]}}})
    assert hears(result, tmp_path, alertname="ClaimUnmounted", severity="info") == ["discord"]


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        pytest.param([{"owners": ["team"]}], "owners is not known here", id="owners"),
        pytest.param([{"severities": ["urgent"]}], "Watcher has no severity for urgent", id="a severity"),
        pytest.param([{"reasons": ["Foo"]}], "Watcher has no alertname for Foo", id="a reason"),
        pytest.param(
            [{"namespaces": ["a"], "team": ["b"]}], "kwatch knows no key alert.discord.routes[0].team", id="a key"
        ),
    ],
)
def test_a_route_that_cannot_be_taken_over_is_left(routes: list[Any], message: str) -> None:
    result = imported({"alert": {"discord": {**TWO["discord"], "routes": routes}}})
    assert [each for each in result.left if message in each.message]


# -- reasons -----------------------------------------------------------------------------------------------------


def test_every_alert_about_pods_and_nodes_has_a_reason_and_every_reason_an_alert_that_ships() -> None:
    documents = [load_yaml(path.read_bytes(), path.name) for path in sorted(directory("rules").glob("*.yaml"))]
    shipped = {rule.alert for rule in compile_rules(documents)[0]}
    assert {*POD_ALERTS, *NODE_ALERTS, DOWN} <= shipped
    for alert in (*POD_ALERTS, *NODE_ALERTS):
        assert alert not in hidden_by_allowing(["CrashLoopBackOff"]) or alert not in alerts_of("CrashLoopBackOff")


def test_allowing_everything_hides_nothing_and_allowing_nothing_hides_all_pods() -> None:
    reasons = (
        "CrashLoopBackOff OOMKilled ImagePullBackOff CreateContainerError Evicted Unschedulable ContainersNotReady"
    )
    assert hidden_by_allowing(reasons.split()) == []
    assert hidden_by_allowing(["Foo"]) == [*POD_ALERTS, DOWN]


def test_forbidding_a_part_of_an_alert_is_named() -> None:
    assert hidden_by_forbidding(["ErrImagePull"]) == ([], ["ErrImagePull"])
    assert hidden_by_forbidding(["ErrImagePull", "ImagePullBackOff"]) == (["ImagePullFailing"], [])


def test_severities_are_read_in_any_case() -> None:
    assert severities_of("HIGH") == ("warning",)
    assert severities_of("urgent") == ()


# -- rules -------------------------------------------------------------------------------------------------------


def crash(name: str, container: str = "app", message: str = "") -> list[dict[str, Any]]:
    died = {"reason": "Error", "exitCode": 1, "ran": "5s", "message": message}
    owner = "Deployment/" + name.rsplit("-", 1)[0]
    return [
        {
            "at": "0s",
            "pod": {"name": name, "owner": owner, "containers": {container: {"running": True, "ready": True}}},
        },
        {
            "at": "2m",
            "pod": {
                "name": name,
                "owner": owner,
                "containers": {container: {"running": True, "ready": False, "restarts": 3, "last": died}},
            },
        },
    ]


def node(reason: str, message: str = "") -> list[dict[str, Any]]:
    return [
        {"at": "0s", "first_sight": True, "node": {"name": "n1"}},
        {"at": "1m", "node": {"name": "n1", "ready": False, "reason": reason, "message": message}},
    ]


def volume(used: int) -> list[dict[str, Any]]:
    volumes = {"data": {"used": f"{used}%", "capacity": "10Gi", "pod": "db-0"}}
    return [
        {"at": "0s", "claim": {"name": "data"}},
        {"at": "0s", "sample": {"node": "n1", "volumes": volumes}},
        {"at": "2m", "sample": {"node": "n1", "volumes": volumes}},
        {"at": "4m", "sample": {"node": "n1", "volumes": volumes}},
    ]


def fires(result: Imported, home: Path, observations: list[dict[str, Any]], at: str) -> set[str]:
    """The alerts that fire at that time, by the rules that were imported, or the shipped ones."""
    rules = [str(path) for path in sorted(directory("rules").glob("*.yaml"))]
    if result.rules:
        (home / "rules.yaml").write_text(result.rules, encoding="utf-8")
        rules = ["rules.yaml"]
    test = {"name": "x", "observations": observations, "expect": [{"at": at, "firing": ["Nothing"]}]}
    (home / "test.yaml").write_text(write({"rule_files": rules, "tests": [test]}), encoding="utf-8")
    (outcome,) = run_files([home / "test.yaml"])
    return set(
        re.findall(r"\b((?:Container|Pod|Image|Node|Volume|Workload|Claim)[A-Z]\w+)", " ".join(outcome.failures))
    )


@pytest.mark.parametrize(
    ("config", "observations", "at", "alert", "told"),
    [
        pytest.param({}, crash("web-1"), "3m", "ContainerCrashLooping", True, id="no filter"),
        pytest.param({"ignorePodNames": ["^web-"]}, crash("web-1"), "3m", "ContainerCrashLooping", False, id="a pod"),
        pytest.param(
            {"ignorePodNames": ["eb"]}, crash("web-1"), "3m", "ContainerCrashLooping", False, id="anywhere in its name"
        ),
        pytest.param(
            {"ignorePodNames": ["^eb"]}, crash("web-1"), "3m", "ContainerCrashLooping", True, id="another pod"
        ),
        pytest.param(
            {"silences": [{"podNamePatterns": ["^web-"], "namespaces": ["shop"]}]},
            crash("web-1"),
            "3m",
            "ContainerCrashLooping",
            True,
            id="a pod of another namespace",
        ),
        pytest.param(
            {"silences": [{"podNamePatterns": ["^web-"], "namespaces": ["default"], "containerNames": ["app"]}]},
            crash("web-1"),
            "3m",
            "ContainerCrashLooping",
            False,
            id="all conditions of a silence",
        ),
        pytest.param(
            {"silences": [{"podNamePatterns": ["^web-"], "reasons": ["OOMKilled"]}]},
            crash("web-1"),
            "3m",
            "ContainerCrashLooping",
            True,
            id="a silence of another reason",
        ),
        pytest.param(
            {"ignoreContainerMessages": ['no "space']},
            crash("web-1", message='there is no "space left'),
            "3m",
            "ContainerCrashLooping",
            False,
            id="a message",
        ),
        pytest.param(
            {"ignoreContainerMessages": ["no.space"]},
            crash("web-1", message="no space left"),
            "3m",
            "ContainerCrashLooping",
            True,
            id="a message is no pattern",
        ),
        pytest.param({}, node("KubeletNotReady"), "8m", "NodeNotReady", True, id="a node"),
        pytest.param(
            {"ignoreNodeReasons": ["KubeletNotReady"]},
            node("KubeletNotReady"),
            "8m",
            "NodeNotReady",
            False,
            id="its reason",
        ),
        pytest.param(
            {"ignoreNodeMessages": ["no node IP"]},
            node("KubeletNotReady", "has no node IP"),
            "8m",
            "NodeNotReady",
            False,
            id="its message",
        ),
        pytest.param(
            {"silences": [{"nodeReasons": ["KubeletNotReady"], "nodeMessages": ["x"]}]},
            node("KubeletNotReady", "has no node IP"),
            "8m",
            "NodeNotReady",
            True,
            id="half of a silence",
        ),
        pytest.param(
            {"nodeMonitor": {"sustainedMinutes": 3}}, node("KubeletNotReady"), "5m", "NodeNotReady", True, id="sooner"
        ),
        pytest.param({}, node("KubeletNotReady"), "5m", "NodeNotReady", False, id="not sooner"),
        pytest.param({}, volume(82), "5m", "VolumeFillingUp", False, id="a volume below 85 %"),
        pytest.param({"pvcMonitor": {"threshold": 80}}, volume(82), "5m", "VolumeFillingUp", True, id="above 80 %"),
        pytest.param({"pvcMonitor": {"threshold": 90}}, volume(86), "5m", "VolumeFillingUp", False, id="below 90 %"),
        pytest.param(
            {"pvcMonitor": {"criticalThreshold": 90}}, volume(91), "5m", "VolumeNearlyFull", True, id="critical at 90 %"
        ),
        pytest.param({}, volume(91), "5m", "VolumeNearlyFull", False, id="not critical at 91 %"),
    ],
)
def test_what_fires_by_imported_rules(
    tmp_path: Path, config: dict[str, Any], observations: list[dict[str, Any]], at: str, alert: str, told: bool
) -> None:
    result = imported(config)
    assert result.left == ()
    assert (alert in fires(result, tmp_path, observations, at)) is told


def test_rules_with_a_filter_that_fits_nothing_pass_the_tests_of_the_shipped_ones(tmp_path: Path) -> None:
    """What is not filtered is as it was: texts, times and conditions of the packs come over unharmed."""
    result = imported({"ignorePodNames": ["^no-such-pod$"], "ignoreNodeReasons": ["NoSuchReason"]})
    (tmp_path / "rules.yaml").write_text(result.rules, encoding="utf-8")
    for name in ("images.yaml", "memory.yaml"):
        text = (directory("rules") / "tests" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(
            re.sub(r"(?m)^rule_files: .*$", "rule_files: [rules.yaml]", text), encoding="utf-8"
        )
    results = run_files([tmp_path / "images.yaml", tmp_path / "memory.yaml"])
    assert len(results) > 10
    assert [(each.name, each.failures) for each in results if each.failures] == []


def test_the_rule_file_says_the_same_as_the_packs_but_for_the_changes() -> None:
    result = imported(
        {"severityByReason": {"OOMKilled": "critical"}, "runbooks": {"OOMKilled": "https://w.example/oom"}}
    )
    rules, problems = compile_rules([load_yaml(result.rules, "rules.yaml")])
    assert problems == []
    documents = [load_yaml(path.read_bytes(), path.name) for path in sorted(directory("rules").glob("*.yaml"))]
    shipped, _ = compile_rules(documents)
    assert [each.alert for each in rules] == [each.alert for each in shipped]
    data: Any = load_yaml(result.rules, "rules.yaml").data
    before: Any = [rule for document in documents for group in document.data["groups"] for rule in group["rules"]]  # type: ignore[index,call-overload]
    after = [rule for group in data["groups"] for rule in group["rules"]]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new["alert"] for _, new in changed] == ["ContainerOOMKilled", "ContainerChildOOMKilled"]
    for old, new in changed:
        annotations = {**old["annotations"], "runbook_url": "https://w.example/oom"}
        assert new == {**old, "labels": {"severity": "critical"}, "annotations": annotations}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param(
            {"ignorePodNames": ["a[.*"]}, "ignorePodNames has no pattern here, and kwatch took none", id="bad"
        ),
        pytest.param({"ignorePodNames": ["x" * 3000]}, "ignorePodNames is not taken over: ", id="a condition too long"),
        pytest.param(
            {"runbooks": {"Foo": "https://a.example"}}, "Watcher has no alert of the reason Foo", id="runbook"
        ),
        pytest.param(
            {"runbooks": {"ErrImagePull": "https://a.example", "ImagePullBackOff": "https://b.example"}},
            "ImagePullBackOff is ImagePullFailing here, which another reason above has set already",
            id="two runbooks of one alert",
        ),
        pytest.param(
            {"severityByReason": {"OOMKilled": "loud"}}, "Watcher's severities are critical, warning", id="loud"
        ),
        pytest.param({"silences": [{"logPatterns": ["x"]}]}, "rules do not see log lines", id="log lines"),
        pytest.param({"silences": [{"eventMessages": ["x"]}]}, "rules do not see the events of a pod", id="events"),
        pytest.param(
            {"silences": [{"podNamePatterns": ["a"], "nodeReasons": ["b"]}]}, "about a pod and about a node", id="both"
        ),
        pytest.param({"silences": [{"podNames": ["a"]}]}, "kwatch knows no key silences[0].podNames", id="a key"),
        pytest.param({"silences": [{"reasons": ["Foo"]}]}, "silences[0] is not taken over", id="a reason"),
        pytest.param(
            {"silences": [{"podNamePatterns": ["("]}]},
            "silences[0] is not taken over: a part of it",
            id="a bad pattern",
        ),
    ],
)
def test_a_filter_that_cannot_be_taken_over_is_left(config: dict[str, Any], message: str) -> None:
    result = imported(config)
    assert [each for each in result.left if message in each.message]
    load_yaml(result.text, "out.yaml")


def test_one_filter_that_does_not_work_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    result = imported({"ignorePodNames": ["x" * 3000], "ignoreNodeReasons": ["KubeletNotReady"]})
    assert [each.position.file for each in result.left] == ["kwatch.yaml"]
    assert fires(result, tmp_path, node("KubeletNotReady"), "8m") == set()
    assert "ContainerCrashLooping" in fires(result, tmp_path, crash("web-1"), "3m")
