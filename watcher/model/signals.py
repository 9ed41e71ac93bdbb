"""Signals: what a detector says is true of one subject. Each field is usable by name in rules and templates.

Units are in the name or in the field's docstring. A *state* is true until it is seen otherwise; an *occurrence*
happened at `since` and is identified by `id`. `docs/signals.md` is generated from this file.
The signals of claims, volumes, nodes and of pods that wait come with the issue on detection.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

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
    uid: str = ""
    """The object's uid: Watcher's identity of the pod."""
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


AnySignal = CrashLooping | ContainerTerminated | OOMKilled | ImagePullFailing | PodFailed
SIGNALS: dict[str, type[Signal]] = {
    cls.__name__: cls
    for cls in (
        CrashLooping,
        ContainerTerminated,
        OOMKilled,
        ImagePullFailing,
        PodFailed,
    )
}
