"""Pods that wait: not ready, not scheduled, stuck in creation, containers that cannot start. Rows of behaviours.md."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.support.pods import backoff, dead, pod, status
from tests.support.timeline import Timeline, time
from watcher.model.kube import Condition, Pod
from watcher.model.signals import ContainerNotStarting, PodPending

MINUTE = 60.0
HOUR = 3600.0
NO_ROOM = (
    "0/5 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
    "4 Insufficient memory. preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling."
)


def scheduled(answer: str, reason: str = "", message: str = "", *, at: float = 0) -> Condition:
    return Condition(type="PodScheduled", status=answer, reason=reason, message=message, last_transition_time=time(at))


def unscheduled(reason: str = "Unschedulable", message: str = NO_ROOM, *, created: float = 0) -> Pod:
    return pod(
        "web-1", phase="Pending", node="", no_statuses=True, created=created,
        conditions=(scheduled("False", reason, message, at=created),),
    )  # fmt: skip


def waiting(reason: str, message: str = "", **fields: Any) -> Pod:
    fields = {"phase": "Pending", "created": 0, **fields}
    return pod("web-1", status(waiting=reason, message=message), **fields)


def test_4_readiness_that_fails_is_told_after_a_quarter_of_an_hour_and_not_before() -> None:
    story = Timeline().at(0).lists(pod("web-1")).at(100).sees(pod("web-1", status(ready=False), changed=100))
    assert story.until(100 + 15 * MINUTE - 1) == []
    assert story.until(100 + 15 * MINUTE + 11) == [(1010, "FIRST", "PodNotReady")]


def test_4_for_counts_from_the_condition_and_not_from_when_it_was_seen() -> None:
    story = Timeline().at(0).lists().at(600).sees(pod("web-1", status(ready=False), changed=0))
    assert story.until(HOUR) == [(910, "FIRST", "PodNotReady")]


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_5_a_creation_is_told_by_the_timer_with_no_further_event(reason: str) -> None:
    story = Timeline().at(0).lists().at(1).sees(waiting(reason, created=0))
    assert story.until(15 * MINUTE - 1) == []
    assert story.until(HOUR) == [(910, "FIRST", "PodPending")]
    assert story.sent[0].alerts[0].annotations["summary"] == "web is stuck in creation"


def test_6_an_empty_reason_is_silent_until_a_reason_is_known() -> None:
    story = Timeline().at(0).lists().at(1).sees(waiting(""))
    assert story.until(HOUR) == []
    story.sees(waiting("CreateContainerConfigError", 'secret "db" not found'))
    assert story.until(2 * HOUR) == [(HOUR + 70, "FIRST", "ContainerNotStarting")]


def test_8_an_image_that_is_there_at_last_and_a_config_that_is_not() -> None:
    story = Timeline().at(0).lists().at(1).sees(waiting("ErrImagePull", "x:9: not found"))
    story.until(60)
    story.at(400).sees(waiting("CreateContainerConfigError", 'configmap "shop-config" not found'))
    assert story.until(HOUR) == [
        (11, "FIRST", "ImagePullFailing"),
        (611, "NEW_ALERTS", "ContainerNotStarting, -ImagePullFailing:recovered"),
    ]


@pytest.mark.parametrize("restarts", [0, 3], ids=["never restarted", "restarted"])
@pytest.mark.parametrize(
    ("reason", "message", "cause", "missing"),
    [
        ("CreateContainerConfigError", 'configmap "shop-config" not found', "missing_configmap", "shop-config"),
        ("CreateContainerConfigError", 'secret "db" not found', "missing_secret", "db"),
        ("CreateContainerError", 'context deadline exceeded', "timeout", ""),
        (
            "RunContainerError",
            'failed to start container "x": exec: "foo": executable file not found in $PATH: unknown',
            "command_not_found",
            "",
        ),
    ],
)  # fmt: skip
def test_10_a_container_that_cannot_start_is_one_alert_that_keeps_the_text(
    reason: str, message: str, cause: str, missing: str, restarts: int
) -> None:
    last = dead(127, "ContainerCannotRun", at=0) if restarts else None
    one = pod("web-1", status(waiting=reason, message=message, restarts=restarts, last=last), phase="Pending")
    story = Timeline().at(0).lists().at(1).sees(one)
    assert story.until(HOUR) == [(71, "FIRST", "ContainerNotStarting")]
    (member,) = (m for m in story.player.view.members.rows.values() if isinstance(m.signal, ContainerNotStarting))
    signal = member.signal
    assert isinstance(signal, ContainerNotStarting)
    assert (signal.cause, signal.missing, signal.message) == (cause, missing, message)


def test_10_a_command_that_is_not_there_is_told_once_through_its_back_offs() -> None:
    """containerd: StartError, then back-off, for ever; the crash loop is the effect."""
    text = 'exec: "foo": executable file not found in $PATH: unknown'
    story = Timeline().at(0).lists()
    for number, at in enumerate((5.0, 16.0, 40.0, 85.0, 170.0)):
        died = dead(128, "StartError", at=at, ran=0, message=text)
        story.at(at).sees(pod("web-1", status(restarts=number, terminated=died, ready=False)))
        story.at(at + 1).sees(pod("web-1", backoff(10 * 2**number, died, restarts=number)))
    assert story.until(HOUR) == [(75, "FIRST", "ContainerNotStarting")]
    assert set(story.held("ContainerCrashLooping")) == {
        "it is the effect of another alert, and is named in that alert's message"
    }


def test_19_an_autoscaler_that_adds_a_node_is_silent() -> None:
    story = Timeline().at(0).lists().at(1).sees(unscheduled()).at(11).sees(waiting("ContainerCreating"))
    story.at(40).sees(pod("web-1"))
    assert story.until(HOUR) == []


def test_20_unschedulable_for_five_minutes_is_told_with_its_causes_told_apart() -> None:
    story = Timeline().at(0).lists().at(1).sees(unscheduled())
    assert story.until(5 * MINUTE - 1) == []
    assert story.until(HOUR) == [(310, "FIRST", "PodPending")]
    (member,) = story.player.view.members.rows.values()
    assert isinstance(member.signal, PodPending)
    assert (member.signal.stage, member.signal.cause) == ("scheduling", "resources")
    assert set(member.signal.causes) == {"resources", "taint"}


def test_20_what_is_scheduled_at_last_has_ended() -> None:
    story = Timeline().at(0).lists().at(1).sees(unscheduled())
    story.until(400)
    story.at(500).sees(waiting("ContainerCreating")).at(520).sees(pod("web-1"))
    assert story.until(HOUR)[-1][1:] == ("ALL_ENDED", "-PodPending:recovered")


def test_21_a_scheduling_gate_is_silent_at_any_age() -> None:
    gated = unscheduled("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", created=-9 * HOUR)
    assert Timeline().at(0).lists(gated).until(24 * HOUR) == []


def test_22_pending_because_of_an_image_is_the_images_alert_alone() -> None:
    one = waiting("ImagePullBackOff", 'Back-off pulling image "x:9": ErrImagePull: x:9: not found', created=-HOUR)
    story = Timeline().at(0).lists(one)
    assert story.until(2 * HOUR) == [(10, "FIRST", "ImagePullFailing")]


def test_22_a_sidecar_that_is_created_does_not_hide_behind_the_image_of_another() -> None:
    """Of two containers one cannot be pulled and the other waits: the pod is pending because of the image."""
    one = pod(
        "web-1", status("a", waiting="ImagePullBackOff", message="x:9: not found"),
        status("b", waiting="ContainerCreating"), phase="Pending", created=-HOUR,
    )  # fmt: skip
    story = Timeline().at(0).lists(one)
    assert story.until(2 * HOUR) == [(10, "FIRST", "ImagePullFailing")]
    story.at(2 * HOUR).sees(
        pod("web-1", status("a"), status("b", waiting="ContainerCreating"), phase="Pending", created=0)
    )
    assert story.until(4 * HOUR)[1][1:] == ("NEW_ALERTS", "PodPending, -ImagePullFailing:recovered")


def test_59_an_image_of_an_old_pod_does_not_explain_a_new_sibling_that_is_unschedulable() -> None:
    old = pod("web-1", status(waiting="ImagePullBackOff", message="x:9: not found"), phase="Pending", created=-HOUR)
    new = pod(
        "web-2", phase="Pending", node="", no_statuses=True, created=0,
        conditions=(scheduled("False", "Unschedulable", NO_ROOM, at=0),),
    )  # fmt: skip
    story = Timeline().at(0).lists(old).at(1).sees(new)
    assert story.until(HOUR) == [(10, "FIRST", "ImagePullFailing"), (310, "NEW_ALERTS", "ImagePullFailing, PodPending")]


def test_a_job_whose_sidecar_container_has_completed_is_ready_enough() -> None:
    done = status("export", terminated=dead(0, at=10), ready=False)
    one = pod("import-1", done, status("app"), owner="Job/import", restart_policy="Never", changed=10)
    assert Timeline().at(0).lists().at(20).sees(one).until(HOUR) == []


def test_a_readiness_gate_that_is_not_met_is_seen_though_every_container_is_ready() -> None:
    gate = Condition(type="Ready", status="False", reason="ReadinessGatesNotReady", message="gate x is not met")
    one = pod("web-1")
    one = msgspec.structs.replace(one, status=msgspec.structs.replace(one.status, conditions=[gate]))
    assert Timeline().at(0).lists().at(20).sees(one).until(HOUR) == [(930, "FIRST", "PodNotReady")]


def test_a_pod_that_was_gated_for_an_hour_has_not_been_in_creation_for_that_hour() -> None:
    created = waiting("ContainerCreating", created=-HOUR, conditions=(scheduled("True", at=0),))
    story = Timeline().at(0).lists().at(1).sees(created)
    assert story.until(HOUR) == [(910, "FIRST", "PodPending")]


def test_a_container_that_waited_an_hour_for_its_image_has_not_been_unready_for_that_hour() -> None:
    """The builder's containers run since second 0."""
    one = pod("web-1", status(ready=False), changed=-HOUR)
    assert Timeline().at(0).lists().at(1).sees(one).until(HOUR) == [(910, "FIRST", "PodNotReady")]


def test_an_eviction_that_was_made_good_before_it_was_listed_is_silent() -> None:
    """A list shows the replacement before the pod that it replaces."""
    gone = pod("web-b", phase="Failed", reason="Evicted", no_statuses=True, changed=20)
    story = Timeline().at(0).lists(pod("web-b"), pod("web-c"))
    story.at(60).lists(pod("web-a", created=30), gone, pod("web-c"))
    assert story.until(HOUR) == []
