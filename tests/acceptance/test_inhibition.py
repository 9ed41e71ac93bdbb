"""Inhibition by the configuration's own rules, across workloads."""

from __future__ import annotations

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import Timeline, core
from watcher.lib.matchers import parse_matchers
from watcher.model.kube import Pod
from watcher.routing.inhibition import InhibitRule

HOUR = 3600.0
IMAGE_OVER_LOOP = InhibitRule(
    source=parse_matchers('alertname="ImagePullFailing"'),
    target=parse_matchers('alertname="ContainerCrashLooping"'),
    equal=("namespace",),
)


def looping() -> Pod:
    return pod("web-1", backoff(160, dead(1, at=-20), restarts=6))


def pulling(namespace: str = "shop") -> Pod:
    waiting = status(waiting="ErrImagePull", message="x:9: not found")
    return pod("api-1", waiting, owner="Deployment/api", namespace=namespace, phase="Pending")


def said(story: Timeline) -> list[tuple[str, str]]:
    return [one[1:] for one in story.heard]


def test_an_alert_of_another_workload_inhibits_by_equal_labels_alone() -> None:
    story = Timeline(inhibit_rules=(IMAGE_OVER_LOOP,)).at(0).lists(pulling()).at(1).sees(looping())
    story.until(HOUR)
    assert said(story) == [("FIRST", "ImagePullFailing")]
    assert story.held("ContainerCrashLooping") == ["another alert inhibits it"]


def test_other_values_of_equal_labels_do_not_inhibit() -> None:
    story = Timeline(inhibit_rules=(IMAGE_OVER_LOOP,)).at(0).lists(pulling("tools")).at(1).sees(looping())
    story.until(HOUR)
    assert {alerts for _, alerts in said(story)} == {"ImagePullFailing", "ContainerCrashLooping"}


def test_what_is_inhibited_no_longer_is_told() -> None:
    story = Timeline(inhibit_rules=(IMAGE_OVER_LOOP,)).at(0).lists(pulling()).at(1).sees(looping())
    story.until(600)
    story.at(600).sees(pod("api-1", owner="Deployment/api"))
    story.until(HOUR)
    assert ("FIRST", "ContainerCrashLooping") in said(story)


def test_rules_that_a_new_configuration_brings_count_for_alerts_that_fire_already() -> None:
    story = Timeline(inhibit_rules=()).at(0).lists(looping())
    story.until(60)
    story.core = core(inhibit_rules=(IMAGE_OVER_LOOP,))
    story.at(HOUR).restarts().lists(looping()).at(HOUR + 10).sees(pulling())
    story.until(14 * HOUR)
    assert said(story)[0] == ("FIRST", "ContainerCrashLooping")
    assert not [alerts for reason, alerts in said(story) if reason == "REPEAT" and "CrashLoop" in alerts]
