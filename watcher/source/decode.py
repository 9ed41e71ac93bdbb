"""Bytes of the API server into narrow records, and nothing wider (100,000 events/s against 700 with the full models).

One broken object must not stop a stream, so a list's items are decoded one by one, and a watch line that does not
fit is looked at a second time to say what it was: an unknown type, a broken object, or no JSON at all. The type is
known before the object is decoded: the objects of ERROR and BOOKMARK are no pods. What the records hold is fixed in
watcher/model/kube.py; which answers are errors, in errors.py.
"""

from __future__ import annotations

from datetime import datetime
from sys import intern

import msgspec

from watcher.model.kube import ContainerStateKube, Pod
from watcher.model.observations import EventType
from watcher.source.errors import Status, Undecodable

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Holds the whole manifest, environment values included."""

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for bytes that are not what they should be (ValidationError is a DecodeError)."""


class PodChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A watch event about a pod."""

    event: EventType
    pod: Pod


class Bookmark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nothing happened up to `version`."""

    version: str


class Skipped(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line or an item that is left out. `version` is its resourceVersion, where one could be read."""

    reason: str
    detail: str
    version: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One page of a list. `version` is the list's own (items' versions are no point to watch from)."""

    version: str
    token: str
    pods: list[Pod]
    skipped: list[Skipped]


WatchItem = PodChange | Bookmark | Status | Skipped


class _Meta(msgspec.Struct, frozen=True, gc=False):
    version: str = msgspec.field(default="", name="resourceVersion")
    token: str | None = msgspec.field(default=None, name="continue")


class _Versioned(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta = _Meta()


class _List(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta = _Meta()
    items: list[msgspec.Raw] | None = None


class _Added(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="ADDED"):
    object: Pod


class _Modified(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="MODIFIED"):
    object: Pod


class _Deleted(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="DELETED"):
    object: Pod


class _Bookmark(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="BOOKMARK"):
    object: _Versioned


class _Error(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="ERROR"):
    object: Status


class _Any(msgspec.Struct, frozen=True, gc=False):
    type: str
    object: msgspec.Raw = msgspec.Raw(b"{}")


_EVENTS = {_Added: EventType.ADDED, _Modified: EventType.MODIFIED, _Deleted: EventType.DELETED}
_KNOWN = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"})

_watch_decoder = msgspec.json.Decoder(_Added | _Modified | _Deleted | _Bookmark | _Error)
_any_decoder = msgspec.json.Decoder(_Any)
_list_decoder = msgspec.json.Decoder(_List)
_pod_decoder = msgspec.json.Decoder(Pod)
_versioned_decoder = msgspec.json.Decoder(_Versioned)
_status_decoder = msgspec.json.Decoder(Status)


def decode_pod(raw: bytes | msgspec.Raw) -> Pod:
    """One pod, narrowed; one of BROKEN is raised when it is none."""
    return narrow(_pod_decoder.decode(raw))


def decode_page(body: bytes) -> Page:
    """A page of a list of pods; Undecodable when it is no list at all."""
    try:
        answer = _list_decoder.decode(body)
    except BROKEN as error:
        raise Undecodable(f"the list is not readable: {error}") from error
    pods: list[Pod] = []
    skipped: list[Skipped] = []
    for raw in answer.items or ():
        try:
            pods.append(narrow(_pod_decoder.decode(raw)))
        except BROKEN as error:
            skipped.append(Skipped(reason="bad_object", detail=str(error), version=_version_of(raw)))
    return Page(version=answer.metadata.version, token=answer.metadata.token or "", pods=pods, skipped=skipped)


def decode_watch_line(line: bytes) -> WatchItem:
    """What one line of a watch says. Never raises: what cannot be read is Skipped, with the reason."""
    try:
        item = _watch_decoder.decode(line)
    except BROKEN as error:
        return _explain(line, str(error))
    if isinstance(item, _Bookmark):
        return Bookmark(version=item.object.metadata.version)
    if isinstance(item, _Error):
        return item.object
    return PodChange(event=_EVENTS[type(item)], pod=narrow(item.object))


def decode_status(body: bytes, code: int) -> Status:
    """A failed answer's Status; from a proxy it may be any text, of which the beginning is kept."""
    try:
        status = _status_decoder.decode(body)
    except BROKEN:
        text = " ".join(body[:300].decode(errors="replace").split())
        return Status(code=code, message=text)
    return msgspec.structs.replace(status, code=code)


def _explain(line: bytes, detail: str) -> WatchItem:
    try:
        item = _any_decoder.decode(line)
    except BROKEN as error:
        return Skipped(reason="bad_line", detail=str(error))
    version = _version_of(item.object)
    if item.type not in _KNOWN:
        return Skipped(reason="unknown_type", detail=f"event type {item.type[:40]!r}", version=version)
    if item.type == "ERROR":
        return Status(code=500, reason="InternalError", message="the server sent an ERROR event without a Status")
    return Skipped(reason="bad_object", detail=detail, version=version)


def _version_of(raw: msgspec.Raw) -> str:
    try:
        return _versioned_decoder.decode(raw).metadata.version
    except BROKEN:
        return ""


def narrow(pod: Pod) -> Pod:
    """Drop what must not be kept, and share the texts that equal pods have in common. Changes `pod`, just decoded.

    Shared are label values, images, and the names of containers, nodes and namespaces. Interned strings live as long
    as somebody holds them, so that nothing here grows.
    """
    meta = pod.metadata
    if meta.annotations:
        meta.annotations.pop(LAST_APPLIED, None)
    if meta.labels:
        labels = meta.labels
        for key, value in labels.items():
            labels[key] = intern(value)
    _set(meta, "namespace", intern(meta.namespace))
    _set(pod.spec, "node_name", intern(pod.spec.node_name))
    for containers in (pod.spec.containers, pod.spec.init_containers):
        for container in containers or ():
            _set(container, "name", intern(container.name))
            _set(container, "image", intern(container.image))
    return pod


_set = msgspec.structs.force_setattr


def newest_time(pod: Pod) -> datetime | None:
    """The newest time that the pod itself tells: when it was seen at the earliest; None: it tells none."""
    meta, status = pod.metadata, pod.status
    times = [meta.creation_timestamp, meta.deletion_timestamp, status.start_time]
    times.extend(condition.last_transition_time for condition in status.conditions or ())
    for container in (*(status.container_statuses or ()), *(status.init_container_statuses or ())):
        times.extend(_state_times(container.state))
        times.extend(_state_times(container.last_state))
    return max((time for time in times if time is not None), default=None)


def _state_times(state: ContainerStateKube | None) -> list[datetime | None]:
    if state is None:
        return []
    times = [state.running.started_at] if state.running else []
    if state.terminated:
        times += [state.terminated.started_at, state.terminated.finished_at]
    return times
