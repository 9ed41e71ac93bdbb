"""One pod, one look: behaviours 1 to 30, through the whole pipeline with the shipped rules."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import Timeline
from watcher.model.kube import Condition, Pod, StateTerminated

HOUR = 3600
TWO_DAYS = 48 * HOUR


def first_look(one: Any, until: float = HOUR) -> Timeline:
    story = Timeline().at(0).lists(one)
    story.until(until)
    return story


def change(before: Any, after: Any, until: float = HOUR) -> Timeline:
    """A pod that was healthy and then is seen changed at second 30."""
    story = Timeline().at(0).lists(before).at(30).sees(after)
    story.until(until)
    return story


def test_1_a_healthy_pod_is_silent() -> None:
    assert first_look(pod()).heard == []


def test_2_old_restarts_of_a_healthy_pod_are_silent_and_in_the_history() -> None:
    old = dead(137, "OOMKilled", at=-TWO_DAYS)
    story = first_look(pod("web-1", status(restarts=7, last=old)))
    assert story.heard == []
    history = story.player.view.histories.rows[("uid-web-1", "app")]
    assert (history.deaths, history.recent, history.oom_class) == (7, (), "main_process")


def test_7_alternating_pull_errors_are_one_alert_that_keeps_the_cause() -> None:
    text = 'failed to pull and unpack image "x:9": failed to resolve reference "x:9": x:9: not found'
    story = Timeline().at(0).lists()
    for minute in range(0, 60, 2):
        story.at(minute * 60).sees(pod("web-1", status(waiting="ErrImagePull", message=text), phase="Pending"))
        story.at(minute * 60 + 30).sees(
            pod("web-1", status(waiting="ImagePullBackOff", message='Back-off pulling image "x:9"'), phase="Pending")
        )
    assert story.until(HOUR) == [(10, "FIRST", "ImagePullFailing")]
    (alert,) = story.player.view.alerts.rows.values()
    assert getattr(alert.lead, "cause", "") == "not_found"
    assert "not found" in story.sent[0].text


@pytest.mark.parametrize(
    ("reason", "cause"), [("InvalidImageName", "invalid_name"), ("ErrImageNeverPull", "policy_never")]
)
def test_9_an_image_that_will_never_come_is_told_with_its_cause(reason: str, cause: str) -> None:
    story = first_look(pod("web-1", status(waiting=reason, message="it cannot be"), phase="Pending"))
    assert story.heard == [(10, "FIRST", "ImagePullFailing")]
    assert story.sent[0].alerts[0].members[0]["cause"] == cause


def test_11_a_long_back_off_is_told_with_reason_and_exit_code() -> None:
    story = first_look(pod("web-1", backoff(80, dead(1, at=-20), restarts=4)))
    assert story.heard == [(10, "FIRST", "ContainerCrashLooping")]
    member = story.sent[0].alerts[0].members[0]
    assert (member["reason"], member["exit_code"], member["in_backoff"]) == ("Error", 1, True)


def test_12_an_oom_kill_explains_its_crash_loop() -> None:
    story = first_look(pod("web-1", backoff(80, dead(137, "OOMKilled", at=-20), restarts=4)), until=120)
    assert story.heard == [(10, "FIRST", "ContainerOOMKilled")]
    assert "crash loop" in story.sent[0].text
    assert any("effect of another alert" in reason for reason in story.held("ContainerCrashLooping"))


def test_13_a_container_that_exits_0_in_a_loop_is_told() -> None:
    story = first_look(pod("web-1", backoff(80, dead(0, at=-20), restarts=5)))
    assert story.heard == [(10, "FIRST", "ContainerCrashLooping")]


def test_14_a_pod_that_completes_is_silent() -> None:
    job: dict[str, Any] = {"owner": "", "restart_policy": "Never"}
    after = pod("task", status(terminated=dead(0, at=30), ready=False), phase="Succeeded", **job)
    assert change(pod("task", **job), after).heard == []


@pytest.mark.parametrize(
    ("end", "words"),
    [
        pytest.param(dead(1, at=30), "1", id="application error"),
        pytest.param(dead(137, at=30), "137", id="killed, and not called an OOM"),
        pytest.param(dead(139, at=30), "139", id="segmentation fault"),
        pytest.param(dead(127, "ContainerCannotRun", at=30), "127", id="cannot run"),
        pytest.param(dead(128, "StartError", at=30), "128", id="start error"),
        pytest.param(
            StateTerminated(exit_code=137, reason="ContainerStatusUnknown"),
            "unknown",
            id="status unknown, without times",
        ),
    ],
)
def test_15_a_pod_that_newly_fails_is_told_with_its_exit_read(end: StateTerminated, words: str) -> None:
    bare: dict[str, Any] = {"owner": "", "restart_policy": "Never"}
    after = pod("task", status(terminated=end, ready=False), phase="Failed", changed=30, **bare)
    story = change(pod("task", **bare), after, until=HOUR - 60)
    assert story.heard == [(40, "FIRST", "PodFailed")]
    message = f"{story.sent[0].title}\n{story.sent[0].text}"
    assert words in message
    assert "OOM" not in message


@pytest.mark.parametrize("code", [0, 143])
def test_16_a_graceful_stop_after_a_childs_oom_kill_goes_to_nobody(code: int) -> None:
    end = dead(code, "OOMKilled", at=30)
    story = change(pod(), pod("web-1", status(restarts=1, last=end)), until=120)
    assert story.heard == []
    assert story.firing() == ["ContainerChildOOMKilled"]


def test_17_a_phantom_termination_of_a_deleted_pod_is_silent() -> None:
    phantom = status(terminated=StateTerminated(exit_code=0), ready=False)
    assert change(pod("web-1", phase="Pending"), pod("web-1", phantom, phase="Pending", deleting=30)).heard == []


def test_18_a_succeeded_pod_is_silent_whatever_its_containers_last_did() -> None:
    after = pod(
        "web-1", status(restarts=9, terminated=dead(0, at=30), last=dead(1, at=10), ready=False), phase="Succeeded"
    )
    assert change(pod(), after).heard == []


def test_23_an_init_container_in_a_loop_is_called_one() -> None:
    waiting = status(waiting="PodInitializing", ready=False)
    one = pod("web-1", waiting, init=(backoff(80, dead(1, at=-20), restarts=4, name="migrate"),), phase="Pending")
    story = first_look(one)
    assert story.heard == [(10, "FIRST", "ContainerCrashLooping")]
    assert "init container" in story.sent[0].text.lower()
    assert "migrate" in story.sent[0].text


def test_24_a_sidecar_that_ends_with_its_pod_is_silent() -> None:
    done = status(terminated=dead(0, at=30), ready=False)
    sidecar = status("proxy", terminated=dead(137, at=31), ready=False)
    before = pod("task", status(), init=(status("proxy"),), sidecars=("proxy",), owner="", restart_policy="Never")
    after = pod("task", done, init=(sidecar,), sidecars=("proxy",), owner="", restart_policy="Never")
    assert change(before, after).heard == []


def test_25_a_sidecar_in_a_loop_is_told() -> None:
    looping = backoff(80, dead(1, at=-20), restarts=4, name="proxy")
    story = first_look(pod("web-1", status(), init=(looping,), sidecars=("proxy",)))
    assert story.heard == [(10, "FIRST", "ContainerCrashLooping")]


def test_26_a_kill_during_deletion_is_silent() -> None:
    assert change(pod(), pod("web-1", status(terminated=dead(137, at=30), ready=False), deleting=20)).heard == []


@pytest.mark.parametrize("reason", ["PreemptionByScheduler", "EvictionByEvictionAPI", "DeletionByPodGC"])
def test_27_a_disruption_on_purpose_is_silent(reason: str) -> None:
    disrupted = Condition(type="DisruptionTarget", status="True", reason=reason)
    killed = status(terminated=dead(137, at=30), ready=False)
    assert change(pod(), pod("web-1", killed, phase="Failed", conditions=(disrupted,))).heard == []


def test_28_thirty_evicted_pods_are_one_alert_that_ends_with_the_last_replacement() -> None:
    names = [f"web-{number}" for number in range(30)]
    story = Timeline().at(0).lists(*(pod(name) for name in names))
    for number, name in enumerate(names):
        story.at(30 + number * 2).sees(
            pod(
                name,
                phase="Failed",
                reason="Evicted",
                message="The node was low on resource: memory.",
                no_statuses=True,
            )
        )
    story.until(120)
    assert story.firing() == ["PodFailed"]
    for number in range(30):
        story.at(130 + number).sees(pod(f"new-{number}"))
    heard = story.until(HOUR)
    assert [(reason, alerts) for _, reason, alerts in heard] == [
        ("FIRST", "PodFailed"),
        ("ALL_ENDED", "-PodFailed:recovered"),
    ]
    assert story.player.view.alerts.rows == {}


def test_29_a_debug_container_that_fails_is_silent() -> None:
    """Read from the wire: ephemeral containers have no place in the narrow record."""
    text = msgspec.json.encode(pod()).replace(
        b'"status":{',
        b'"status":{"ephemeralContainerStatuses":[{"name":"debug","restartCount":0,'
        b'"state":{"terminated":{"exitCode":1,"reason":"Error","finishedAt":"2026-11-20T09:00:30Z"}}}],',
    )
    assert change(pod(), msgspec.json.decode(text, type=Pod)).heard == []


def test_30_old_evicted_corpses_are_silent() -> None:
    corpses = [
        pod(f"old-{number}", phase="Failed", reason="Evicted", no_statuses=True, created=-8 * 24 * HOUR)
        for number in range(200)
    ]
    story = Timeline().at(0).lists(*corpses, pod("web-1"), pod("web-2"))
    assert story.until(HOUR) == []
