"""Tables with indexes and timers, and overlays that hold what is changed on top of one.

What is looked up by an index comes sorted by key, or one batch and many would differ.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Set
from datetime import datetime
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Any)
V = TypeVar("V")
Index = Callable[[V], "Hashable | None"]
"""The value under which a row is found; of a frozenset each of its values; None: none."""


class Rank:
    """In which order timers of one instant run."""

    WINDOW = 0
    CHANNEL = 1
    SILENCE = 2
    MEMBER = 3
    ALERT = 4
    GROUP = 5


Timer = tuple[datetime, int, Any]
"""(due, rank, key)"""


class _Many(set[K]):
    """Keys that one value of an index leads to. A single one stands there by itself: a set of one takes 216 bytes."""


_Found = dict[Hashable, K | _Many[K]]


class Table(Generic[K, V]):
    """Rows by key, with indexes and, where rows are timers, their due times."""

    def __init__(
        self,
        indexes: Mapping[str, Index[V]] | None = None,
        timer: tuple[int, Callable[[V], datetime | None]] | None = None,
    ) -> None:
        self.rows: dict[K, V] = {}
        self.indexes = dict(indexes or {})
        self.timer = timer
        self._by: dict[str, _Found[K]] = {name: {} for name in self.indexes}
        self._kept = tuple((index, self._by[name]) for name, index in self.indexes.items())
        self.timers: list[Timer] = []

    def put(self, key: K, row: V) -> None:
        old = self.rows.get(key)
        self.rows[key] = row
        for index, by in self._kept:
            before = index(old) if old is not None else None
            after = index(row)
            if before != after:
                if before is not None:
                    _unindex(by, before, key)
                if after is not None:
                    _index(by, after, key)
        if self.timer is not None:
            self._retime(key, old, row)

    def drop(self, key: K) -> None:
        old = self.rows.pop(key, None)
        if old is None:
            return
        for index, by in self._kept:
            if (before := index(old)) is not None:
                _unindex(by, before, key)
        if self.timer is not None:
            self._retime(key, old, None)

    def keys_by(self, name: str, value: Hashable) -> Collection[K]:
        found = self._by[name].get(value, _NONE)
        if found is _NONE:
            return ()
        return found if type(found) is _Many else (found,)

    def _retime(self, key: K, old: V | None, new: V | None) -> None:
        assert self.timer is not None
        rank, due_of = self.timer
        before = due_of(old) if old is not None else None
        after = due_of(new) if new is not None else None
        if before == after:
            return
        if before is not None:
            del self.timers[bisect_left(self.timers, (before, rank, key))]
        if after is not None:
            insort(self.timers, (after, rank, key))


_NONE: Any = object()


def _index(by: _Found[K], index: Hashable, key: K) -> None:
    for value in index if isinstance(index, frozenset) else (index,):
        found = by.get(value, _NONE)
        if found is _NONE:
            by[value] = key
        elif type(found) is _Many:
            found.add(key)
        elif found != key:
            by[value] = _Many((found, key))


def _unindex(by: _Found[K], index: Hashable, key: K) -> None:
    for value in index if isinstance(index, frozenset) else (index,):
        found = by.get(value, _NONE)
        if found is _NONE:
            continue
        if type(found) is not _Many:
            if found == key:
                del by[value]
            continue
        found.discard(key)
        if len(found) == 1:
            by[value] = found.pop()


class Overlay(Generic[K, V]):
    """A table with a draft's own changes on top; reads see them, the table below does not."""

    def __init__(self, base: Table[K, V], muted: Set[Timer] = frozenset()) -> None:
        self._base = base
        self._muted = muted
        self.changed: dict[K, V | None] = {}
        self._own: Table[K, V] = Table(base.indexes)
        self._heap: list[Timer] = []
        self._next = 0

    def get(self, key: K) -> V | None:
        if key in self.changed:
            return self.changed[key]
        return self._base.rows.get(key)

    def put(self, key: K, row: V) -> None:
        if self.get(key) is row:
            return
        self.changed[key] = row
        self._own.put(key, row)
        if self._base.timer is not None:
            rank, due_of = self._base.timer
            due = due_of(row)
            if due is not None:
                heapq.heappush(self._heap, (due, rank, key))

    def drop(self, key: K) -> None:
        if self.get(key) is not None:
            self.changed[key] = None
            self._own.drop(key)

    def keys(self, name: str, value: Hashable) -> Iterator[K]:
        """Keys of one index value, in no particular order."""
        yield from (key for key in self._base.keys_by(name, value) if key not in self.changed)
        yield from self._own.keys_by(name, value)

    def by(self, name: str, value: Hashable) -> list[V]:
        """Rows of one index value, sorted by key."""
        below, own = self._base.keys_by(name, value), self._own.keys_by(name, value)
        if not (below or own):
            return []
        keys = [key for key in below if key not in self.changed]
        keys += own
        if len(keys) > 1:
            keys.sort()
        rows = (self.get(key) for key in keys)
        return [row for row in rows if row is not None]

    def items(self) -> Iterator[tuple[K, V]]:
        """Every row with its key, in no particular order; do not change the table while iterating."""
        for key, row in self._base.rows.items():
            if key not in self.changed:
                yield key, row
        yield from self._own.rows.items()

    def all(self) -> Iterator[V]:
        """Every row, in no particular order; do not change the table while iterating."""
        for key, row in self._base.rows.items():
            if key not in self.changed:
                yield row
        yield from self._own.rows.values()

    def first_timer(self) -> Timer | None:
        """The earliest timer, or None."""
        timers = self._base.timers
        while self._next < len(timers) and (timers[self._next][2] in self.changed or timers[self._next] in self._muted):
            self._next += 1
        while self._heap and (self._heap[0] in self._muted or not self._valid(self._heap[0])):
            heapq.heappop(self._heap)
        below = timers[self._next] if self._next < len(timers) else None
        if not self._heap or below is None:
            return self._heap[0] if self._heap else below
        return min(below, self._heap[0])

    def _valid(self, timer: Timer) -> bool:
        assert self._base.timer is not None
        row = self.changed.get(timer[2])
        return row is not None and self._base.timer[1](row) == timer[0]
