"""What kubelets measure, for time lines."""

from __future__ import annotations

from typing import Any

from tests.support.timeline import time
from watcher.model.kubelet import FsStats, NodeStats, PodReference, PodStats, PvcReference, Summary, VolumeStats

GIB = 1024**3


def volume(claim: str = "data-db-0", percent: float = 50, **fields: Any) -> VolumeStats:
    """`fields`: namespace, capacity, available (instead of `percent`), reserved, inodes, inodes_percent, at."""
    capacity = fields.get("capacity", 10 * GIB)
    available = fields["available"] if "available" in fields else round(capacity * (1 - percent / 100))
    inodes = fields.get("inodes", 655_360)
    at = fields.get("at")
    return VolumeStats(
        time=time(at) if at is not None else None,
        available_bytes=available,
        capacity_bytes=capacity,
        used_bytes=None if capacity is None or available is None else capacity - available - fields.get("reserved", 0),
        inodes=inodes,
        inodes_free=None if inodes is None else round(inodes * (1 - fields.get("inodes_percent", 1) / 100)),
        name=f"v-{claim}",
        pvc_ref=PvcReference(name=claim, namespace=fields.get("namespace", "shop")) if claim else None,
    )


def mounts(pod: str, *volumes: VolumeStats, namespace: str = "shop") -> PodStats:
    return PodStats(pod_ref=PodReference(name=pod, namespace=namespace, uid=f"uid-{pod}"), volume=list(volumes) or None)


def summary(*pods: PodStats, disk: FsStats | None = None) -> Summary:
    """`disk`: the node's own filesystem."""
    return Summary(node=NodeStats(fs=disk), pods=list(pods))


def measured(claim: str = "data-db-0", percent: float = 50, **fields: Any) -> Summary:
    """One pod, one claim."""
    return summary(mounts("db-0", volume(claim, percent, **fields)))
