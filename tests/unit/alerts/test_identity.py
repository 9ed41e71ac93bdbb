"""The key on which one trouble's state hangs, and the labels made of it."""

from __future__ import annotations

from typing import Any

from tests.support.timeline import START
from watcher.alerts.identity import alert_key, alert_labels
from watcher.model.rule import CompiledRule
from watcher.model.signals import CrashLooping, PodFailed


def rule(**fields: Any) -> CompiledRule:
    return CompiledRule(id="R", alert="R", group="g", signal=CrashLooping, **fields)


ABOUT: dict[str, Any] = {
    "uid": "u", "cluster": "c", "namespace": "shop", "workload_kind": "Deployment", "workload": "web", "pod": "web-1",
    "node": "n1", "since": START,
}  # fmt: skip


def test_pods_of_one_workload_share_a_key_unless_the_rule_is_per_pod() -> None:
    one, other = (CrashLooping(**{**ABOUT, "pod": pod, "uid": pod}, container="app") for pod in ("web-1", "web-2"))
    assert alert_key(rule(), one) == alert_key(rule(), other)
    assert alert_key(rule(per="pod"), one) != alert_key(rule(per="pod"), other)


def test_containers_have_keys_of_their_own_and_a_pod_signal_none() -> None:
    one, other = (CrashLooping(**ABOUT, container=name) for name in ("app", "proxy"))
    assert alert_key(rule(), one) != alert_key(rule(), other)
    assert alert_key(rule(), PodFailed(**ABOUT, container="app")).container == ""


def test_labels_are_what_the_key_has_and_the_rules_own_on_top() -> None:
    labels = {"severity": "warning", "namespace": "override", "empty": ""}
    made = alert_labels(rule(labels=labels), alert_key(rule(), CrashLooping(**ABOUT, container="app")))
    assert made == {
        "alertname": "R", "cluster": "c", "container": "app", "namespace": "override", "severity": "warning",
        "workload": "web", "workload_kind": "Deployment",
    }  # fmt: skip
    assert list(made) == sorted(made)
