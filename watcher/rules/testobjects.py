"""Claims, nodes, namespaces, events and samples of a rule test: the short forms -> what the API server would show.

As with pods (`testpod.py`), what a test does not say follows from what it says. An object that has `metadata` is taken
for a Kubernetes object and used as it stands.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from watcher.lib.shapes import Shape
from watcher.model.kube import (
    ClaimSpec,
    ClaimStatus,
    Condition,
    Event,
    Namespace,
    Node,
    NodeAddress,
    NodeSpec,
    NodeStatus,
    ObjectMeta,
    ObjectReference,
    PersistentVolumeClaim,
    ResourceRequirements,
)
from watcher.rules.testpod import BEFORE, ConditionShape, Moment, Timeline, condition_of, truth, uid_of

PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
Pressure = Literal["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"]
NAMELESS: Final = ("Node", "Namespace", "PersistentVolume", "StorageClass")
"""Kinds without a namespace; events about them lie in `default`."""


class ClaimShape(Shape):
    name: str
    namespace: str = "default"
    uid: str = ""
    phase: Literal["Pending", "Bound", "Lost"] = "Bound"
    storage_class: Annotated[str | None, Field(alias="storageClass")] = "standard"
    volume: str = ""
    capacity: str = "10Gi"
    volume_mode: Annotated[Literal["Filesystem", "Block"], Field(alias="volumeMode")] = "Filesystem"
    access_modes: Annotated[list[str], Field(alias="accessModes")] = Field(default_factory=lambda: ["ReadWriteOnce"])
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    created: Moment = None
    deleting: bool = False


class NodeShape(Shape):
    name: str
    uid: str = ""
    ready: Annotated[Literal["True", "False", "Unknown"], BeforeValidator(truth)] = "True"
    pressure: list[Pressure] = Field(default_factory=list)
    cordoned: bool = False
    since: Moment = None
    """Since when it is not ready or under pressure; not said: since the test showed that first."""
    reason: str = ""
    message: str = ""
    conditions: dict[str, Annotated[ConditionShape, BeforeValidator(condition_of)]] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    created: Moment = None


class NamespaceShape(Shape):
    name: str
    uid: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


def _about(value: str) -> str:
    kind, *names = value.split("/")
    if not kind or not all(names) or len(names) not in (1, 2):
        raise ValueError("must be Kind/name or Kind/namespace/name, such as PersistentVolumeClaim/data")
    return value


class EventShape(Shape):
    about: Annotated[str, AfterValidator(_about)]
    reason: str
    message: str = ""
    type: Literal["Warning", "Normal"] = "Warning"
    count: Annotated[int, Field(ge=1)] = 1


def build_claim(shape: ClaimShape, at: datetime, timeline: Timeline, *, first_sight: bool) -> PersistentVolumeClaim:
    meta = _meta(shape, at, timeline, first_sight)
    bound = shape.phase != "Pending"
    size: dict[str, str | int | float] = {"storage": shape.capacity}
    return PersistentVolumeClaim(
        metadata=meta,
        spec=ClaimSpec(
            storage_class_name=shape.storage_class,
            volume_name=shape.volume or (f"pv-{shape.name}" if bound else ""),
            volume_mode=shape.volume_mode,
            access_modes=shape.access_modes,
            resources=ResourceRequirements(requests=size),
        ),
        status=ClaimStatus(phase=shape.phase, capacity=size if bound else None),
    )


def build_node(shape: NodeShape, at: datetime, timeline: Timeline, *, first_sight: bool) -> Node:
    reasons = {"True": "KubeletReady", "False": "KubeletNotReady", "Unknown": "NodeStatusUnknown"}
    messages = {"True": "kubelet is posting ready status", "Unknown": "Kubelet stopped posting node status."}
    ready = ConditionShape(
        status=shape.ready,
        reason=shape.reason or reasons[shape.ready],
        message=shape.message or messages.get(shape.ready, ""),
        at=shape.since if shape.ready != "True" else None,
    )
    stated = {"Ready": ready}
    for kind in PRESSURES[: 4 if "NetworkUnavailable" in shape.pressure else 3]:
        under = kind in shape.pressure
        # The node controller makes every condition Unknown when the kubelet is not heard of.
        status = str(under) if under or shape.ready != "Unknown" else "Unknown"
        reason = f"KubeletHas{kind}" if under else f"KubeletHasNo{kind}"
        stated[kind] = ConditionShape(status=status, reason=reason, at=shape.since if under else None)
    stated |= shape.conditions
    meta = _meta(shape, at, timeline, first_sight)
    return Node(
        metadata=meta,
        spec=NodeSpec(unschedulable=shape.cordoned or None),
        status=NodeStatus(
            conditions=[
                Condition(
                    type=kind,
                    status=each.status,
                    reason=each.reason,
                    message=each.message,
                    last_transition_time=each.at or timeline.since(each.status, at, kind, meta.uid),
                )
                for kind, each in stated.items()
            ],
            addresses=[NodeAddress(type="Hostname", address=shape.name)],
        ),
    )


def build_namespace(shape: NamespaceShape, at: datetime, timeline: Timeline, *, first_sight: bool) -> Namespace:
    return Namespace(metadata=_meta(shape, at, timeline, first_sight))


def build_event(shape: EventShape, at: datetime, timeline: Timeline, *, first_sight: bool) -> Event:
    """`at` is when it happened last."""
    kind, *names = shape.about.split("/")
    name = names[-1]
    namespace = names[0] if len(names) > 1 else "" if kind in NAMELESS else "default"
    home = namespace or "default"
    identity = f"{name}.{kind}.{shape.reason}".lower()
    first = timeline.first(at, "event", home, identity)
    return Event(
        metadata=ObjectMeta(name=identity, namespace=home, uid=uid_of(home, identity), creation_timestamp=first),
        involved_object=ObjectReference(kind=kind, namespace=namespace, name=name, uid=uid_of(namespace, name)),
        type=shape.type,
        reason=shape.reason,
        message=shape.message,
        count=shape.count,
        first_timestamp=first,
        last_timestamp=at,
    )


def _meta(
    shape: ClaimShape | NodeShape | NamespaceShape, at: datetime, timeline: Timeline, first_sight: bool
) -> ObjectMeta:
    namespace = shape.namespace if isinstance(shape, ClaimShape) else ""
    uid = shape.uid or uid_of(namespace, shape.name)
    created = None if isinstance(shape, NamespaceShape) else shape.created
    deleting = isinstance(shape, ClaimShape) and shape.deleting
    return ObjectMeta(
        name=shape.name,
        namespace=namespace,
        uid=uid,
        creation_timestamp=created or timeline.first(at - BEFORE if first_sight else at, "created", uid),
        deletion_timestamp=timeline.first(at, "deleting", uid) if deleting else None,
        labels=shape.labels or None,
        annotations=shape.annotations or None,
    )
