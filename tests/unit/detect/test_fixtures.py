"""Real pods, as recorded in clusters: what the detectors say of each at first sight, and of healthy ones nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.support.timeline import START, Timeline, time
from watcher.detect.failures import Left, failure
from watcher.detect.fields import common
from watcher.detect.pods import workload_of
from watcher.detect.signals import Findings, observe
from watcher.model.kube import Pod
from watcher.model.signals import CrashLooping, ImagePullFailing, OOMKilled

FIXTURES = Path(__file__).parents[2] / "fixtures"
LATER = 400 * 24 * 3600.0
"""Long after all that was recorded, so that no time of an object is ahead."""


LOOP = ["PodNotReady", "CrashLooping", "ContainerTerminated"]


def pods_of(name: str) -> list[Pod]:
    text = (FIXTURES / name).read_text()
    document: Any = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    items = document if isinstance(document, list) else document.get("items") or [document]
    return [msgspec.convert(json.loads(json.dumps(item, default=str)), Pod) for item in items]


def first_look(one: Pod) -> Findings:
    workload, _ = workload_of(one)
    return observe(one, common(one, workload, "c"), {}, time(LATER), True)


def said(one: Pod) -> list[str]:
    found = first_look(one)
    return [type(signal).__name__ for signal in (*found.states, *found.occurrences)]


@pytest.mark.parametrize(
    ("name", "signals"),
    [
        ("pod_crashloop_2018.yaml", LOOP),
        ("pod_crashloop_cannotrun127.json", ["PodNotReady", "ContainerNotStarting", *LOOP[1:]]),
        ("pod_crashloop_docker_2024.json", LOOP),
        ("pod_onfailure_crashloop.yaml", LOOP),
        ("pod_init_crashloop_crio.json", ["PodPending", *LOOP[1:]]),
        ("pod_error_between_restarts.yaml", LOOP),
        ("pod_oomkilled_both_states_containerd.json", [*LOOP, "OOMKilled"]),
        ("pod_errimagepull.json", ["ImagePullFailing"]),
        ("pod_imagepullbackoff_docker.yaml", ["ImagePullFailing"]),
    ],
)
def test_a_broken_pod_gives_its_signals(name: str, signals: list[str]) -> None:
    (one,) = pods_of(name)
    assert said(one) == signals


def crash(name: str) -> CrashLooping:
    (one,) = pods_of(name)
    (signal,) = (signal for signal in first_look(one).states if isinstance(signal, CrashLooping))
    return signal


@pytest.mark.parametrize(
    ("name", "pause", "code", "reason", "kind"),
    [
        ("pod_crashloop_2018.yaml", 40, 1, "Error", "app"),
        ("pod_crashloop_cannotrun127.json", 80, 127, "ContainerCannotRun", "app"),
        ("pod_crashloop_docker_2024.json", 10, 1, "Error", "app"),
        ("pod_onfailure_crashloop.yaml", 80, 1, "Error", "app"),
        ("pod_init_crashloop_crio.json", 300, 1, "Error", "init"),
        ("pod_error_between_restarts.yaml", None, 1, "Error", "app"),
    ],
)
def test_a_crash_loop_tells_its_pause_and_its_last_exit(
    name: str, pause: float | None, code: int, reason: str, kind: str
) -> None:
    signal = crash(name)
    assert (signal.backoff_seconds, signal.exit_code, signal.reason, signal.container_kind) == (
        pause, code, reason, kind,
    )  # fmt: skip
    assert signal.in_backoff is (pause is not None)
    assert not signal.ready


def test_a_recorded_oom_kill_is_one_of_the_main_process_with_its_limit() -> None:
    (one,) = pods_of("pod_oomkilled_both_states_containerd.json")
    (kill,) = (signal for signal in first_look(one).occurrences if isinstance(signal, OOMKilled))
    assert (kill.oom_class, kill.exit_code, kill.workload_kind, kill.workload) == (
        "main_process", 137, "Deployment", "central",
    )  # fmt: skip
    assert kill.memory_limit_bytes is not None


@pytest.mark.parametrize(
    ("name", "cause", "text"),
    [
        ("pod_errimagepull.json", "tls", "x509"),
        ("pod_imagepullbackoff_docker.yaml", "unknown", ""),
    ],
)
def test_a_recorded_pull_failure_tells_its_cause(name: str, cause: str, text: str) -> None:
    (one,) = pods_of(name)
    signal = first_look(one).states[0]
    assert isinstance(signal, ImagePullFailing)
    assert signal.cause == cause
    assert text in signal.message


@pytest.mark.parametrize(
    ("name", "cause", "container", "code"),
    [
        ("pod_failed_error1_crio.json", "exit", "script", 1),
        ("pod_failed_restart_never.yaml", "exit", "main", 1),
        ("pod_starterror128.yaml", "start_failed", "migrations", 128),
        ("pod_evicted_memory_handedited.yaml", "evicted", "", None),
    ],
)
def test_a_pod_that_fails_tells_why(name: str, cause: str, container: str, code: int | None) -> None:
    (one,) = pods_of(name)
    story = Timeline().at(0).lists()
    story.at(LATER).sees(one)
    story.until(LATER + 24 * 3600)
    states = list(story.player.view.pods.rows.values())
    assert [state.phase for state in states] == ["Failed"]
    workload, _ = workload_of(one)
    signal = failure(one, states[0], common(one, workload, "c"), Left(0, states), time(LATER))
    assert (signal.cause, signal.container, signal.exit_code) == (cause, container, code)


@pytest.mark.parametrize(
    "name",
    ["pod_succeeded.yaml", "pod_terminating.yaml", "pods_k3s_unknown255.json",
     "pods_k3s_1_31_kubesystem.json", "pod_failed_restart_never.yaml", "pod_evicted_memory_handedited.yaml"],
)  # fmt: skip
def test_what_is_well_or_over_long_ago_gives_no_alert(name: str) -> None:
    story = Timeline().at(LATER).lists(*pods_of(name))
    assert story.until(LATER + 3600) == []
    assert story.firing() == []


@pytest.mark.parametrize("name", ["seq_pod_create_success.json", "seq_pod_completed_restart_never.json"])
def test_a_pod_that_starts_well_is_pending_for_a_moment_and_no_alert_at_any_time(name: str) -> None:
    states = pods_of(name)
    assert [said(one) for one in states] == [[], ["PodPending"], ["PodPending"], []]
    made = states[0].metadata.creation_timestamp
    assert made is not None
    story = Timeline().at((made - START).total_seconds()).lists()
    for number, one in enumerate(states):
        story.at((made - START).total_seconds() + number + 1).sees(one)
    assert story.until((made - START).total_seconds() + 3600) == []
    assert story.firing() == []


def test_the_recorded_crash_loop_of_a_container_that_completes_counts_each_death_once() -> None:
    states = pods_of("seq_pod_completed_crashloop.json")
    story = Timeline().at(LATER).lists()
    for number, one in enumerate(states):
        story.at(LATER + number + 1).sees(one)
    (history,) = story.player.view.histories.rows.values()
    statuses = states[-1].status.container_statuses
    assert statuses
    assert history.deaths == statuses[0].restart_count + 1


def test_the_recorded_pull_failure_keeps_its_cause_in_the_back_off() -> None:
    story = Timeline().at(LATER).lists()
    for number, one in enumerate(pods_of("seq_pod_imagepull_error.json")):
        story.at(LATER + number + 1).sees(one)
    assert [said[1:] for said in story.until(LATER + 60)] == [("FIRST", "ImagePullFailing")]
    (alert,) = story.player.view.alerts.rows.values()
    assert getattr(alert.lead, "cause", "") == "not_found"
