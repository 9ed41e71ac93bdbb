"""Bytes of the API server into narrow records, and nothing wider (100,000 events/s against 700 with the full models).

One decoder for each kind. One broken object must not stop a stream, so a list's items are decoded one by one, and a
watch line that does not fit is looked at a second time to say what it was: an unknown type, a broken object, or no
JSON at all. The type is known before the object is decoded: the objects of ERROR and BOOKMARK are of no kind. What the
records hold is fixed in watcher/model/kube.py, what is kept of them in `narrow`; which answers are errors, in `errors`.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from watcher.model.kube import Event, KubeObject, Namespace, Node, PersistentVolumeClaim, Pod
from watcher.model.observations import EventType
from watcher.source import kinds
from watcher.source.errors import Status, Undecodable
from watcher.source.kinds import Kind
from watcher.source.narrow import narrow_pod

T = TypeVar("T")

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for bytes that are not what they should be (ValidationError is a DecodeError)."""


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A watch event about an object of the kind that is watched."""

    event: EventType
    object: KubeObject


class Bookmark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nothing happened up to `version`."""

    version: str


class Skipped(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line or an item that is left out. `version` is its resourceVersion, where one could be read."""

    reason: str
    detail: str
    version: str = ""
    named: bool = False
    """It tells a name: an object that is there, and cannot be read."""


class Page(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One page of a list. `version` is the list's own (items' versions are no point to watch from)."""

    version: str
    token: str
    objects: list[KubeObject]
    skipped: list[Skipped]


WatchItem = Change | Bookmark | Status | Skipped


class _Meta(msgspec.Struct, frozen=True, gc=False):
    version: str = msgspec.field(default="", name="resourceVersion")
    token: str | None = msgspec.field(default=None, name="continue")


class _Versioned(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta = _Meta()


class _NameMeta(msgspec.Struct, frozen=True, gc=False):
    name: str


class _Named(msgspec.Struct, frozen=True, gc=False):
    metadata: _NameMeta


class _List(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta = _Meta()
    items: list[msgspec.Raw] | None = None


class _Added(msgspec.Struct, Generic[T], frozen=True, gc=False, tag_field="type", tag="ADDED"):
    object: T


class _Modified(msgspec.Struct, Generic[T], frozen=True, gc=False, tag_field="type", tag="MODIFIED"):
    object: T


class _Deleted(msgspec.Struct, Generic[T], frozen=True, gc=False, tag_field="type", tag="DELETED"):
    object: T


class _Bookmark(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="BOOKMARK"):
    object: _Versioned


class _Error(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="ERROR"):
    object: Status


class _Any(msgspec.Struct, frozen=True, gc=False):
    type: str
    object: msgspec.Raw = msgspec.Raw(b"{}")


_EVENTS: dict[type, EventType] = {
    _Added: EventType.ADDED,
    _Modified: EventType.MODIFIED,
    _Deleted: EventType.DELETED,
}
_KNOWN = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"})

_any_decoder = msgspec.json.Decoder(_Any)
_list_decoder = msgspec.json.Decoder(_List)
_versioned_decoder = msgspec.json.Decoder(_Versioned)
_named_decoder = msgspec.json.Decoder(_Named)
_status_decoder = msgspec.json.Decoder(Status)


class KindDecoder:
    """The answers about one kind."""

    def __init__(self, kind: Kind, line: msgspec.json.Decoder[Any]) -> None:
        self._narrow = kind.narrow
        self._line = line
        self._one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind.record)

    def one(self, raw: bytes | msgspec.Raw) -> KubeObject:
        """One object, narrowed; one of BROKEN is raised when it is none."""
        item: KubeObject = self._narrow(self._one.decode(raw))
        return item

    def page(self, body: bytes) -> Page:
        """A page of a list; Undecodable when it is no list at all."""
        try:
            answer = _list_decoder.decode(body)
        except BROKEN as error:
            raise Undecodable(f"the list is not readable: {error}") from error
        objects: list[KubeObject] = []
        skipped: list[Skipped] = []
        decode, narrowed = self._one.decode, self._narrow
        for raw in answer.items or ():
            try:
                item = narrowed(decode(raw))
            except BROKEN as error:
                skipped.append(_bad_object(raw, str(error)))
                continue
            if item.metadata.name:
                objects.append(item)
            else:
                skipped.append(_bad_object(raw, "an object without a name"))
        meta = answer.metadata
        return Page(version=meta.version, token=meta.token or "", objects=objects, skipped=skipped)

    def line(self, line: bytes) -> WatchItem:
        """What one line of a watch says. Never raises: what cannot be read is Skipped, with the reason."""
        try:
            item = self._line.decode(line)
        except BROKEN as error:
            return _explain(line, str(error))
        event = _EVENTS.get(type(item))
        if event is not None:
            found = self._narrow(item.object)
            return (
                Change(event=event, object=found) if found.metadata.name else _explain(line, "an object without a name")
            )
        if isinstance(item, _Bookmark):
            return Bookmark(version=item.object.metadata.version)
        error_object: Status = item.object
        return error_object


def _of(kind: Kind, added: Any, modified: Any, deleted: Any) -> KindDecoder:
    return KindDecoder(kind, msgspec.json.Decoder(added | modified | deleted | _Bookmark | _Error))


_Claim = PersistentVolumeClaim

DECODERS: dict[str, KindDecoder] = {
    "Namespace": _of(kinds.NAMESPACE, _Added[Namespace], _Modified[Namespace], _Deleted[Namespace]),
    "Node": _of(kinds.NODE, _Added[Node], _Modified[Node], _Deleted[Node]),
    "PersistentVolumeClaim": _of(kinds.CLAIM, _Added[_Claim], _Modified[_Claim], _Deleted[_Claim]),
    "Event": _of(kinds.EVENT, _Added[Event], _Modified[Event], _Deleted[Event]),
    "Pod": _of(kinds.POD, _Added[Pod], _Modified[Pod], _Deleted[Pod]),
}
"""By `Scope.kind`."""

_pod_decoder = msgspec.json.Decoder(Pod)


def decode_pod(raw: bytes | msgspec.Raw) -> Pod:
    """One pod, narrowed; one of BROKEN is raised when it is none."""
    return narrow_pod(_pod_decoder.decode(raw))


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
    if item.type not in _KNOWN:
        version = _version_of(item.object)
        return Skipped(reason="unknown_type", detail=f"event type {item.type[:40]!r}", version=version)
    if item.type == "ERROR":
        return Status(code=500, reason="InternalError", message="the server sent an ERROR event without a Status")
    return _bad_object(item.object, detail)


def _bad_object(raw: msgspec.Raw, detail: str) -> Skipped:
    return Skipped(reason="bad_object", detail=detail, version=_version_of(raw), named=_is_named(raw))


def _version_of(raw: msgspec.Raw) -> str:
    try:
        return _versioned_decoder.decode(raw).metadata.version
    except BROKEN:
        return ""


def _is_named(raw: msgspec.Raw) -> bool:
    try:
        return bool(_named_decoder.decode(raw).metadata.name)
    except BROKEN:
        return False
