"""What a rule test tells that is no object: a kubelet's measurement of its volumes, and the health of a stream."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from watcher.lib.quantity import QuantityError, parse_bytes
from watcher.lib.shapes import Shape
from watcher.model.kubelet import FsStats, NodeStats, PodReference, PodStats, PvcReference, Summary, VolumeStats
from watcher.model.observations import Scope, StatsSampled, StreamHealth
from watcher.rules.testpod import Moment, uid_of

_INODES: Final = 1_000_000


def _amount(value: Any) -> float | int | None:
    """A share (`86%`, kept as a fraction) or a quantity (`8Gi`, a number)."""
    if value is None:
        return None
    text = str(value).strip()
    try:
        if text.endswith("%"):
            share = float(text.removesuffix("%")) / 100
            if 0.0 <= share <= 1.0:
                return share
            raise ValueError
        if not isinstance(value, bool):
            return parse_bytes(text)
    except (QuantityError, ValueError):
        pass
    raise ValueError("must be a share such as 86% or a quantity such as 8Gi")


def _bytes(value: Any) -> int | None:
    amount = _amount(value)
    if isinstance(amount, float):
        raise ValueError("must be a quantity such as 10Gi")
    return amount


Amount = Annotated[float | int | None, BeforeValidator(_amount)]
Bytes = Annotated[int | None, BeforeValidator(_bytes)]


class DiskShape(Shape):
    capacity: Bytes = 10 * 2**30
    used: Amount = None
    """Of what can be written. Without it and without `available`: a block volume, which has no usage."""
    available: Amount = None
    """In place of what `used` leaves."""
    inodes: Annotated[int | None, Field(ge=0)] = None
    inodes_used: Annotated[Amount, Field(alias="inodesUsed")] = None
    at: Moment = None
    """When it was measured; not said: when it is seen."""


class VolumeShape(DiskShape):
    pod: str = ""
    """Which pod mounts it, in the claim's namespace."""
    claim: bool = True
    """Without: a volume that is no claim's."""


class SampleShape(Shape):
    node: str = "n1"
    volumes: dict[str, VolumeShape] = Field(default_factory=dict)
    """By claim: `data`, or `namespace/data`."""
    disk: Annotated[DiskShape | None, Field(alias="nodeFs")] = None


class StreamShape(Shape):
    kind: Literal["Pod", "PersistentVolumeClaim", "Node", "Namespace", "Event"]
    namespace: str = ""
    """Of a watch of one namespace only."""
    stale_since: Moment = None
    """Nothing was heard after that; not said: it is heard again."""
    reason: str = ""


def build_stream(shape: StreamShape, at: datetime) -> StreamHealth:
    scope = Scope(kind=shape.kind, namespace=shape.namespace)
    return StreamHealth(at=at, scope=scope, stale_since=shape.stale_since, reason=shape.reason)


def build_sample(shape: SampleShape, at: datetime) -> StatsSampled:
    volumes: dict[tuple[str, str], list[VolumeStats]] = defaultdict(list)
    for name, volume in shape.volumes.items():
        namespace, _, claim = name.rpartition("/")
        namespace = namespace or "default"
        reference = PvcReference(name=claim, namespace=namespace) if volume.claim else None
        stats = VolumeStats(name=claim, pvc_ref=reference, **_numbers(volume, at))
        volumes[namespace, volume.pod or f"{claim}-0"].append(stats)
    pods = [
        PodStats(pod_ref=PodReference(name=pod, namespace=namespace, uid=uid_of(namespace, pod)), volume=found)
        for (namespace, pod), found in volumes.items()
    ]
    disk = FsStats(**_numbers(shape.disk, at)) if shape.disk is not None else None
    summary = Summary(node=NodeStats(node_name=shape.node, fs=disk), pods=pods)
    return StatsSampled(at=at, node=shape.node, summary=summary)


def _numbers(shape: DiskShape, at: datetime) -> dict[str, Any]:
    capacity, used, available = shape.capacity, _of(shape.used, shape.capacity), _of(shape.available, shape.capacity)
    if available is None and used is not None and capacity is not None:
        available = max(0, capacity - used)
    inodes, inodes_used = shape.inodes, shape.inodes_used
    if inodes is None and inodes_used is not None:
        inodes = _INODES
    taken = _of(inodes_used, inodes)
    return {
        "time": shape.at or at,
        "capacity_bytes": capacity,
        "available_bytes": available,
        "used_bytes": used,
        "inodes": inodes,
        "inodes_used": taken,
        "inodes_free": inodes - taken if inodes is not None and taken is not None else None,
    }


def _of(amount: float | int | None, whole: int | None) -> int | None:
    if isinstance(amount, float):
        return None if whole is None else round(whole * amount)
    return amount
