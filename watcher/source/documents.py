"""What kubectl prints, as observations: lists, single pods, watches, and the consecutive states of tests' fixtures.

None of it tells when it was seen, so the newest time inside an object counts, and never goes back. A watch begins with
what exists, unmarked: the leading run of ADDED documents (of pods not seen before, where there are no event types) is
taken for that list, which closes nothing. It is seen at the newest time of all of it, so the run is read twice rather
than held. Everything becomes JSON documents first, YAML too.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec
import yaml

from watcher.model.kube import Pod
from watcher.model.observations import EventType, Input, Listing, PodSeen, Scope, Synced
from watcher.source.decode import BROKEN, decode_pod
from watcher.source.readstate import ReadState, RecordingError, own_time

_SCOPE = Scope(kind="Pod")
_EVENTS = {"ADDED": EventType.ADDED, "MODIFIED": EventType.MODIFIED, "DELETED": EventType.DELETED}


Key = tuple[str, str, str]
"""(namespace, name, uid) of a pod."""


class Document(NamedTuple):
    """One JSON document. `where`: `file:line`, or `file: document 2` of YAML. `assumed`: its kind, if it tells none."""

    where: str
    raw: bytes | msgspec.Raw
    assumed: str = ""


class _Head(msgspec.Struct, frozen=True, gc=False):
    """Enough to say what a document is."""

    kind: str = ""
    type: str = ""
    object: msgspec.Raw = msgspec.Raw(b"")
    """Empty: there is none."""
    items: list[msgspec.Raw] | None = None


_head_decoder = msgspec.json.Decoder(_Head)
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


class _Entry(NamedTuple):
    """A pod, and the event it came with: None where the document has no event type."""

    where: str
    event: EventType | None
    pod: Pod

    @property
    def key(self) -> Key:
        meta = self.pod.metadata
        return meta.namespace, meta.name, meta.uid


# ---- bytes to documents ----


class _Loader(yaml.CSafeLoader):
    """Times stay texts, as they are in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def yaml_documents(name: str, text: bytes) -> Iterator[Document]:
    """The documents of a YAML file, divided by `---`."""
    try:
        values = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place is not None else ""
        raise RecordingError(f"{name}{line}: this is no recording, and neither JSON nor YAML") from error
    for number, value in enumerate(values, 1):
        if value is None:
            continue
        if not isinstance(value, dict):
            raise RecordingError(f"{name}: document {number} is no Kubernetes object")
        try:
            yield Document(f"{name}: document {number}", msgspec.json.encode(value))
        except (TypeError, ValueError) as error:
            raise RecordingError(f"{name}: document {number}: {error}") from error


def json_documents(name: str, lines: Iterable[bytes], state: ReadState) -> Iterator[Document]:
    """Concatenated JSON documents, one a line or printed over many; one that is cut off at the end is left out."""
    parts: list[bytes] = []
    start, found = 1, False
    for number, line in enumerate(lines, 1):
        if not parts:
            if line.isspace():
                continue
            if line.lstrip()[:1] not in (b"{", b"["):
                raise RecordingError(f"{name}:{number}: this is no JSON document")
            start = number
        parts.append(line)
        if _may_end(line, alone=len(parts) == 1):
            whole = b"".join(parts)
            pieces = _pieces(f"{name}:{start}", whole)
            if pieces:
                yield from pieces
                parts, found = [], True
    if parts and not found:
        raise RecordingError(f"{name}:{start}: the document that begins here is cut off")
    if parts:
        state.warn(f"{name}:{start}: the last document is cut off, and left out")


def _may_end(line: bytes, *, alone: bool) -> bool:
    """A printed document ends in a line of its closing bracket alone; one on a line of its own, in any."""
    text = line.rstrip()
    return text in (b"}", b"]") or (alone and text[-1:] in (b"}", b"]"))


def _pieces(where: str, text: bytes) -> list[Document]:
    """The documents in `text`, which is nearly always one; empty: its end has not come yet."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except BROKEN as error:
        if "truncated" in str(error):
            return []
        return _split(where, text)
    return [Document(where, text.strip())]


def _split(where: str, text: bytes) -> list[Document]:
    """Documents that follow each other on one line."""
    decoder, pieces, position = json.JSONDecoder(), [], 0
    try:
        characters = text.decode().strip()
        while position < len(characters):
            _, end = decoder.raw_decode(characters, position)
            pieces.append(Document(where, characters[position:end].encode()))
            position = end + len(characters[end:]) - len(characters[end:].lstrip())
    except ValueError as error:
        raise RecordingError(f"{where}: the JSON that begins here is broken: {error}") from error
    return pieces


# ---- documents to observations ----


def observe(documents: Callable[[], Iterator[Document]], state: ReadState) -> Iterator[Input]:
    """The observations of one file; `documents` begins anew with each call."""
    stream = documents()
    first = next(stream, None)
    if first is None:
        return
    stream = itertools.chain((first,), stream)
    known: set[Key] = set()
    if not _is_list(first):
        known, newest = _initial(stream)
        stream = documents()
        if known:
            yield from _listed(stream, len(known), state.time(newest), state)
    for document in stream:
        if _is_list(document):
            yield from _whole_list(document, known, state)
        elif (entry := _entry(document, state)) is not None:
            yield _changed(entry, known, state)


def _initial(documents: Iterable[Document]) -> tuple[set[Key], datetime | None]:
    """The pods of the leading run, and its newest time."""
    known: set[Key] = set()
    newest: datetime | None = None
    for document in documents:
        if _is_list(document):
            break
        entry = _entry(document, None)
        if entry is None:
            continue
        if entry.event not in (None, EventType.ADDED) or entry.key in known:
            break
        known.add(entry.key)
        newest = max(filter(None, (newest, own_time(entry.pod))), default=None)
    return known, newest


def _listed(documents: Iterator[Document], count: int, at: datetime, state: ReadState) -> Iterator[Input]:
    """The leading run as a list; `documents` is left behind its last pod."""
    yield Listing(at=at, scope=_SCOPE)
    while count:
        entry = _entry(next(documents), state)
        if entry is not None:
            count -= 1
            yield PodSeen(at=at, event=EventType.LISTED, scope=_SCOPE, pod=entry.pod)
    yield Synced(at=at, scope=_SCOPE, complete=state.complete)


def _changed(entry: _Entry, known: set[Key], state: ReadState) -> Input:
    """A pod after the leading run, by its event type, or else by whether it was seen before."""
    event = entry.event or (EventType.MODIFIED if entry.key in known else EventType.ADDED)
    known.add(entry.key)
    at = state.time(own_time(entry.pod))
    return PodSeen(at=at, event=event, scope=_SCOPE, pod=entry.pod)


def _whole_list(document: Document, known: set[Key], state: ReadState) -> Iterator[Input]:
    """A List of kubectl, or an array: of the states of one object, of watch events, or of different pods."""
    head = None if _is_array(document) else _head(document)
    items = _items(document, head)
    pods = [item for item in items if _is_pod(item, state)]
    if head is None and _is_history(pods):
        for item in pods:
            if (entry := _entry(item, None)) is not None:
                yield _changed(entry, known, state)
    elif pods or (not items and (head is None or head.kind in ("List", "PodList"))):
        told = (own_time(_pod(item)) for item in pods)
        at = state.time(max(filter(None, told), default=None))
        yield Listing(at=at, scope=_SCOPE)
        for item in pods:
            yield PodSeen(at=at, event=EventType.LISTED, scope=_SCOPE, pod=_pod(item))
        yield Synced(at=at, scope=_SCOPE, complete=state.complete)


def _items(document: Document, head: _Head | None) -> list[Document]:
    raws = _array_decoder.decode(document.raw) if head is None else head.items or []
    # What a PodList holds need not say that it is a Pod.
    assumed = head.kind.removesuffix("List") if head is not None else ""
    return [Document(f"{document.where}: items[{n}]", raw, assumed) for n, raw in enumerate(raws)]


def _is_history(items: list[Document]) -> bool:
    """Watch events, or states of one object: some pod comes twice, or there is only one."""
    entries = [entry for item in items if (entry := _entry(item, None)) is not None]
    keys = {entry.key for entry in entries}
    return len(keys) < max(2, len(entries)) or any(entry.event is not None for entry in entries)


# ---- one document ----


def _is_array(document: Document) -> bool:
    return _first(document.raw) == b"["


def _first(raw: bytes | msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


def _is_list(document: Document) -> bool:
    return _is_array(document) or _head(document).items is not None


def _head(document: Document) -> _Head:
    try:
        return _head_decoder.decode(document.raw)
    except BROKEN as error:
        raise RecordingError(f"{document.where}: this is no Kubernetes object: {error}") from error


def _is_event(head: _Head) -> bool:
    return bool(head.type) and _first(head.object) == b"{"


def _is_pod(item: Document, state: ReadState | None) -> bool:
    """Whether it is a pod or an event of one; what it is instead is counted."""
    head = _head(item)
    kind = head.kind or item.assumed
    if _is_event(head):
        kind = _head(Document(item.where, head.object)).kind
        if kind == "Pod" and head.type not in _EVENTS:
            kind = f"{head.type} event"
    if kind == "Pod":
        return True
    if state is not None:
        state.report.skipped[kind or "object without a kind"] += 1
    return False


def _entry(document: Document, state: ReadState | None) -> _Entry | None:
    """The pod of a document; None: it is something else, counted where `state` is given."""
    if not _is_pod(document, state):
        return None
    head = _head(document)
    if not _is_event(head):
        return _Entry(document.where, None, _pod(document))
    return _Entry(document.where, _EVENTS[head.type], _pod(Document(document.where, head.object)))


def _pod(document: Document) -> Pod:
    try:
        return decode_pod(document.raw)
    except BROKEN as error:
        raise RecordingError(f"{document.where}: this pod cannot be read: {error}") from error
