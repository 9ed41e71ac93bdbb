"""Pods that failed: whether one is news, why it failed, and what its workload has left.

A pod in phase Failed stays as it is for ever, so its failure is an occurrence at the time it happened. It is
looked at again when its workload's ready pods change, and when a Job's time to start another pod is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.detect import evictions
from watcher.detect.fields import container_fields, exit_signal, memory_bytes, told_text
from watcher.detect.memory import is_eviction_for_memory
from watcher.detect.pods import ContainerView, containers, real
from watcher.model.kube import Pod, StateTerminated
from watcher.model.remembered import PodState
from watcher.model.signals import OomClass, OOMKilled, PodFailed

JOB_PATIENCE = timedelta(minutes=6)
"""The longest back-off of a Job between two of its pods (job controller, MaxJobBackOff is 6 m for each)."""

FORGOTTEN_AFTER = timedelta(hours=24)
"""A failure older than this is no longer looked at."""

_CAUSES = {
    "Evicted": "evicted",
    "DeadlineExceeded": "deadline",
    "NodeLost": "node_lost",
    "Preempting": "preempted",
    "Terminated": "shutdown",
    "Shutdown": "shutdown",
    "NodeShutdown": "shutdown",
    "NodeAffinity": "rejected",
    "UnexpectedAdmissionError": "rejected",
    "TopologyAffinityError": "rejected",
    "PodOSNotSupported": "rejected",
}


class Left(msgspec.Struct, frozen=True, gc=False):
    """What the workload of a failed pod has left. `runs`: of a Job or CronJob all of its pods."""

    ready: int
    runs: Iterable[PodState] = ()


def failure(pod: Pod, state: PodState, about: Mapping[str, Any], left: Left, at: datetime) -> PodFailed:
    """The failure of `pod` as it stands now."""
    others = [other for other in left.runs if other.uid != state.uid]
    failed_at = state.failed_at or at
    culprit, terminated = _culprit(pod)
    return PodFailed(
        **about,
        since=failed_at,
        id=state.uid,
        cause=_cause(pod, terminated),
        reason=pod.status.reason or (terminated.reason if terminated is not None else ""),
        message=told_text(pod.status.message or (terminated.message if terminated is not None else "")),
        container=culprit.status.name if culprit is not None else "",
        image=culprit.spec.image if culprit is not None else "",
        exit_code=terminated.exit_code if terminated is not None else None,
        exit_signal=exit_signal(terminated) if terminated is not None else None,
        container_id=terminated.container_id if terminated is not None else "",
        ready_pods=left.ready,
        ready_pods_before=state.ready_before,
        job_retrying=_job_retrying(state, others, failed_at, at),
        later_run_succeeded=any(
            other.phase == "Succeeded" and other.created is not None and other.created > failed_at for other in others
        ),
    )


def eviction_for_memory(pod: Pod, about: Mapping[str, Any], failed_at: datetime) -> OOMKilled | None:
    """An eviction because its node ran short of memory is an OOM kill of its own class."""
    eviction = evictions.classify(pod.status.message) if pod.status.reason == "Evicted" else None
    if eviction is None or not is_eviction_for_memory(eviction):
        return None
    view = next((view for view in containers(pod) if view.status.name == eviction.container), None)
    fields = container_fields(view, about) if view is not None else {**about, "container": eviction.container}
    return OOMKilled(
        **fields,
        since=failed_at,
        id=str(about["uid"]),
        oom_class=OomClass.EVICTED.value,
        reason=pod.status.reason,
        message=told_text(pod.status.message),
        memory_limit_bytes=memory_bytes(fields.get("limits", {})),
        memory_request_bytes=memory_bytes(fields.get("requests", {})),
    )


def is_of_job(state: PodState) -> bool:
    """Its controller may start another pod in its place."""
    return state.workload.kind in ("Job", "CronJob")


def look_again_at(state: PodState, at: datetime) -> datetime | None:
    """When a failed pod has to be judged again though nothing happens."""
    if state.failed_at is None or not is_of_job(state):
        return None
    due = state.failed_at + JOB_PATIENCE
    return due if due > at else None


def _job_retrying(state: PodState, others: Iterable[PodState], failed_at: datetime, at: datetime) -> bool:
    if not is_of_job(state):
        return False
    if at < failed_at + JOB_PATIENCE:
        return True
    return any(
        other.owner == state.owner and other.created is not None and other.created > failed_at for other in others
    )


def _culprit(pod: Pod) -> tuple[ContainerView | None, StateTerminated | None]:
    """The container that ended first with a failure, sidecars last; (None, None) where none tells."""
    failed = [
        (view, terminated)
        for view in containers(pod)
        if view.status.state is not None
        and (terminated := real(view.status.state.terminated)) is not None
        and terminated.exit_code != 0
    ]
    if not failed:
        return None, None
    return min(failed, key=lambda pair: (pair[0].kind == "sidecar", str(pair[1].finished_at or "~")))


def _cause(pod: Pod, terminated: StateTerminated | None) -> str:
    reason = pod.status.reason
    if reason in _CAUSES:
        return _CAUSES[reason]
    if reason.startswith("OutOf"):
        return "rejected"
    if terminated is None:
        return "unknown"
    if terminated.reason in ("StartError", "ContainerCannotRun"):
        return "start_failed"
    return "unknown" if terminated.reason == "ContainerStatusUnknown" else "exit"
