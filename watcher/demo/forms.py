"""In which form a client wants its answer: plain objects, a Table, or metadata only; and the encoding in each.

Negotiated by the Accept header, as in Kubernetes: `application/json;as=Table;v=v1;g=meta.k8s.io`. The plain form joins
bytes that were encoded when the object was put; the others decode.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

import msgspec

from watcher.demo.resources import JsonObject, Resource
from watcher.demo.status import not_acceptable
from watcher.demo.store import Stored, event_line, join_items
from watcher.demo.tables import column_definitions, partial, row, table


class Shape(enum.Enum):
    """What is asked for by `as=`."""

    OBJECT = ""
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """`include` is a table's includeObject parameter."""

    shape: Shape = Shape.OBJECT
    include: str = "Metadata"


_SHAPES = {
    "Table": Shape.TABLE,
    "PartialObjectMetadata": Shape.PARTIAL,
    "PartialObjectMetadataList": Shape.PARTIAL,
}


def negotiate(accept: str, include: str) -> Form:
    """The first acceptable form of an Accept header; ApiError 406 when there is none."""
    for offer in accept.split(",") if accept.strip() else ["*/*"]:
        media, *rest = (part.strip() for part in offer.split(";"))
        if media not in ("application/json", "application/*", "*/*"):
            continue
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        wanted = parameters.get("as")
        if wanted is None:
            return Form()
        if wanted in _SHAPES and parameters.get("v", "v1") == "v1":
            return Form(shape=_SHAPES[wanted], include=include or "Metadata")
    raise not_acceptable()


def list_document(
    form: Form, resource: Resource, stored: Sequence[Stored], metadata: JsonObject, now: datetime
) -> bytes:
    """A whole list in the form asked for."""
    if form.shape is Shape.TABLE:
        rows = [row(resource, one.item, now, form.include) for one in stored]
        return msgspec.json.encode(table(column_definitions(resource), rows, metadata))
    if form.shape is Shape.PARTIAL:
        kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        items = msgspec.json.encode([partial(one.item) for one in stored])[1:-1]
    else:
        kind, version = f"{resource.kind}List", resource.api_version
        items = join_items(stored)
    head = f'{{"kind":"{kind}","apiVersion":"{version}","metadata":'.encode()
    return b'%b%b,"items":[%b]}\n' % (head, msgspec.json.encode(metadata), items)


def one_document(form: Form, stored: Stored, now: datetime) -> bytes:
    """A single object in the form asked for."""
    if form.shape is Shape.OBJECT:
        return stored.full()
    if form.shape is Shape.PARTIAL:
        return msgspec.json.encode(partial(stored.item))
    metadata = {"resourceVersion": str(stored.version)}
    rows = [row(stored.resource, stored.item, now, form.include)]
    return msgspec.json.encode(table(column_definitions(stored.resource), rows, metadata))


def watch_line(form: Form, event: str, stored: Stored, now: datetime, *, first: bool) -> bytes:
    """One event; of a table's, only the first carries the column definitions (client-go's printers keep them)."""
    if form.shape is Shape.OBJECT:
        return event_line(event, stored.full())
    if form.shape is Shape.PARTIAL:
        return event_line(event, msgspec.json.encode(partial(stored.item)))
    columns = column_definitions(stored.resource) if first else []
    rows = [row(stored.resource, stored.item, now, form.include)]
    body = table(columns, rows, {"resourceVersion": str(stored.version)})
    return event_line(event, msgspec.json.encode(body))


def bookmark_line(form: Form, resource: Resource, version: int, *, initial_end: bool = False) -> bytes:
    """A BOOKMARK: nothing but a version, and the annotation that ends the initial events of a WatchList."""
    metadata: JsonObject = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    body: JsonObject = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    if form.shape is Shape.TABLE:
        body = table([], [], {"resourceVersion": str(version)})
    elif form.shape is Shape.PARTIAL:
        body |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    elif resource.kind == "Pod":
        body |= {"spec": {"containers": None}, "status": {}}
    return event_line("BOOKMARK", msgspec.json.encode(body))


def error_line(status: JsonObject) -> bytes:
    """An ERROR event."""
    return event_line("ERROR", msgspec.json.encode(status))
