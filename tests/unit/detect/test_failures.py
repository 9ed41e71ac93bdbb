"""Pods that failed: the cause, the culprit, and what a Job may still do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.support.pods import dead, pod, status
from tests.support.timeline import PODS, time
from watcher.detect.failures import JOB_PATIENCE, Left, failure, look_again_at
from watcher.detect.fields import common
from watcher.detect.pods import workload_of
from watcher.model.kube import Pod
from watcher.model.remembered import PodState
from watcher.model.signals import PodFailed


def state(one: Pod, **fields: Any) -> PodState:
    workload, owner = workload_of(one)
    known: dict[str, Any] = {
        "uid": one.metadata.uid, "namespace": "shop", "name": one.metadata.name, "workload": workload, "owner": owner,
        "scope": PODS, "generation": 1, "created": one.metadata.creation_timestamp, "phase": one.status.phase,
        "ready": False, "failed_at": time(0), **fields,
    }  # fmt: skip
    return PodState(**known)


def failed(one: Pod, *others: PodState, at: float = 10) -> PodFailed:
    mine = state(one)
    left = Left(sum(one.ready for one in others), [mine, *others])
    return failure(one, mine, common(one, mine.workload, "prod-eu"), left, time(at))


def gone(reason: str, message: str = "") -> Pod:
    return pod("p", phase="Failed", reason=reason, message=message, no_statuses=True)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Evicted", "evicted"), ("DeadlineExceeded", "deadline"), ("NodeLost", "node_lost"),
        ("Preempting", "preempted"), ("Terminated", "shutdown"), ("Shutdown", "shutdown"),
        ("NodeShutdown", "shutdown"), ("NodeAffinity", "rejected"), ("OutOfcpu", "rejected"),
        ("OutOfmemory", "rejected"), ("OutOfpods", "rejected"), ("UnexpectedAdmissionError", "rejected"),
        ("TopologyAffinityError", "rejected"), ("PodOSNotSupported", "rejected"), ("Novelty", "unknown"),
        ("", "unknown"),
    ],
)  # fmt: skip
def test_the_reason_of_the_pod_tells_the_cause(reason: str, cause: str) -> None:
    assert failed(gone(reason)).cause == cause


@pytest.mark.parametrize(
    ("code", "reason", "cause", "signal"),
    [
        (1, "Error", "exit", None),
        (137, "Error", "exit", 9),
        (139, "Error", "exit", 11),
        (255, "Error", "exit", None),
        (127, "ContainerCannotRun", "start_failed", None),
        (128, "StartError", "start_failed", None),
        (137, "ContainerStatusUnknown", "unknown", 9),
    ],
)
def test_else_the_container_that_failed_tells_it(code: int, reason: str, cause: str, signal: int | None) -> None:
    one = failed(pod("p", status(terminated=dead(code, reason)), phase="Failed"))
    assert (one.cause, one.exit_code, one.exit_signal, one.reason, one.container) == (
        cause,
        code,
        signal,
        reason,
        "app",
    )


def test_the_first_container_to_fail_is_the_culprit_and_a_sidecar_last() -> None:
    one = pod(
        "p",
        status("late", terminated=dead(2, at=9)),
        status("early", terminated=dead(3, at=5)),
        status("fine", terminated=dead(0, at=1)),
        init=(status("proxy", terminated=dead(137, at=2)),),
        sidecars=("proxy",),
        phase="Failed",
    )
    assert (failed(one).container, failed(one).exit_code) == ("early", 3)


def test_a_failure_tells_who_is_left() -> None:
    ready = [state(pod(name), ready=True) for name in ("a", "b")]
    one = failed(gone("Evicted"), *ready)
    assert (one.ready_pods, one.ready_pods_before, one.id) == (2, 1, "uid-p")


def test_what_the_cluster_says_is_redacted_and_cut() -> None:
    one = failed(gone("Evicted", "see https://user:hunter2secret@example.org/ " + "x" * 5000))
    assert "hunter2secret" not in one.message
    assert len(one.message) <= 1000


JOB: dict[str, Any] = {"owner": "Job/import", "restart_policy": "Never"}


def test_a_job_is_given_time_to_try_again() -> None:
    one = pod("p", status(terminated=dead(1)), phase="Failed", **JOB)
    patience = JOB_PATIENCE.total_seconds()
    assert [failed(one, at=at).job_retrying for at in (0, patience - 1, patience, patience + 1)] == [
        True, True, False, False,
    ]  # fmt: skip
    assert look_again_at(state(one), time(0)) == time(patience)
    assert look_again_at(state(one), time(patience)) is None
    assert look_again_at(state(gone("Evicted")), time(0)) is None
    assert look_again_at(msgspec.structs.replace(state(one), failed_at=None), time(0)) is None


def test_a_job_that_made_another_pod_is_retrying() -> None:
    one = pod("p", status(terminated=dead(1)), phase="Failed", **JOB)
    later = state(pod("q", created=30, **JOB), phase="Pending")
    other_run = msgspec.structs.replace(later, owner="another")
    assert failed(one, later, at=4000).job_retrying
    assert not failed(one, other_run, at=4000).job_retrying


def test_a_later_run_that_succeeded_makes_good_for_it() -> None:
    one = pod("p", status(terminated=dead(1)), phase="Failed", **JOB)
    later, earlier = (state(pod("q", created=at, **JOB), phase="Succeeded") for at in (30, -30))
    assert failed(one, later).later_run_succeeded
    assert not failed(one, earlier).later_run_succeeded
