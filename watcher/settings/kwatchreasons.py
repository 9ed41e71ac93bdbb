"""kwatch's words for what happened (`reasons`, `severities`), and which of Watcher's alerts tell of it.

kwatch passes on Kubernetes' own reasons, of a waiting or terminated container, of a pod's condition or phase, of a
node's condition; several of them are one alert here. A list of allowed reasons filters only alerts about pods: of
volumes and nodes kwatch up to 0.10 told in any case.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_CRASH: Final = ("ContainerCrashLooping", "ContainerRestartingOften")
_IMAGE: Final = ("ImagePullFailing",)
_START: Final = ("ContainerNotStarting",)
_FAILED: Final = ("PodFailed",)
_OOM: Final = ("ContainerOOMKilled", "ContainerChildOOMKilled")
_PENDING: Final = ("PodPending",)
_NOT_READY: Final = ("PodNotReady",)
NODE_ALERTS: Final = ("NodeNotReady", "NodeUnderPressure")
POD_ALERTS: Final = (*_CRASH, *_IMAGE, *_START, *_FAILED, *_OOM, *_PENDING, *_NOT_READY)

DOWN: Final = "WorkloadDown"
"""Told beside its cause: filtered when all causes are."""
_CAUSES: Final = (*_CRASH, *_IMAGE, *_START, *_FAILED, *_NOT_READY, *_PENDING)


def _table() -> dict[str, tuple[str, ...]]:
    rows: tuple[tuple[tuple[str, ...], str], ...] = (
        (_CRASH, "CrashLoopBackOff Completed HighRestartCount"),
        ((*_CRASH, *_FAILED), "Error"),
        ((*_CRASH, *_IMAGE), "BackOff"),
        (_IMAGE, "ImagePullBackOff ErrImagePull InvalidImageName ErrImageNeverPull ImageInspectError"),
        (_IMAGE, "RegistryUnavailable SignatureValidationFailed"),
        (_START, "CreateContainerConfigError CreateContainerError RunContainerError StartError ContainerCannotRun"),
        (_START, "PostStartHookError PreStopHookError PreCreateHookError PreStartHookError FailedMount"),
        (_FAILED, "Evicted DeadlineExceeded NodeLost UnexpectedAdmissionError Preempting Terminated NodeShutdown"),
        (_FAILED, "ContainerStatusUnknown NodeAffinity OutOfcpu OutOfmemory OutOfpods JobFailed BackoffLimitExceeded"),
        (_OOM, "OOMKilled OOMKilling OOMRepeating"),
        (_PENDING, "Unschedulable FailedScheduling Pending PodPending ContainerCreating PodInitializing"),
        (_NOT_READY, "ContainersNotReady NotReady Unhealthy ReadinessGatesNotReady ProbeFailure"),
        (("NodeNotReady",), "NodeNotReady KubeletNotReady NodeStatusUnknown NodeStatusNeverUpdated"),
        (("NodeUnderPressure",), "MemoryPressure DiskPressure PIDPressure NetworkUnavailable NodePressure"),
    )
    found: dict[str, tuple[str, ...]] = {}
    for alerts, reasons in rows:
        for reason in reasons.split():
            found[reason.lower()] = alerts
    return found


_ALERTS: Final = _table()
_SEVERITIES: Final = {
    "critical": ("critical",),
    "high": ("warning",),
    "medium": ("warning",),
    "warning": ("warning",),
    "normal": ("warning", "info"),
    "low": ("info",),
    "info": ("info",),
}


def alerts_of(reason: str) -> tuple[str, ...]:
    """The alerts that tell of it; empty where Watcher has none."""
    return _ALERTS.get(reason.strip().lower(), ())


def severities_of(severity: str) -> tuple[str, ...]:
    """Ours for one of kwatch's; empty where it has no such severity."""
    return _SEVERITIES.get(severity.strip().lower(), ())


def hidden_by_allowing(reasons: Iterable[str]) -> list[str]:
    """The alerts that are not told where only these reasons are."""
    told = {alert for reason in reasons for alert in alerts_of(reason)}
    return _with_down([alert for alert in POD_ALERTS if alert not in told])


def hidden_by_forbidding(reasons: Iterable[str]) -> tuple[list[str], list[str]]:
    """The alerts that are not told where none of these reasons is, and the reasons that hide only a part of one."""
    names = {reason.strip().lower() for reason in reasons}
    hidden: list[str] = []
    for alert in (*POD_ALERTS, *NODE_ALERTS):
        mine = {reason for reason, alerts in _ALERTS.items() if alert in alerts}
        if _MAIN.get(alert, frozenset()) <= names and mine & names:
            hidden.append(alert)
    parts = [reason for reason in reasons if not any(alert in hidden for alert in alerts_of(reason))]
    return _with_down(hidden), parts


_MAIN: Final = {
    "ContainerCrashLooping": frozenset(("crashloopbackoff",)),
    "ContainerRestartingOften": frozenset(("crashloopbackoff",)),
    "ImagePullFailing": frozenset(("imagepullbackoff", "errimagepull")),
    "ContainerNotStarting": frozenset(("createcontainerconfigerror", "createcontainererror", "runcontainererror")),
    "PodFailed": frozenset(("error", "evicted")),
    "ContainerOOMKilled": frozenset(("oomkilled",)),
    "ContainerChildOOMKilled": frozenset(("oomkilled",)),
    "PodPending": frozenset(("unschedulable",)),
    "PodNotReady": frozenset(("containersnotready",)),
    "NodeNotReady": frozenset(("nodenotready",)),
    "NodeUnderPressure": frozenset(("memorypressure", "diskpressure", "pidpressure", "networkunavailable")),
}
"""Who forbids these means the whole alert."""


def _with_down(hidden: list[str]) -> list[str]:
    return [*hidden, DOWN] if all(cause in hidden for cause in _CAUSES) else hidden
