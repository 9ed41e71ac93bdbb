"""The objects of one kind: their present versions, their recent history, and who waits for more.

An object is encoded once, when it is put: as the bytes before and after its resourceVersion, so that lists, watch
events, and the DELETED event (the last object under a new version) are joins of the same bytes, however many watchers
read them, and pods of a benchmark can share their long tail. It is decoded only where a selector or a table looks
inside. Items carry no kind and apiVersion, as in the lists of a real API server. Watchers (watch.py) keep a position
in `changes`; who falls behind the window has lost.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

import msgspec

from watcher.demo.resources import JsonObject, Key, Resource, key_path

_MARK = "@@resourceVersion@@"
_MARK_BYTES = f'"{_MARK}"'.encode()
_KEPT_SNAPSHOTS = 32


class Encoded(msgspec.Struct, frozen=True):
    """An object's JSON without kind and apiVersion, cut where the digits of its resourceVersion go."""

    head: bytes
    tail: bytes

    @classmethod
    def of(cls, item: JsonObject) -> Encoded:
        metadata = {**item.get("metadata", {}), "resourceVersion": _MARK}
        rest = {key: value for key, value in item.items() if key not in ("kind", "apiVersion", "metadata")}
        head, _, tail = msgspec.json.encode({"metadata": metadata, **rest}).partition(_MARK_BYTES)
        return cls(head + b'"', b'"' + tail)

    def at(self, version: int) -> bytes:
        return b"%b%d%b" % (self.head, version, self.tail)


class Stored:
    """One version of one object. Never changed after it is made."""

    __slots__ = ("_birth", "_item", "encoded", "key", "resource", "version")

    def __init__(
        self, resource: Resource, key: Key, version: int, encoded: Encoded, birth: tuple[str, str] | None = None
    ) -> None:
        self.resource = resource
        self.key = key
        self.version = version
        self.encoded = encoded
        self._birth = birth
        self._item: JsonObject | None = None

    @property
    def birth(self) -> tuple[str, str]:
        """uid and creationTimestamp; who knows them saves a decoding."""
        if self._birth is None:
            metadata = self.item["metadata"]
            self._birth = (metadata.get("uid", ""), metadata.get("creationTimestamp", ""))
        return self._birth

    @property
    def raw(self) -> bytes:
        """JSON as an item of a list."""
        return self.encoded.at(self.version)

    @property
    def item(self) -> JsonObject:
        """The object decoded, shared by all who look: only for reading."""
        if self._item is None:
            self._item = self.copy()
        return self._item

    def copy(self) -> JsonObject:
        """The object decoded anew, with kind and apiVersion first."""
        body: JsonObject = msgspec.json.decode(self.raw)
        return {"kind": self.resource.kind, "apiVersion": self.resource.api_version, **body}

    def full(self, version: int | None = None) -> bytes:
        """JSON as a single object, with kind and apiVersion."""
        raw = self.raw if version is None else self.encoded.at(version)
        return type_prefix(self.resource) + raw[1:]


def type_prefix(resource: Resource) -> bytes:
    return f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()


def event_line(event: str, body: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"%b","object":%b}\n' % (event.encode(), body)


class Change:
    """One step of the history. `previous` is what the object was before; None when it was new."""

    __slots__ = ("_line", "event", "previous", "stored", "version")

    def __init__(self, event: str, stored: Stored, previous: Stored | None) -> None:
        self.event = event
        self.stored = stored
        self.previous = previous
        self.version = stored.version
        self._line: bytes | None = None

    @property
    def line(self) -> bytes:
        """The watch event, encoded once for all watchers."""
        if self._line is None:
            self._line = event_line(self.event, self.stored.full())
        return self._line


class Watching(Protocol):
    """Who is told that there is more to read."""

    def wake(self) -> None: ...


class Store:
    """All objects of one kind."""

    def __init__(self, resource: Resource, floor: int, window: int) -> None:
        self.resource = resource
        self.objects: dict[Key, Stored] = {}
        self.changes: list[Change] = []
        self.base = 0
        """How many changes left the window: the position of `changes[0]`."""
        self.floor = floor
        """Watches can begin at this version or later."""
        self.window = window
        self.watchers: set[Watching] = set()
        self._keys: list[Key] = []
        self._snapshots: OrderedDict[int, tuple[Stored, ...]] = OrderedDict()

    @property
    def end(self) -> int:
        """The position after the newest change."""
        return self.base + len(self.changes)

    def put(self, stored: Stored) -> None:
        previous = self.objects.get(stored.key)
        if previous is None:
            bisect.insort(self._keys, stored.key, key=key_path)
        self.objects[stored.key] = stored
        self._append(Change("ADDED" if previous is None else "MODIFIED", stored, previous))

    def delete(self, key: Key, version: int) -> Stored:
        """Remove the object; the DELETED event carries its last state under `version`."""
        previous = self.objects.pop(key)
        del self._keys[bisect.bisect_left(self._keys, key_path(key), key=key_path)]
        self._append(Change("DELETED", Stored(self.resource, key, version, previous.encoded), previous))
        return previous

    def _append(self, change: Change) -> None:
        self.changes.append(change)
        if len(self.changes) > self.window + self.window // 4 + 16:
            self._trim(len(self.changes) - self.window)
        for watching in self.watchers:
            watching.wake()

    def _trim(self, count: int) -> None:
        if count > 0:
            self.floor = max(self.floor, self.changes[count - 1].version)
            del self.changes[:count]
            self.base += count

    def forget(self, version: int) -> None:
        """Compaction: watches that begin before `version`, and continue tokens, are answered 410. Open ones go on."""
        self.floor = max(self.floor, version)
        self._snapshots.clear()

    def position(self, version: int) -> int:
        """The position of the first change after `version`."""
        return self.base + bisect.bisect_right(self.changes, version, key=lambda change: change.version)

    def current(self) -> tuple[Stored, ...]:
        """All objects, in the order of etcd's keys."""
        objects = self.objects
        return tuple([objects[key] for key in self._keys])

    def keep_snapshot(self, version: int, snapshot: tuple[Stored, ...]) -> None:
        """Remember what a first page saw, for its continue tokens."""
        self._snapshots[version] = snapshot
        self._snapshots.move_to_end(version)
        while len(self._snapshots) > _KEPT_SNAPSHOTS:
            self._snapshots.popitem(last=False)

    def snapshot(self, version: int) -> tuple[Stored, ...] | None:
        """What a first page saw at `version`; None when it was compacted."""
        return self._snapshots.get(version)

    def as_of(self, version: int) -> tuple[Stored, ...] | None:
        """The objects as they were at `version`, by undoing the history; None when that does not reach so far."""
        if version < self.floor:
            return None
        objects = dict(self.objects)
        for change in reversed(self.changes):
            if change.version <= version:
                break
            _undo(objects, change)
        return tuple(objects[key] for key in sorted(objects, key=key_path))


def _undo(objects: dict[Key, Stored], change: Change) -> None:
    if change.previous is None:
        objects.pop(change.stored.key, None)
    else:
        objects[change.stored.key] = change.previous


def join_items(stored: Iterable[Stored]) -> bytes:
    """The items of a list, as JSON without the brackets."""
    return b",".join([one.raw for one in stored])
