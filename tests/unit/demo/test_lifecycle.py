"""The status writes of pods, against recorded ones and against what kubelets are known to write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.demo.stage import Stage, condition, in_words

FIXTURES = Path(__file__).parents[2] / "fixtures"


def recorded(name: str) -> list[str]:
    frames: list[dict[str, Any]] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return [in_words("ADDED" if index == 0 else "MODIFIED", frame) for index, frame in enumerate(frames)]


def pod(behaviour: str = "", more: str = "") -> str:
    does = f"    does: {behaviour}\n" if behaviour else ""
    return f"workloads:\n  - pod: ns/web\n    image: r.example.com/web:1\n{does}{more}"


def test_a_healthy_start_is_written_as_it_was_recorded() -> None:
    stage = Stage(pod())
    stage.run(10)
    assert stage.frames("web") == recorded("seq_pod_create_success")


def test_a_container_that_exits_0_at_once_is_written_as_it_was_recorded() -> None:
    stage = Stage(pod("{complete: {after: 0s}}"))
    stage.run(5)
    assert stage.frames("web") == recorded("seq_pod_completed_crashloop")


def test_an_image_that_cannot_be_pulled_is_written_as_it_was_recorded() -> None:
    stage = Stage(pod("{cannot_pull: not_found}"))
    stage.run(8)
    assert stage.frames("web") == recorded("seq_pod_imagepull_error")


def test_the_first_frames_carry_what_each_component_knows_then() -> None:
    stage = Stage(pod())
    stage.run(10)
    created, bound, admitted, running = (frame for _, frame in stage.history("web"))
    assert "conditions" not in created["status"] or not created["status"]["conditions"]
    assert "nodeName" not in created["spec"]
    assert bound["spec"]["nodeName"].startswith("node-")
    assert [entry["type"] for entry in bound["status"]["conditions"]] == ["PodScheduled"]
    assert condition(admitted, "Initialized")["status"] == "True"
    assert condition(admitted, "Ready")["reason"] == "ContainersNotReady"
    assert admitted["status"]["startTime"]
    assert "podIP" not in admitted["status"]
    assert condition(running, "Ready")["status"] == "True"
    assert running["status"]["podIP"]


def test_a_crash_loop_waits_10_seconds_doubling_to_five_minutes_in_the_kubelets_words() -> None:
    stage = Stage(pod("{crash: {exit: 1, after: 3s}}"))
    stage.run(1500)
    messages = [
        frame["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
        for _, frame in stage.history("web")
        if "CrashLoopBackOff" in str(frame["status"])
    ]
    uid = stage.cluster.list("Pod")[0]["metadata"]["uid"]
    tail = f"restarting failed container=app pod=web_ns({uid})"
    spans = ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s", "5m0s", "5m0s"]
    assert messages == [f"back-off {span} {tail}" for span in spans]


def test_a_crash_loop_restarts_at_once_first_and_then_shows_each_state() -> None:
    stage = Stage(pod("{crash: {exit: 1, after: 3s}}"))
    stage.run(30)
    assert stage.frames("web")[3:10] == [
        "MODIFIED Running 0 running ready",
        "MODIFIED Running 0 Error(1)",
        "MODIFIED Running 1 running last:Error(1) ready",
        "MODIFIED Running 1 Error(1) last:Error(1)",
        "MODIFIED Running 1 CrashLoopBackOff last:Error(1)",
        "MODIFIED Running 2 running last:Error(1) ready",
        "MODIFIED Running 2 Error(1) last:Error(1)",
    ]


def test_each_death_has_a_container_id_and_times_of_its_own() -> None:
    stage = Stage(pod("{crash: {exit: 1, after: 3s}}"))
    stage.run(200)
    deaths: dict[str, dict[str, Any]] = {}
    for _, frame in stage.history("web"):
        for container in frame["status"].get("containerStatuses", []):
            for state in (container["state"], container["lastState"]):
                if "terminated" in state:
                    known = deaths.setdefault(state["terminated"]["containerID"], state["terminated"])
                    assert known == state["terminated"]
    assert len(deaths) == 6
    spans = {(death["startedAt"], death["finishedAt"]) for death in deaths.values()}
    assert len(spans) == 6
    assert all(started < finished for started, finished in spans)


def test_ready_changes_its_transition_time_only_when_it_changes() -> None:
    stage = Stage(pod("{crash: {exit: 1, after: 3s}}"))
    stage.run(60)
    seen: dict[str, set[str]] = {}
    for _, frame in stage.history("web")[2:]:
        ready = condition(frame, "Ready")
        seen.setdefault(ready["lastTransitionTime"], set()).add(ready["status"])
    assert all(len(statuses) == 1 for statuses in seen.values()), seen
    scheduled = {condition(frame, "PodScheduled")["lastTransitionTime"] for _, frame in stage.history("web")[1:]}
    assert len(scheduled) == 1


def test_after_ten_minutes_of_running_the_back_off_starts_anew() -> None:
    stage = Stage(pod("{crash: {exit: 1, after: 11m}}"))
    stage.run(3600)
    assert "CrashLoopBackOff" not in " ".join(stage.frames("web"))
    assert stage.cluster.list("Pod")[0]["status"]["containerStatuses"][0]["restartCount"] == 5


def test_an_oom_kill_is_seen_in_state_and_then_in_last_state() -> None:
    stage = Stage(pod("{oom: {after: 20s}}"))
    stage.run(50)
    assert stage.frames("web")[4:8] == [
        "MODIFIED Running 0 OOMKilled(137)",
        "MODIFIED Running 1 running last:OOMKilled(137) ready",
        "MODIFIED Running 1 OOMKilled(137) last:OOMKilled(137)",
        "MODIFIED Running 1 CrashLoopBackOff last:OOMKilled(137)",
    ]


def test_two_deaths_at_the_start_and_then_it_runs() -> None:
    stage = Stage(pod("{crash: {exit: 1, after: 2s, times: 2}}"))
    stage.run(600)
    assert stage.frames("web")[-1] == "MODIFIED Running 2 running last:Error(1) ready"


@pytest.mark.parametrize(
    ("kubelet", "suffix"),
    [
        pytest.param("1.31", "", id="before 1.32 the back-off does not name the cause"),
        pytest.param("1.32", ": ErrImagePull: failed to pull", id="since 1.32 it does"),
    ],
)
def test_the_texts_of_a_failed_pull_are_those_of_the_kubelets_version(kubelet: str, suffix: str) -> None:
    stage = Stage(f'kubelet: "{kubelet}"\n' + pod("{cannot_pull: not_found}"))
    stage.run(8)
    waits = [frame["status"]["containerStatuses"][0]["state"]["waiting"] for _, frame in stage.history("web")[-2:]]
    cause = 'failed to resolve reference "r.example.com/web:1": r.example.com/web:1: not found'
    assert waits[0]["reason"] == "ErrImagePull"
    assert waits[0]["message"].endswith(cause)
    assert waits[0]["message"].startswith("rpc error: code = NotFound desc = ") == (kubelet == "1.31")
    assert waits[1]["reason"] == "ImagePullBackOff"
    assert waits[1]["message"].startswith('Back-off pulling image "r.example.com/web:1"' + suffix)


def test_pull_attempts_come_after_10_20_40_80_160_and_then_every_300_seconds() -> None:
    stage = Stage(pod("{cannot_pull: denied}"))
    stage.run(1800)
    attempts = [
        version
        for version, (_, frame) in enumerate(stage.history("web"))
        if "'ErrImagePull'" in str(frame["status"].get("containerStatuses"))
    ]
    assert len(attempts) == 10
    assert stage.cluster.list("Pod")[0]["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.mark.parametrize("cause", ["invalid_name", "policy_never"])
def test_what_no_pull_can_heal_stays_as_it_is_without_back_off(cause: str) -> None:
    stage = Stage(pod(f"{{cannot_pull: {cause}}}"))
    stage.run(300)
    assert len(stage.frames("web")) == 4
    assert stage.frames("web")[-1] in ("MODIFIED Pending 0 InvalidImageName", "MODIFIED Pending 0 ErrImageNeverPull")


def test_an_image_that_appears_is_pulled_at_the_next_attempt() -> None:
    stage = Stage(pod("{cannot_pull: not_found}") + "timeline: [{at: 60s, recover: ns/web}]")
    stage.run(120)
    assert stage.frames("web")[-1] == "MODIFIED Running 0 running ready"


def test_a_missing_configmap_keeps_the_pod_pending_without_restarts() -> None:
    message = 'configmap "x" not found'
    stage = Stage(pod(f"{{cannot_start: {{reason: CreateContainerConfigError, message: '{message}'}}}}"))
    stage.run(600)
    assert stage.frames("web")[3:] == ["MODIFIED Pending 0 CreateContainerConfigError"]
    assert stage.events("Failed")[0]["count"] > 10


def test_a_start_failure_is_running_with_a_start_error_behind_it_and_loops() -> None:
    stage = Stage(pod("{cannot_start: {reason: RunContainerError, message: 'exec: not found'}}"))
    stage.run(6)
    assert stage.frames("web")[3:6] == [
        "MODIFIED Running 0 RunContainerError last:StartError(128)",
        "MODIFIED Running 1 RunContainerError last:StartError(128)",
        "MODIFIED Running 1 CrashLoopBackOff last:StartError(128)",
    ]


def test_with_restart_policy_never_a_death_fails_the_pod() -> None:
    stage = Stage(pod("{crash: {exit: 3, after: 4s}}", "    restart_policy: Never\n"))
    stage.run(60)
    assert stage.frames("web")[-1] == "MODIFIED Failed 0 Error(3)"
    assert condition(stage.cluster.list("Pod")[0], "Ready")["reason"] == "PodFailed"


def test_with_restart_policy_on_failure_exit_0_ends_the_pod_well() -> None:
    stage = Stage(pod("{complete: {after: 4s}}", "    restart_policy: OnFailure\n"))
    stage.run(60)
    assert stage.frames("web")[-1] == "MODIFIED Succeeded 0 Completed(0)"


def test_an_init_container_that_crashes_keeps_the_pod_pending() -> None:
    more = "    containers: [{name: mig, kind: init, image: 'r/m:1', does: {crash: {exit: 1, after: 2s, times: 3}}}]\n"
    stage = Stage(pod(more=more))
    stage.run(12)
    pending = stage.cluster.list("Pod")[0]["status"]
    assert pending["phase"] == "Pending"
    assert pending["initContainerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert pending["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    stage.run(120)
    assert stage.frames("web")[-1] == "MODIFIED Running 0 running ready"
    assert stage.cluster.list("Pod")[0]["status"]["initContainerStatuses"][0]["ready"] is True


def test_a_sidecar_that_crash_loops_leaves_the_pod_running_and_not_ready() -> None:
    more = "    containers: [{name: proxy, kind: sidecar, image: 'r/p:1'}]\n"
    stage = Stage(pod(more=more) + "timeline: [{at: 60s, crash: ns/web, container: proxy, after: 2s}]")
    stage.run(59)
    assert condition(stage.cluster.list("Pod")[0], "Ready")["status"] == "True"
    stage.run(12)
    status = stage.cluster.list("Pod")[0]["status"]
    assert status["phase"] == "Running"
    assert status["initContainerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert condition(stage.cluster.list("Pod")[0], "Ready")["message"] == "containers with unready status: [proxy]"


def test_a_pod_that_waits_for_an_image_beside_a_running_container_is_pending() -> None:
    more = "    containers: [{name: second, image: 'r/x:1', does: {cannot_pull: dns}}]\n"
    stage = Stage(pod(more=more))
    stage.run(30)
    assert stage.cluster.list("Pod")[0]["status"]["phase"] == "Pending"
    assert stage.frames("web")[-1] == "MODIFIED Pending 0 running ready"


def test_a_deleted_pod_ends_with_143_and_is_failed_just_before_it_goes() -> None:
    stage = Stage(pod() + "timeline: [{at: 60s, delete: ns/web}]")
    stage.run(120)
    assert stage.frames("web")[4:] == [
        "MODIFIED Running deleting 0 running ready",
        "MODIFIED Failed deleting 0 Error(143)",
        "DELETED Failed deleting 0 Error(143)",
    ]
    deleting = stage.history("web")[4][1]["metadata"]
    assert deleting["deletionGracePeriodSeconds"] == 30
    assert deleting["deletionTimestamp"] == "2026-11-20T10:01:30Z"


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace_period() -> None:
    stage = Stage(pod("{run: {stop_exit: 137}}") + "timeline: [{at: 60s, delete: ns/web}]")
    stage.run(89)
    assert stage.frames("web")[-1] == "MODIFIED Running deleting 0 running ready"
    stage.run(2)
    assert stage.frames("web")[-1] == "DELETED Failed deleting 0 Error(137)"


def test_a_pod_deleted_while_its_image_is_missing_shows_the_termination_without_times() -> None:
    stage = Stage(pod("{cannot_pull: not_found}") + "timeline: [{at: 60s, delete: ns/web}]")
    stage.run(120)
    ended = stage.history("web")[-1][1]["status"]
    assert ended["phase"] == "Pending"
    phantom = {"exitCode": 0, "startedAt": None, "finishedAt": None}
    assert ended["containerStatuses"][0]["state"]["terminated"] == phantom


def test_an_evicted_pod_is_failed_without_container_statuses() -> None:
    stage = Stage(pod() + "timeline: [{at: 60s, evict: ns/web, message: 'The node was low on resource: memory. '}]")
    stage.run(600)
    status = stage.cluster.list("Pod")[0]["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert "containerStatuses" not in status
    assert condition(stage.cluster.list("Pod")[0], "DisruptionTarget")["reason"] == "TerminationByKubelet"
    assert stage.events("Evicted")[0]["type"] == "Warning"


def test_an_unschedulable_pod_says_why_and_is_scheduled_when_there_is_room() -> None:
    stage = Stage(pod("{unschedulable: '0/3 nodes are available: 3 Insufficient memory.'}"))
    stage.run(120)
    waiting = stage.cluster.list("Pod")[0]
    assert condition(waiting, "PodScheduled")["reason"] == "Unschedulable"
    assert "nodeName" not in waiting["spec"]
    stage.pod("ns/web").pod_level = None
    stage.run(400)
    assert stage.frames("web")[-1] == "MODIFIED Running 0 running ready"


def test_a_pod_whose_volume_cannot_be_mounted_says_so_only_in_events() -> None:
    stage = Stage(pod("{stuck: {message: 'MountVolume.SetUp failed for volume \"x\"'}}"))
    stage.run(600)
    assert stage.frames("web")[-1] == "MODIFIED Pending 0 ContainerCreating"
    assert stage.events("FailedMount")[0]["count"] == 5


def test_failing_readiness_shows_in_the_conditions_and_heals() -> None:
    steps = "timeline: [{at: 60s, unready: ns/web}, {at: 120s, recover: ns/web}]"
    stage = Stage(pod(more="    ready_after: 3s\n") + steps)
    stage.run(100)
    assert condition(stage.cluster.list("Pod")[0], "Ready")["status"] == "False"
    assert stage.events("Unhealthy")[0]["count"] == 5
    stage.run(30)
    assert condition(stage.cluster.list("Pod")[0], "Ready")["status"] == "True"
    assert stage.frames("web")[-1] == "MODIFIED Running 0 running ready"


def test_an_object_that_was_removed_behind_the_kubelets_back_is_not_written_again() -> None:
    stage = Stage(pod("{crash: {exit: 1, after: 3s}}"))
    stage.run(10)
    stage.cluster.delete("Pod", "ns", "web")
    stage.run(100)
    assert stage.cluster.list("Pod") == []
    assert stage.world.pods == {}
