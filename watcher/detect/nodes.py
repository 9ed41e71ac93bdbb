"""Nodes: whether one is ready, is under pressure, or is not heard of.

A node that has just registered has no conditions yet: nothing is known of it, and nothing is its trouble. `Unknown` is
the node controller's word for a kubelet that has not renewed its lease (about 40 s); `False` is the kubelet's own.
Source: https://kubernetes.io/docs/reference/node/node-status/#condition
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from watcher.detect.fields import told_text
from watcher.detect.pods import moment
from watcher.model.kube import Condition, Node
from watcher.model.signals import NodeNotReady, NodePressure

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def node_uid(name: str) -> str:
    """Watcher's identity of a node: a machine that comes back under its name goes on with its troubles."""
    return f"node/{name}"


def signals(node: Node, cluster: str, at: datetime) -> tuple[NodeNotReady | NodePressure, ...]:
    about = _about(node, cluster)
    found = (_not_ready(node, about, at), _pressure(node, about, at))
    return tuple(signal for signal in found if signal is not None)


def silent_since(node: Node, at: datetime) -> datetime | None:
    """Since when its kubelet is not heard of; None while it is."""
    ready = _condition(node, "Ready")
    return _began(ready, at) if ready is not None and ready.status == "Unknown" else None


def readiness(node: Node) -> str:
    """The status of its condition Ready; empty where there is none yet."""
    ready = _condition(node, "Ready")
    return ready.status if ready is not None else ""


def _about(node: Node, cluster: str) -> dict[str, Any]:
    meta = node.metadata
    return {
        "uid": node_uid(meta.name),
        "cluster": cluster,
        "node": meta.name,
        "labels": meta.labels or {},
        "annotations": meta.annotations or {},
        "cordoned": bool(node.spec.unschedulable),
    }


def _not_ready(node: Node, about: dict[str, Any], at: datetime) -> NodeNotReady | None:
    ready = _condition(node, "Ready")
    if ready is None or ready.status == "True":
        return None
    return NodeNotReady(
        **about,
        since=_began(ready, at),
        status=ready.status,
        reason=ready.reason,
        message=told_text(ready.message),
    )


def _pressure(node: Node, about: dict[str, Any], at: datetime) -> NodePressure | None:
    """Its pressures are one trouble: the kubelet shows several when one of them is the cause of the others."""
    true = [one for kind in PRESSURES if (one := _condition(node, kind)) is not None and one.status == "True"]
    if not true:
        return None
    first = min(true, key=lambda one: _began(one, at))
    return NodePressure(
        **about,
        since=_began(first, at),
        conditions=tuple(one.type for one in true),
        reason=first.reason,
        message=told_text(first.message),
    )


def _condition(node: Node, kind: str) -> Condition | None:
    return next((one for one in node.status.conditions or () if one.type == kind), None)


def _began(condition: Condition, at: datetime) -> datetime:
    """Its transition; never later than now, for the node's clock is not ours."""
    return min(moment(condition.last_transition_time) or at, at)
