"""The fields that signals of pods and containers share, taken from the objects as they may be stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watcher.detect.containers import ran_seconds
from watcher.detect.pods import ContainerView
from watcher.lib.quantity import QuantityError, parse_bytes
from watcher.lib.redact import redact
from watcher.lib.text import clean, cut
from watcher.model.identity import Workload
from watcher.model.kube import Pod, StateTerminated

MESSAGE_LIMIT = 1000
_FIRST_SIGNAL = 128


def common(pod: Pod, workload: Workload, cluster: str) -> dict[str, Any]:
    """The fields that all signals of a pod share."""
    return {
        "uid": pod.metadata.uid,
        "cluster": cluster,
        "namespace": pod.metadata.namespace,
        "workload_kind": workload.kind,
        "workload": workload.name,
        "pod": pod.metadata.name,
        "node": pod.spec.node_name,
        "labels": pod.metadata.labels or {},
        "annotations": pod.metadata.annotations or {},
    }


def container_fields(view: ContainerView, about: Mapping[str, Any]) -> dict[str, Any]:
    resources = view.spec.resources
    return {
        **about,
        "container": view.status.name,
        "container_kind": view.kind,
        "image": view.spec.image or view.status.image,
        "restart_count": view.status.restart_count,
        "requests": _quantities(resources.requests if resources is not None else None),
        "limits": _quantities(resources.limits if resources is not None else None),
    }


def _quantities(values: dict[str, str | int | float] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (values or {}).items()}


def told_text(text: str) -> str:
    """Text from the cluster as it may be stored: cleaned, redacted, cut."""
    return cut(redact(clean(text)), MESSAGE_LIMIT)


def exit_signal(terminated: StateTerminated) -> int | None:
    """What the runtime says, else what a code of 128 + n says. 255 is no signal."""
    if terminated.signal:
        return terminated.signal
    code = terminated.exit_code
    return code - _FIRST_SIGNAL if _FIRST_SIGNAL < code < _FIRST_SIGNAL + 65 else None


def exit_fields(terminated: StateTerminated | None) -> dict[str, Any]:
    """The fields of `LastExit`."""
    if terminated is None:
        return {}
    return {
        "exit_code": terminated.exit_code,
        "exit_signal": exit_signal(terminated),
        "reason": terminated.reason,
        "ran_seconds": ran_seconds(terminated),
        "message": told_text(terminated.message),
        "container_id": terminated.container_id,
    }


def memory_bytes(quantities: Mapping[str, str]) -> int | None:
    """Of `requests` or `limits`; None where there is none, or none that can be read."""
    try:
        return parse_bytes(quantities["memory"]) if "memory" in quantities else None
    except QuantityError:
        return None
