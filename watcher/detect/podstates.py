"""Pods that wait: not scheduled, stuck in creation, or running and not ready.

`since` is what the object tells (design.md section 6, fine print 3). What the pod waits for is told apart here only as
far as its status says; why a creation is stuck stands in its events alone, which are fetched as evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from watcher.detect import images, scheduling
from watcher.detect.containers import has_completed, waiting
from watcher.detect.fields import told_text
from watcher.detect.pods import ContainerView, containers, is_ending, moment
from watcher.model.kube import Condition, Pod
from watcher.model.signals import PodNotReady, PodPending

_GATED = "SchedulingGated"
_NEVER = datetime.min.replace(tzinfo=UTC)
_CREATION = images.UNDECIDED - {""}


def pod_states(pod: Pod, about: Mapping[str, Any], at: datetime) -> list[PodPending | PodNotReady]:
    """What is true of the pod as a whole."""
    found = pending(pod, about, at) or not_ready(pod, about, at)
    return [] if found is None else [found]


def pending(pod: Pod, about: Mapping[str, Any], at: datetime) -> PodPending | None:
    """Not scheduled, or not created yet. A scheduling gate is its owner's wish, and no reason yet is no trouble yet."""
    if pod.status.phase not in ("Pending", ""):
        return None
    scheduled = _condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return None if scheduled.reason == _GATED else _unscheduled(scheduled, pod, about, at)
    if not pod.spec.node_name:
        return None
    reason, message = _creation(pod)
    if not reason:
        return None
    return PodPending(
        **about,
        since=max(_past(pod.metadata.creation_timestamp, at), _scheduled_at(scheduled, pod, at)),
        stage="creation",
        cause="creation",
        reason=reason,
        message=told_text(message),
    )


def _scheduled_at(scheduled: Condition | None, pod: Pod, at: datetime) -> datetime:
    """A pod that was gated or unschedulable for an hour has not been in creation for that hour."""
    told = scheduled.last_transition_time if scheduled is not None else None
    return _past(told or pod.metadata.creation_timestamp, at)


def _unscheduled(scheduled: Condition, pod: Pod, about: Mapping[str, Any], at: datetime) -> PodPending:
    why = scheduling.classify(scheduled.message)
    return PodPending(
        **about,
        since=_past(scheduled.last_transition_time or pod.metadata.creation_timestamp, at),
        stage="scheduling",
        cause=why.cause,
        causes={cause: told_text(words) for cause, words in why.causes.items()},
        reason=scheduled.reason,
        message=told_text(scheduled.message),
    )


def _creation(pod: Pod) -> tuple[str, str]:
    """What the first container that waits says; a kubelet that has said nothing at all is waited for too."""
    views = containers(pod)
    if not views:
        return "ContainerCreating", "the kubelet has not reported yet"
    for view in views:
        state = waiting(view)
        if state is not None and state.reason in _CREATION:
            return state.reason, state.message
    return "", ""


def not_ready(pod: Pod, about: Mapping[str, Any], at: datetime) -> PodNotReady | None:
    """Running, and its condition Ready is not True. Containers that completed, and were meant to, are no reason."""
    ready = _condition(pod, "Ready")
    if pod.status.phase != "Running" or ready is None or ready.status == "True":
        return None
    if is_ending(pod) and pod.spec.restart_policy != "Always":
        return None
    missing = [view for view in containers(pod) if not view.status.ready and view.kind != "init"]
    if missing and all(has_completed(view, pod) for view in missing):
        return None
    return PodNotReady(
        **about,
        since=max(_past(ready.last_transition_time, at), _started_at(missing, at)),
        containers=tuple(view.status.name for view in missing if not has_completed(view, pod)),
        reason=ready.reason,
        message=told_text(ready.message),
    )


def _started_at(missing: list[ContainerView], at: datetime) -> datetime:
    """When the first of them began to run, if none has ever died: what waited for its image has not run till then."""
    starts = []
    for view in missing:
        running = view.status.state.running if view.status.state is not None else None
        if running is None or running.started_at is None or view.status.restart_count:
            return _NEVER
        starts.append(_past(running.started_at, at))
    return min(starts, default=_NEVER)


def _condition(pod: Pod, kind: str) -> Condition | None:
    return next((c for c in pod.status.conditions or () if c.type == kind), None)


def _past(time: datetime | None, at: datetime) -> datetime:
    told = moment(time)
    return at if told is None else min(told, at)
