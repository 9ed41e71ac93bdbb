"""The narrow view of Kubernetes objects: only what the detectors, the messages and a recording need.

The records have Kubernetes' own field names (camelCase on the wire), so that encoding one gives a valid, partial
object: that is what a recording holds, and why it can never hold an environment value, a Secret or managedFields.
Go writes `null` for an empty list, so every list and map may be None.
Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""metav1.Time: always with a zone. One without is refused when it is decoded."""


class Kube(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    omit_defaults=True,
    gc=False,
):
    """Base of all narrow Kubernetes records."""


class OwnerReference(Kube, frozen=True, kw_only=True):
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class ObjectMeta(Kube, frozen=True, kw_only=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


class ResourceRequirements(Kube, frozen=True, kw_only=True):
    """Quantities as written (`512Mi`, `100m`); numbers are possible where a manifest was not normalised."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class Container(Kube, frozen=True, kw_only=True):
    name: str = ""
    image: str = ""
    restart_policy: str = ""
    """Only of init containers: `Always` makes a native sidecar of it (KEP-753)."""
    resources: ResourceRequirements | None = None


class PodSpec(Kube, frozen=True, kw_only=True):
    node_name: str = ""
    restart_policy: str = "Always"
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None


class StateWaiting(Kube, frozen=True, kw_only=True):
    reason: str = ""
    message: str = ""


class StateRunning(Kube, frozen=True, kw_only=True):
    started_at: Time | None = None


class StateTerminated(Kube, frozen=True, kw_only=True):
    exit_code: int = 0
    signal: int | None = None
    reason: str = ""
    message: str = ""
    started_at: Time | None = None
    finished_at: Time | None = None
    container_id: str = msgspec.field(default="", name="containerID")


class ContainerStateKube(Kube, frozen=True, kw_only=True):
    """Exactly one of the three is set, or none while the kubelet has not reported yet."""

    waiting: StateWaiting | None = None
    running: StateRunning | None = None
    terminated: StateTerminated | None = None


class ContainerStatus(Kube, frozen=True, kw_only=True):
    name: str = ""
    image: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    container_id: str = msgspec.field(default="", name="containerID")
    state: ContainerStateKube | None = None
    last_state: ContainerStateKube | None = None


class Condition(Kube, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: Time | None = None


class PodStatus(Kube, frozen=True, kw_only=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    start_time: Time | None = None
    conditions: list[Condition] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None


class Pod(Kube, frozen=True, kw_only=True):
    """A pod as Watcher sees it. Ephemeral (debug) containers are left out: they end non-zero in normal use."""

    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()
