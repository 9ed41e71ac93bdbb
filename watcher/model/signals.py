"""Signals: what a detector says is true of one subject. Each field is usable by name in rules and templates.

Units are in the name or in the field's docstring. A *state* is true until it is seen otherwise; an *occurrence*
happened at `since` and is identified by `id`. `docs/signals.md` is generated from this file.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, get_args

import msgspec

from watcher.model.identity import Subject


class OomClass(StrEnum):
    MAIN_PROCESS = "main_process"
    CHILD_GRACEFUL = "child_graceful"
    CHILD_THEN_EXIT = "child_then_exit"
    NODE = "node"
    EVICTED = "evicted"


class Signal(msgspec.Struct, frozen=True, kw_only=True, tag_field="signal", gc=False):
    """Fields that every signal has. `since`: when the state began, or when the occurrence happened."""

    OCCURRENCE: ClassVar[bool] = False
    TELLS_SINCE: ClassVar[bool] = False
    """`since` is the state's own beginning, as the object tells it: `for` counts from there."""
    uid: str = ""
    """Watcher's identity of the object: a pod's uid; `claim/<namespace>/<name>`, `node/<name>` and the like."""
    cluster: str = ""
    namespace: str = ""
    workload_kind: str = ""
    workload: str = ""
    pod: str = ""
    node: str = ""
    labels: dict[str, str] = {}
    """The object's labels."""
    annotations: dict[str, str] = {}
    """The object's annotations."""
    since: datetime
    id: str = ""
    """Of an occurrence: its identity; the same occurrence seen twice has the same id."""

    @property
    def subject(self) -> Subject:
        return Subject(namespace=self.namespace, pod=self.pod, uid=self.uid)


class ContainerSignal(Signal, frozen=True, kw_only=True):
    """Fields that every signal about a container has besides."""

    container: str = ""
    container_kind: str = "app"
    """app, init or sidecar (a native sidecar: an init container with restartPolicy Always)."""
    image: str = ""
    restart_count: int = 0
    requests: dict[str, str] = {}
    """Resource requests as written, by resource name."""
    limits: dict[str, str] = {}
    """Resource limits as written, by resource name."""

    @property
    def subject(self) -> Subject:
        return Subject(
            namespace=self.namespace,
            pod=self.pod,
            uid=self.uid,
            container=self.container,
        )


class LastExit(ContainerSignal, frozen=True, kw_only=True):
    """Fields of signals that know the container's last death."""

    exit_code: int | None = None
    exit_signal: int | None = None
    """The signal that ended it, from the exit code (128 + n) or as the runtime says."""
    reason: str = ""
    """The runtime's word for it: Error, OOMKilled, Completed, StartError, …"""
    ran_seconds: float | None = None
    message: str = ""
    """The termination message, redacted and cut."""
    container_id: str = ""
    """The instance that died."""


class CrashLooping(LastExit, frozen=True, kw_only=True, tag="CrashLooping"):
    """A container that dies and is started again. True while a death lies within 6 h, it waits, or is not ready."""

    deaths_10m: int = 0
    deaths_2h: int = 0
    deaths_6h: int = 0
    min_ran_seconds_6h: float | None = None
    """The shortest life among the deaths of the last 6 h; null where one of them is unknown."""
    in_backoff: bool = False
    backoff_seconds: float | None = None
    """The pause that the kubelet named; null when its text has none."""
    ready: bool = False


class ContainerTerminated(LastExit, frozen=True, kw_only=True, tag="ContainerTerminated"):
    """One death of a container, told once, also when only `lastState` and the restart count tell of it."""

    OCCURRENCE: ClassVar[bool] = True


class OOMKilled(LastExit, frozen=True, kw_only=True, tag="OOMKilled"):
    """One death of a container in which the kernel killed a process for memory."""

    OCCURRENCE: ClassVar[bool] = True
    oom_class: str = OomClass.MAIN_PROCESS.value
    """main_process, child_graceful, child_then_exit, node or evicted."""
    heap: str = ""
    """Of a JVM: its heap as its flags set it, in words; empty where they do not tell."""
    memory_limit_bytes: int | None = None
    memory_request_bytes: int | None = None


class ImagePullFailing(ContainerSignal, frozen=True, kw_only=True, tag="ImagePullFailing"):
    """A container that waits because its image cannot be had; the kubelet's changing reasons are one state."""

    cause: str = "unknown"
    """not_found, denied, unauthorized, rate_limited, dns, network, tls, platform, disk, invalid_name, policy_never,
    registry_error or unknown; kept through back-offs whose text lacks it."""
    reason: str = ""
    """The kubelet's present word: ErrImagePull, ImagePullBackOff, InvalidImageName, ErrImageNeverPull, …"""
    message: str = ""
    """The runtime's raw text about the cause, redacted and cut."""


class ContainerNotStarting(ContainerSignal, frozen=True, kw_only=True, tag="ContainerNotStarting"):
    """A container that cannot be created or started: CreateContainerConfigError, RunContainerError, hooks, …"""

    TELLS_SINCE: ClassVar[bool] = True
    cause: str = "unknown"
    """missing_configmap, missing_secret, missing_key, run_as_non_root, command_not_found, not_executable, hook, volume,
    name_in_use, timeout, runtime or unknown."""
    missing: str = ""
    """The ConfigMap or Secret that is not there, or lacks a key, by its name."""
    key: str = ""
    """The key that it lacks."""
    reason: str = ""
    """The kubelet's word: CreateContainerConfigError, CreateContainerError, RunContainerError, StartError, …"""
    message: str = ""
    """The kubelet's or the runtime's text, redacted and cut."""
    exit_code: int | None = None
    """Of the start that failed, where there is one (126, 127, 128)."""
    container_id: str = ""


class PodPending(Signal, frozen=True, kw_only=True, tag="PodPending"):
    """A pod that has not been scheduled (scheduling gates are no trouble), or is stuck in creation."""

    TELLS_SINCE: ClassVar[bool] = True
    stage: str = "creation"
    """scheduling or creation."""
    cause: str = "unknown"
    """Of scheduling (what most nodes name): resources, taint, affinity, node_selector, unbound_claim, volume_zone,
    ports, topology, too_many_pods, no_nodes or unknown. Of creation: creation."""
    causes: dict[str, str] = {}
    """Of scheduling: every cause with the scheduler's words and how many nodes it says it of."""
    reason: str = ""
    """Unschedulable, SchedulerError, ContainerCreating, PodInitializing."""
    message: str = ""


class PodNotReady(Signal, frozen=True, kw_only=True, tag="PodNotReady"):
    """A pod that runs and is not ready."""

    TELLS_SINCE: ClassVar[bool] = True
    containers: tuple[str, ...] = ()
    """Names of the containers that are not ready."""
    reason: str = ""
    """Of the condition Ready: ContainersNotReady, ReadinessGatesNotReady, …"""
    message: str = ""


class WorkloadDown(Signal, frozen=True, kw_only=True, tag="WorkloadDown"):
    """A workload of which a pod fails (an alert of severity warning or critical fires because of it)."""

    pods: int = 0
    """Its pods now: neither finished nor being deleted."""
    ready_pods: int = 0
    failing_pods: int = 0
    causes: tuple[str, ...] = ()
    """Names of the alerts that fire because of its pods."""

    @property
    def subject(self) -> Subject:
        return Subject(namespace=self.namespace, uid=self.uid)


class ClaimSignal(Signal, frozen=True, kw_only=True):
    """Fields that every signal about a claim (PVC) has besides."""

    claim: str = ""
    storage_class: str = ""
    pods: tuple[str, ...] = ()
    """Names of the pods that declare it, at most 20."""

    @property
    def subject(self) -> Subject:
        return Subject(namespace=self.namespace, uid=self.uid, claim=self.claim, node="" if self.claim else self.node)


class VolumeUsage(ClaimSignal, frozen=True, kw_only=True, tag="VolumeUsage"):
    """How full a claim's filesystem is. Of local-path claims of one node: that node's disk, once (`claim` is empty)."""

    sampled_at: datetime
    """When the kubelet measured it."""
    capacity_bytes: int = 0
    available_bytes: int = 0
    """What can still be written."""
    used_bytes: int | None = None
    used_percent: float = 0.0
    """Of what can be written: (capacity - available) / capacity."""
    inodes: int | None = None
    inodes_free: int | None = None
    inodes_used_percent: float | None = None
    full_in_seconds: float | None = None
    """Until it is full, by the trend; null where it does not fill, or too little is known."""
    trend_seconds: float = 0.0
    """How much time the trend's samples cover, at most 6 h."""
    bytes_per_hour: float | None = None
    """The slope of the trend: what is written per hour (negative: what is freed)."""
    claims: tuple[str, ...] = ()
    """Of local-path claims: every namespace/claim on that disk."""


class ClaimPending(ClaimSignal, frozen=True, kw_only=True, tag="ClaimPending"):
    """A claim that is not bound, though something waits for it or the provisioner has failed."""

    TELLS_SINCE: ClassVar[bool] = True
    cause: str = "unknown"
    """provisioning_failed, no_volume, provisioner_silent or unknown."""
    reason: str = ""
    """Of the newest event about it: ProvisioningFailed, FailedBinding, …"""
    message: str = ""
    """The provisioner's words, redacted and cut."""


class ClaimLost(ClaimSignal, frozen=True, kw_only=True, tag="ClaimLost"):
    """A claim whose volume is gone: for good."""

    TELLS_SINCE: ClassVar[bool] = True
    volume: str = ""


class ClaimUnmounted(ClaimSignal, frozen=True, kw_only=True, tag="ClaimUnmounted"):
    """A claim that a running pod declares and none of its containers mounts."""


class NodeSignal(Signal, frozen=True, kw_only=True):
    """Fields that every signal about a node has besides."""

    cordoned: bool = False
    reason: str = ""
    message: str = ""

    @property
    def subject(self) -> Subject:
        return Subject(uid=self.uid, node=self.node)


class NodeNotReady(NodeSignal, frozen=True, kw_only=True, tag="NodeNotReady"):
    """A node whose condition Ready is not True."""

    TELLS_SINCE: ClassVar[bool] = True
    status: str = ""
    """False, or Unknown: its kubelet is not heard of."""


class NodePressure(NodeSignal, frozen=True, kw_only=True, tag="NodePressure"):
    """A node under pressure."""

    TELLS_SINCE: ClassVar[bool] = True
    conditions: tuple[str, ...] = ()
    """MemoryPressure, DiskPressure, PIDPressure, NetworkUnavailable."""


class StreamStale(Signal, frozen=True, kw_only=True, tag="StreamStale"):
    """Watcher does not hear of a scope: whatever happens there is not seen."""

    kind: str = ""
    """Pod, PersistentVolumeClaim, Node, …"""
    reason: str = ""

    @property
    def subject(self) -> Subject:
        return Subject(namespace=self.namespace, uid=self.uid)


class DeliveryFailing(Signal, frozen=True, kw_only=True, tag="DeliveryFailing"):
    """Watcher cannot deliver to one integration: its last message died, or one has waited for more than 5 min."""

    receiver: str = ""
    integration: str = ""
    """`slack_configs[0]`"""
    dead: bool = False
    """The last message was given up: the receiver will never hear of it."""
    reason: str = ""
    """What the last failure said."""

    @property
    def subject(self) -> Subject:
        return Subject(uid=self.uid)


class ConfigRefused(Signal, frozen=True, kw_only=True, tag="ConfigRefused"):
    """The configuration was changed, and the change cannot be used: the one before it stays in force."""

    errors: int = 0
    """How many errors it has."""
    reason: str = ""
    """The first of them, with its file, line and column."""

    @property
    def subject(self) -> Subject:
        return Subject(uid=self.uid)


class Posted(Signal, frozen=True, kw_only=True, tag="Posted"):
    """What stands behind an alert that others posted: no rule looks at it."""

    @property
    def subject(self) -> Subject:
        return Subject(uid=self.uid)


class PodFailed(Signal, frozen=True, kw_only=True, tag="PodFailed"):
    """A pod that went to phase Failed, at the time it failed. Gone when its workload has its ready pods back."""

    OCCURRENCE: ClassVar[bool] = True
    cause: str = "exit"
    """exit, start_failed, evicted, deadline, node_lost, rejected, preempted, shutdown or unknown."""
    reason: str = ""
    """The pod's own reason (Evicted, DeadlineExceeded, …), else the failed container's."""
    message: str = ""
    container: str = ""
    """The container whose exit failed the pod; empty where no container tells."""
    image: str = ""
    exit_code: int | None = None
    exit_signal: int | None = None
    container_id: str = ""
    ready_pods: int = 0
    """Ready pods of the workload now."""
    ready_pods_before: int = 1
    """Ready pods of the workload just before this failure, itself included; 1 where that was not seen."""
    job_retrying: bool = False
    """A pod of a Job within the 6 m in which the Job may start another (its longest back-off), or after it did."""
    later_run_succeeded: bool = False
    """A pod of the same Job or CronJob that was made after this failure has succeeded."""


AnySignal = (
    CrashLooping
    | ContainerTerminated
    | OOMKilled
    | ImagePullFailing
    | ContainerNotStarting
    | PodPending
    | PodNotReady
    | PodFailed
    | WorkloadDown
    | VolumeUsage
    | ClaimPending
    | ClaimLost
    | ClaimUnmounted
    | NodeNotReady
    | NodePressure
    | StreamStale
    | DeliveryFailing
    | ConfigRefused
    | Posted
)
SIGNALS: dict[str, type[Signal]] = {cls.__name__: cls for cls in get_args(AnySignal) if cls is not Posted}
"""Those that rules can look at."""
