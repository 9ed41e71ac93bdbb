"""The kinds that are watched: where each is found, which record it is, what is kept of it.

One table, so that a further kind is one row here, one record in watcher/model/kube.py and one input in
watcher/model/observations.py. Bytes to records is `decode`, the stream is `kube`, the lines of a recording are `lines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from watcher.model.kube import (
    Condition,
    ContainerStateKube,
    Event,
    KubeObject,
    Namespace,
    Node,
    ObjectMeta,
    PersistentVolumeClaim,
    Pod,
)
from watcher.source import narrow


class Kind(NamedTuple):
    """`times` are those that an object itself tells."""

    name: str
    plural: str
    namespaced: bool
    record: Any
    narrow: Callable[[Any], Any]
    times: Callable[[Any], Iterator[datetime | None]]


def newest_time(item: KubeObject) -> datetime | None:
    """The newest time that the object itself tells: when it was seen at the earliest; None: it tells none."""
    times = KINDS[type(item).__name__].times(item)
    return max((time for time in times if time is not None), default=None)


def _meta_times(meta: ObjectMeta) -> Iterator[datetime | None]:
    yield meta.creation_timestamp
    yield meta.deletion_timestamp


def _condition_times(conditions: list[Condition] | None) -> Iterator[datetime | None]:
    return (condition.last_transition_time for condition in conditions or ())


def _pod_times(pod: Pod) -> Iterator[datetime | None]:
    yield from _meta_times(pod.metadata)
    status = pod.status
    yield status.start_time
    yield from _condition_times(status.conditions)
    for container in (*(status.container_statuses or ()), *(status.init_container_statuses or ())):
        yield from _state_times(container.state)
        yield from _state_times(container.last_state)


def _state_times(state: ContainerStateKube | None) -> Iterator[datetime | None]:
    if state is not None and state.running:
        yield state.running.started_at
    if state is not None and state.terminated:
        yield state.terminated.started_at
        yield state.terminated.finished_at


def _node_times(node: Node) -> Iterator[datetime | None]:
    yield from _meta_times(node.metadata)
    yield from _condition_times(node.status.conditions)


def _event_times(event: Event) -> Iterator[datetime | None]:
    yield from _meta_times(event.metadata)
    yield event.newest


def _plain_times(item: PersistentVolumeClaim | Namespace) -> Iterator[datetime | None]:
    return _meta_times(item.metadata)


NAMESPACE = Kind("Namespace", "namespaces", False, Namespace, narrow.narrow_namespace, _plain_times)
NODE = Kind("Node", "nodes", False, Node, narrow.narrow_node, _node_times)
CLAIM = Kind(
    "PersistentVolumeClaim",
    "persistentvolumeclaims",
    True,
    PersistentVolumeClaim,
    narrow.narrow_claim,
    _plain_times,
)
EVENT = Kind("Event", "events", True, Event, narrow.narrow_event, _event_times)
POD = Kind("Pod", "pods", True, Pod, narrow.narrow_pod, _pod_times)

KINDS: dict[str, Kind] = {kind.name: kind for kind in (NAMESPACE, NODE, CLAIM, EVENT, POD)}
"""By `Scope.kind`, pods last: what explains them comes first where several kinds are printed together."""
