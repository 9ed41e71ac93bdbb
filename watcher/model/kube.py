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


class EnvVar(Kube, frozen=True, kw_only=True):
    """Only variables with a JVM's heap flags are kept, and of those only the flags (source/decode.py)."""

    name: str = ""
    value: str = ""


class VolumeMount(Kube, frozen=True, kw_only=True):
    name: str = ""


class Container(Kube, frozen=True, kw_only=True):
    """`command`, `args` and `env` hold the heap flags of a JVM and nothing else; mounts and devices only claims."""

    name: str = ""
    image: str = ""
    restart_policy: str = ""
    """Only of init containers: `Always` makes a native sidecar of it (KEP-753)."""
    resources: ResourceRequirements | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[EnvVar] | None = None
    volume_mounts: list[VolumeMount] | None = None
    volume_devices: list[VolumeMount] | None = None


class ClaimSource(Kube, frozen=True, kw_only=True):
    claim_name: str = ""


class EphemeralSource(Kube, frozen=True, kw_only=True):
    """A generic ephemeral volume: its claim is named `<pod>-<volume>` and is owned by the pod."""


class Volume(Kube, frozen=True, kw_only=True):
    """Only volumes that are claims are kept."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: EphemeralSource | None = None


class PodSpec(Kube, frozen=True, kw_only=True):
    node_name: str = ""
    restart_policy: str = "Always"
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None


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


class ClaimSpec(Kube, frozen=True, kw_only=True):
    storage_class_name: str | None = None
    """None: the default class; empty: no class, bound by hand."""
    volume_name: str = ""
    volume_mode: str = ""
    """Filesystem (also where it is empty) or Block."""
    access_modes: list[str] | None = None
    resources: ResourceRequirements | None = None


class ClaimStatus(Kube, frozen=True, kw_only=True):
    phase: str = ""
    """Pending, Bound or Lost."""
    capacity: dict[str, str | int | float] | None = None


class PersistentVolumeClaim(Kube, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class NodeSpec(Kube, frozen=True, kw_only=True):
    unschedulable: bool | None = None
    """Cordoned."""


class NodeAddress(Kube, frozen=True, kw_only=True):
    type: str = ""
    address: str = ""


class DaemonEndpoint(Kube, frozen=True, kw_only=True):
    port: int = msgspec.field(default=0, name="Port")
    """Written with a capital P, as Go's field is named."""


class DaemonEndpoints(Kube, frozen=True, kw_only=True):
    kubelet_endpoint: DaemonEndpoint | None = None


class NodeStatus(Kube, frozen=True, kw_only=True):
    conditions: list[Condition] | None = None
    addresses: list[NodeAddress] | None = None
    daemon_endpoints: DaemonEndpoints | None = None


class Node(Kube, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Namespace(Kube, frozen=True, kw_only=True):
    """Metadata alone (PartialObjectMetadata): its annotations are hints."""

    metadata: ObjectMeta = ObjectMeta()


class ObjectReference(Kube, frozen=True, kw_only=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class EventSeries(Kube, frozen=True, kw_only=True):
    count: int | None = None
    last_observed_time: Time | None = None


class Event(Kube, frozen=True, kw_only=True):
    """core/v1. Of the new kind (events.k8s.io) times and count are null, and stand in `series` (a hint, no truth)."""

    metadata: ObjectMeta = ObjectMeta()
    involved_object: ObjectReference = ObjectReference()
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    count: int | None = None
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
    event_time: Time | None = None
    series: EventSeries | None = None

    @property
    def newest(self) -> datetime | None:
        """When it happened last."""
        series = self.series.last_observed_time if self.series else None
        times = (series, self.last_timestamp, self.event_time, self.first_timestamp, self.metadata.creation_timestamp)
        return next((time for time in times if time is not None), None)

    @property
    def times(self) -> int:
        """How often it happened."""
        return max(self.count or 0, (self.series.count or 0) if self.series else 0, 1)


KubeObject = Pod | PersistentVolumeClaim | Node | Namespace | Event
