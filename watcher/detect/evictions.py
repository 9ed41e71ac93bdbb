"""Evictions by the kubelet: for which resource, and which container used most of it.

Source: the message formats of pkg/kubelet/eviction/helpers.go, of preemption and of admission; older kubelets said
`imagefs`, `nodefs` or `disk` for what is `ephemeral-storage` now, and `which exceeds its request of` of a container.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from watcher.lib.quantity import QuantityError, parse_bytes

_STORAGE: Final = "ephemeral-storage"
_LOW: Final = re.compile(r"The node was low on resource: \[?(?P<resource>[\w.-]+)\]?", re.IGNORECASE)
_CONDITION: Final = re.compile(r"The node had condition: \[?(?P<condition>\w+)", re.IGNORECASE)
_EMPTY_DIR: Final = re.compile(r"Usage of EmptyDir volume", re.IGNORECASE)
_POD_LIMIT: Final = re.compile(r"Pod ephemeral local storage usage exceeds", re.IGNORECASE)
_CONTAINER_LIMIT: Final = re.compile(r"Container (?P<container>\S+) exceeded its local ephemeral storage limit", re.I)
_PREEMPTED: Final = re.compile(r"preempt", re.IGNORECASE)
_USED: Final = re.compile(r"Container (?P<container>\S+) was using (?P<used>[^\s,]+)", re.IGNORECASE)

_RESOURCES: Final = {
    "disk": _STORAGE,
    "nodefs": _STORAGE,
    "imagefs": _STORAGE,
    "containerfs": _STORAGE,
    "nodefsinodes": "inodes",
    "imagefsinodes": "inodes",
    "inodes": "inodes",
    "memory": "memory",
    "pids": "pids",
    _STORAGE: _STORAGE,
}
_CONDITIONS: Final = {"memorypressure": "memory", "diskpressure": _STORAGE, "pidpressure": "pids"}


class Eviction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    cause: str
    """node_low, node_condition, empty_dir_limit, pod_limit, container_limit, preempted or unknown."""
    resource: str = ""
    """memory, ephemeral-storage, inodes, pids, or as the kubelet names it."""
    container: str = ""
    """The one that used most of it, or was over its limit."""
    used: str = ""
    """How much that was, as the kubelet writes it."""


def classify(message: str) -> Eviction:
    """What the message of a pod tells whose reason is Evicted or Preempting."""
    container, used = _largest(message)
    found = _LOW.search(message)
    if found is not None:
        named = found["resource"].rstrip(".")
        resource = _RESOURCES.get(named.lower()) or _CONDITIONS.get(named.lower(), named)
        return Eviction(cause="node_low", resource=resource, container=container, used=used)
    found = _CONDITION.search(message)
    if found is not None:
        resource = _CONDITIONS.get(found["condition"].lower(), "")
        return Eviction(cause="node_condition", resource=resource, container=container, used=used)
    if _EMPTY_DIR.search(message):
        return Eviction(cause="empty_dir_limit", resource=_STORAGE)
    if _POD_LIMIT.search(message):
        return Eviction(cause="pod_limit", resource=_STORAGE)
    found = _CONTAINER_LIMIT.search(message)
    if found is not None:
        return Eviction(cause="container_limit", resource=_STORAGE, container=found["container"])
    return Eviction(cause="preempted" if _PREEMPTED.search(message) else "unknown")


def _largest(message: str) -> tuple[str, str]:
    """The container that used most, and how much, as written; the first of equals."""
    named = [(found["container"], found["used"].rstrip(".")) for found in _USED.finditer(message)]
    return max(named, key=lambda each: _size(each[1]), default=("", ""))


def _size(used: str) -> int:
    try:
        return parse_bytes(used)
    except QuantityError:
        return -1
