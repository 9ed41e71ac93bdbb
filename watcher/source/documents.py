"""What kubectl prints, as observations: lists, single pods, watches, and the consecutive states of tests' fixtures.

None of it tells when it was seen, so the newest time inside an object counts, and never goes back. A watch begins with
what exists, unmarked: the leading run of ADDED documents (of objects not seen before, where there are no event types)
is taken for that list, which closes nothing. It is seen at the newest time of all of it, so the run is read twice
rather than held. Several kinds may stand in one List; each becomes a list of its own, at the same time. Of events only
those are read that a stream would bring: warnings, not about pods. Everything becomes JSON documents first, YAML too.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec
import yaml

from watcher.model.kube import Event, KubeObject
from watcher.model.observations import EventType, Input, Listing, Scope, Synced, seen_as
from watcher.source.decode import BROKEN, DECODERS
from watcher.source.kinds import KINDS
from watcher.source.readstate import ReadState, RecordingError, own_time

_SCOPES = {kind: Scope(kind=kind) for kind in KINDS}
_EVENTS = {"ADDED": EventType.ADDED, "MODIFIED": EventType.MODIFIED, "DELETED": EventType.DELETED}

_OTHER_EVENT = "Event that is no warning, or about a pod"


Key = tuple[str, str, str, str]
"""(kind, namespace, name, uid) of an object."""


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
    """An object, and the event it came with: None where the document has no event type."""

    kind: str
    event: EventType | None
    item: KubeObject

    @property
    def key(self) -> Key:
        meta = self.item.metadata
        return self.kind, meta.namespace, meta.name, meta.uid

    def seen(self, at: datetime, event: EventType) -> Input:
        return seen_as(at, event, _SCOPES[self.kind], self.item)


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
            yield from _listed(stream, known, state.time(newest), state)
    for document in stream:
        if _is_list(document):
            yield from _whole_list(document, known, state)
        elif (entry := _entry(document, state)) is not None:
            yield _changed(entry, known, state)


def _initial(documents: Iterable[Document]) -> tuple[set[Key], datetime | None]:
    """The objects of the leading run, and its newest time."""
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
        newest = max(filter(None, (newest, own_time(entry.item))), default=None)
    return known, newest


def _listed(documents: Iterator[Document], known: set[Key], at: datetime, state: ReadState) -> Iterator[Input]:
    """The leading run as lists; `documents` is left behind its last object."""

    def run() -> Iterator[_Entry]:
        left = len(known)
        while left:
            entry = _entry(next(documents), state)
            if entry is not None:
                left -= 1
                yield entry

    yield from _lists({kind for kind, *_ in known}, run(), at, state)


def _lists(present: set[str], entries: Iterable[_Entry], at: datetime, state: ReadState) -> Iterator[Input]:
    """One list for each kind that is present, all at one time."""
    kinds = [kind for kind in KINDS if kind in present]
    for kind in kinds:
        yield Listing(at=at, scope=_SCOPES[kind])
    for entry in entries:
        yield entry.seen(at, EventType.LISTED)
    for kind in kinds:
        yield Synced(at=at, scope=_SCOPES[kind], complete=state.complete)


def _changed(entry: _Entry, known: set[Key], state: ReadState) -> Input:
    """An object after the leading run, by its event type, or else by whether it was seen before."""
    event = entry.event or (EventType.MODIFIED if entry.key in known else EventType.ADDED)
    known.add(entry.key)
    return entry.seen(state.time(own_time(entry.item)), event)


def _whole_list(document: Document, known: set[Key], state: ReadState) -> Iterator[Input]:
    """A List of kubectl, or an array: of the states of one object, of watch events, or of different objects."""
    head = None if _is_array(document) else _head(document)
    items = _items(document, head)
    entries = [entry for item in items if (entry := _entry(item, state)) is not None]
    if head is None and _is_history(entries):
        for entry in entries:
            yield _changed(entry, known, state)
        return
    kinds = {entry.kind for entry in entries}
    if head is not None and not items:
        kinds = {_empty_list_of(head)} & KINDS.keys()
    if kinds:
        times = filter(None, (own_time(entry.item) for entry in entries))
        yield from _lists(kinds, entries, state.time(max(times, default=None)), state)


def _empty_list_of(head: _Head) -> str:
    """The kind that an empty list is of; kubectl's `List` does not say, and is nearly always of pods."""
    return "Pod" if head.kind == "List" else head.kind.removesuffix("List")


def _items(document: Document, head: _Head | None) -> list[Document]:
    raws = _array_decoder.decode(document.raw) if head is None else head.items or []
    # What a PodList holds need not say that it is a Pod.
    assumed = head.kind.removesuffix("List") if head is not None else ""
    return [Document(f"{document.where}: items[{n}]", raw, assumed) for n, raw in enumerate(raws)]


def _is_history(entries: list[_Entry]) -> bool:
    """Watch events, or states of one object: something comes twice, or there is only one."""
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


def _kind_of(item: Document) -> tuple[str, bool]:
    """(what it is, whether it is read): a watched kind or an event of one, else what to count it as."""
    head = _head(item)
    kind = head.kind or item.assumed
    if _is_event(head):
        kind = _head(Document(item.where, head.object)).kind
        if kind in KINDS and head.type not in _EVENTS:
            return f"{head.type} event", False
    return kind or "object without a kind", kind in KINDS


def _entry(document: Document, state: ReadState | None) -> _Entry | None:
    """The object of a document; None: it is something else, counted where `state` is given."""
    kind, is_read = _kind_of(document)
    if is_read:
        head = _head(document)
        if _is_event(head):
            item = _object(kind, Document(document.where, head.object))
            entry = _Entry(kind, _EVENTS[head.type], item)
        else:
            entry = _Entry(kind, None, _object(kind, document))
        if not isinstance(entry.item, Event) or _is_wanted(entry.item):
            return entry
        kind = _OTHER_EVENT
    if state is not None:
        state.report.skipped[kind] += 1
    return None


def _is_wanted(event: Event) -> bool:
    return event.type == "Warning" and event.involved_object.kind not in ("", "Pod")


def _object(kind: str, document: Document) -> KubeObject:
    try:
        return DECODERS[kind].one(document.raw)
    except BROKEN as error:
        raise RecordingError(f"{document.where}: this {_word(kind)} cannot be read: {error}") from error


def _word(kind: str) -> str:
    return "claim" if kind == "PersistentVolumeClaim" else kind.lower()
