"""What a pod is: its workload, its readiness, whether its troubles count, and how it failed.

A pod that is being deleted or disrupted on purpose, or whose containers are all restarted on request, gives no
trouble: what dies in it is taken note of and not counted.
"""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from watcher.model.identity import Workload
from watcher.model.kube import Container, ContainerStatus, Pod, StateTerminated

_DEAD_NODE_OR_KUBELET = ("DeletionByTaintManager", "TerminationByKubelet")
"""DisruptionTarget reasons that nobody wanted: the taint of a dead node, and the kubelet's own eviction (KEP-3329)."""

_CRONJOB_RUN = re.compile(r"-\d{8,11}$")
"""A CronJob names its Jobs `<name>-<minutes since the epoch>` (seconds before Kubernetes 1.21)."""


class ContainerView(msgspec.Struct, frozen=True, gc=False):
    """A container's specification and status side by side. `kind`: app, init or sidecar."""

    status: ContainerStatus
    spec: Container
    kind: str


def containers(pod: Pod) -> list[ContainerView]:
    """Init containers (and native sidecars) first, as they run. Ephemeral containers are not among them."""
    views = []
    for specs, statuses, init in (
        (pod.spec.init_containers, pod.status.init_container_statuses, True),
        (pod.spec.containers, pod.status.container_statuses, False),
    ):
        by_name = {spec.name: spec for spec in specs or ()}
        for status in statuses or ():
            spec = by_name.get(status.name) or Container(name=status.name, image=status.image)
            kind = "app" if not init else "sidecar" if spec.restart_policy == "Always" else "init"
            views.append(ContainerView(status, spec, kind))
    return views


def workload_of(pod: Pod) -> tuple[Workload, str]:
    """(the workload as people name it, the controller's uid or name). A bare or mirror pod is its own workload."""
    meta = pod.metadata
    owner = next((ref for ref in meta.owner_references or () if ref.controller), None)
    if owner is None or owner.kind == "Node":
        return Workload(meta.namespace, "Pod", meta.name), ""
    kind, name = owner.kind, owner.name
    if kind == "ReplicaSet":
        suffix = "-" + ((meta.labels or {}).get("pod-template-hash") or "\0")
        if name.endswith(suffix):
            kind, name = "Deployment", name.removesuffix(suffix)
    elif kind == "Job" and _CRONJOB_RUN.search(name):
        kind, name = "CronJob", _CRONJOB_RUN.sub("", name)
    return Workload(meta.namespace, kind, name), owner.uid or owner.name


def condition(pod: Pod, kind: str) -> str:
    """The status of one condition: True, False, Unknown, or empty where it is not set."""
    return next((c.status for c in pod.status.conditions or () if c.type == kind), "")


def is_ready(pod: Pod) -> bool:
    return condition(pod, "Ready") == "True" and pod.metadata.deletion_timestamp is None


def is_quiet(pod: Pod) -> bool:
    """What dies in it is nobody's trouble: deleted, succeeded, disrupted on purpose, or restarted as a whole."""
    if pod.metadata.deletion_timestamp is not None or pod.status.phase == "Succeeded":
        return True
    for c in pod.status.conditions or ():
        if c.status != "True":
            continue
        if c.type == "AllContainersRestarting":
            return True
        if c.type == "DisruptionTarget" and c.reason not in _DEAD_NODE_OR_KUBELET:
            return True
    return False


def is_ending(pod: Pod) -> bool:
    """Every app container has ended for good: sidecars that are now stopped end with their pod (KEP-753)."""
    statuses = pod.status.container_statuses or ()
    return bool(statuses) and all(
        status.state is not None and status.state.terminated is not None for status in statuses
    )


def real(terminated: StateTerminated | None) -> StateTerminated | None:
    """A termination that happened. A pod deleted while it waited shows one without times and reason: a phantom."""
    if terminated is None:
        return None
    if moment(terminated.finished_at) is None and not terminated.reason:
        return None
    return terminated


def moment(time: datetime | None) -> datetime | None:
    """Go's zero time is no time."""
    return None if time is None or time.year == 1 else time


def failed_at(pod: Pod, seen_at: datetime, first_seen: bool) -> datetime:
    """When a pod in phase Failed failed (design.md section 6, fine print 9)."""
    finished = [
        time
        for view in containers(pod)
        if view.status.state is not None
        and view.status.state.terminated is not None
        and (time := moment(view.status.state.terminated.finished_at)) is not None
    ]
    if finished:
        return min(max(finished), seen_at)
    changed = [time for c in pod.status.conditions or () if (time := moment(c.last_transition_time)) is not None]
    if changed:
        return min(max(changed), seen_at)
    if first_seen and pod.metadata.creation_timestamp is not None:
        return min(pod.metadata.creation_timestamp, seen_at)
    return seen_at
