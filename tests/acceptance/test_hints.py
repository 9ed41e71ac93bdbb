"""Hints by annotations: the team that owns a workload decides for itself, where the configuration lets it."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.support.pods import backoff, dead, pod
from tests.support.timeline import Timeline, time
from watcher.model.config import HintRule, Receiver, Secret, WebhookConfig
from watcher.model.kube import Namespace, ObjectMeta, Pod
from watcher.model.message import Notification

HOUR = 3600.0
EVERYTHING = (HintRule(namespaces=("shop",), allow=frozenset({"ignore", "receiver", "mute-until"})),)


def hook(name: str) -> Receiver:
    return Receiver(name=name, integrations=(("webhook_configs[0]", WebhookConfig(url=Secret("http://x"))),))


def looping(name: str = "web-1", **annotations: str) -> Pod:
    one = pod(name, backoff(160, dead(1, at=-20), restarts=6))
    return hinted(one, annotations)


def hinted(one: Pod, annotations: dict[str, str]) -> Pod:
    written = {f"watcher.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return msgspec.structs.replace(one, metadata=msgspec.structs.replace(one.metadata, annotations=written))


def shop(**annotations: str) -> Namespace:
    written = {f"watcher.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return Namespace(metadata=ObjectMeta(name="shop", uid="uid-shop", annotations=written))


def story(**fields: Any) -> Timeline:
    fields = {"hints": EVERYTHING, "receivers": (hook("ops"), hook("shop-team")), **fields}
    return Timeline(**fields).at(0)


def told(line: Timeline) -> list[Notification]:
    line.until(HOUR)
    return line.sent


def test_a_runbook_counts_everywhere_and_the_message_says_so() -> None:
    (message,) = told(story(hints=()).lists(looping(runbook="https://wiki.example/shop")))
    assert message.alerts[0].annotations["runbook_url"] == "https://wiki.example/shop"
    assert "watcher.io/runbook" in str(message)


def test_the_nearest_hint_wins() -> None:
    line = story().lists(shop(runbook="https://wiki.example/all")).lists(looping(runbook="https://wiki.example/web"))
    assert told(line)[0].alerts[0].annotations["runbook_url"] == "https://wiki.example/web"


def test_a_hint_of_the_namespace_counts_for_its_workloads() -> None:
    line = story().lists(shop(runbook="https://wiki.example/all")).lists(looping())
    assert told(line)[0].alerts[0].annotations["runbook_url"] == "https://wiki.example/all"


def test_what_is_ignored_fires_nowhere_and_the_history_says_why() -> None:
    line = story().lists(looping(ignore="CrashLooping"))
    assert told(line) == []
    assert line.held("ContainerCrashLooping") == ["an annotation of its workload or namespace has it ignored"]


def test_what_is_ignored_takes_no_workload_down() -> None:
    assert told(story(without=()).lists(looping(ignore="CrashLooping, PodNotReady"))) == []


def test_what_is_not_allowed_is_a_mistake_and_changes_nothing() -> None:
    line = story(hints=()).lists(looping(ignore="all"))
    assert [message.receiver for message in told(line)] == ["ops"]
    (mistake,) = line.mistakes
    assert (mistake.object, mistake.annotation) == ("Deployment web", "watcher.io/ignore")


def test_a_mistake_is_reported_of_a_workload_that_is_healthy() -> None:
    line = story().lists(hinted(pod("web-1"), {"ignore": "CrashLoping"}), hinted(pod("web-2"), {"receiver": "shop"}))
    line.until(60)
    assert sorted(mistake.problem for mistake in line.mistakes) == [
        "there is no receiver shop; did you mean shop-team?",
        "there is no signal or alert CrashLoping; did you mean CrashLooping?",
    ]


def test_a_receiver_of_its_own_is_told_instead_of_the_routes() -> None:
    line = story().lists(looping(receiver="shop-team"))
    line.until(60)
    assert [(message.receiver, message.reason.name) for message in line.sent] == [("shop-team", "FIRST")]


def test_what_is_muted_is_told_when_the_time_has_come_if_it_still_fires() -> None:
    until = time(1800).isoformat()
    line = story().lists(looping(mute_until=until))
    assert line.until(HOUR) == [(1810, "FIRST", "ContainerCrashLooping")]
    assert line.held("ContainerCrashLooping") == ["an annotation of its workload or namespace mutes it"]


def test_a_hint_counts_for_alerts_that_begin_later() -> None:
    line = story().lists(looping())
    line.until(60)
    line.at(100).sees(looping(receiver="shop-team"))
    line.until(HOUR)
    assert {message.receiver for message in line.sent} == {"ops"}
