"""Claims, nodes and events for time lines: short to write, with what Kubernetes would fill in."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.support.timeline import time
from watcher.model.kube import (
    ClaimSource,
    ClaimSpec,
    ClaimStatus,
    Condition,
    EphemeralSource,
    Event,
    Node,
    NodeSpec,
    NodeStatus,
    ObjectMeta,
    ObjectReference,
    PersistentVolumeClaim,
    Pod,
    Volume,
    VolumeMount,
)

ASKED = {"volume.kubernetes.io/storage-provisioner": "ebs.csi.aws.com"}


def claim(name: str = "data-db-0", phase: str = "Bound", **fields: Any) -> PersistentVolumeClaim:
    """`fields`: namespace, uid, annotations, storage_class, volume, capacity; created and deleting are seconds."""
    deleting = fields.get("deleting")
    capacity = fields.get("capacity", "10Gi" if phase == "Bound" else "")
    return PersistentVolumeClaim(
        metadata=ObjectMeta(
            name=name,
            namespace=fields.get("namespace", "shop"),
            uid=fields.get("uid", f"uid-{name}"),
            creation_timestamp=time(fields.get("created", -3600)),
            deletion_timestamp=time(deleting) if deleting is not None else None,
            annotations=fields.get("annotations"),
        ),
        spec=ClaimSpec(
            storage_class_name=fields.get("storage_class", "fast"),
            volume_name=fields.get("volume", f"pvc-{name}" if phase != "Pending" else ""),
        ),
        status=ClaimStatus(phase=phase, capacity={"storage": capacity} if capacity else None),
    )


def claiming(pod: Pod, *claims: str, mounted: bool = True, ephemeral: bool = False) -> Pod:
    """The pod with volumes for these claims (`ephemeral`: for generic ephemeral volumes of these names)."""
    volumes = [
        Volume(name=name, ephemeral=EphemeralSource())
        if ephemeral
        else Volume(name=f"v-{name}", persistent_volume_claim=ClaimSource(claim_name=name))
        for name in claims
    ]
    containers = list(pod.spec.containers or ())
    if mounted and containers:
        mounts = [VolumeMount(name=volume.name) for volume in volumes]
        containers[0] = msgspec.structs.replace(containers[0], volume_mounts=mounts)
    spec = msgspec.structs.replace(pod.spec, volumes=volumes, containers=containers)
    return msgspec.structs.replace(pod, spec=spec)


def node(name: str = "n1", ready: str = "True", **fields: Any) -> Node:
    """`ready`: True, False, Unknown, or empty for no conditions yet. `fields`: uid, cordoned, pressures (names),
    reason, message; changed (of every condition) is seconds.
    """
    changed = time(fields.get("changed", -3000))
    conditions = [
        Condition(
            type="Ready",
            status=ready,
            reason=fields.get("reason", {"True": "KubeletReady", "Unknown": "NodeStatusUnknown"}.get(ready, "")),
            message=fields.get("message", ""),
            last_transition_time=changed,
        )
    ]
    conditions += [
        Condition(type=kind, status="True", last_transition_time=changed) for kind in fields.get("pressures", ())
    ]
    return Node(
        metadata=ObjectMeta(name=name, uid=fields.get("uid", f"uid-{name}")),
        spec=NodeSpec(unschedulable=True if fields.get("cordoned") else None),
        status=NodeStatus(conditions=conditions if ready else None),
    )


def event(about: PersistentVolumeClaim | Node, reason: str, message: str = "", *, at: float, **fields: Any) -> Event:
    """A Warning. `fields`: count, name, uid (of what it is about)."""
    meta = about.metadata
    kind = type(about).__name__
    name = fields.get("name", f"{meta.name}.{reason.lower()}")
    return Event(
        metadata=ObjectMeta(name=name, namespace=meta.namespace or "default", uid=f"uid-{name}"),
        involved_object=ObjectReference(
            kind=kind, namespace=meta.namespace, name=meta.name, uid=fields.get("uid", meta.uid)
        ),
        type="Warning",
        reason=reason,
        message=message,
        count=fields.get("count", 1),
        first_timestamp=time(at),
        last_timestamp=time(at),
    )
