"""The queue between sources and the writer: reading never waits for judging.

Bounded, so that a slow store costs a known amount of memory. While a version of an object waits, a newer one takes
its place (latest wins; what must not be lost is decided in `coalescing`), so the queue fills only with distinct
objects. Whatever orders what it divides (a list that begins or ends, a deletion, another object under the same name)
is never passed: after it, an object's versions wait anew.
"""

from __future__ import annotations

import asyncio
from collections import deque

from watcher.engine.coalescing import merged
from watcher.model.observations import (
    ClockJumped,
    Ended,
    EventType,
    Forbidden,
    Input,
    Listing,
    ObjectSeen,
    Scope,
    Started,
    StatsSampled,
    StreamHealth,
    Synced,
    object_of,
)

CAPACITY = 10_000
"""About ten seconds of the busiest cluster's updates (1,000/s), some 40 MB of decoded pods at the worst."""

_SAMPLES = Scope(kind="StatsSummary")
_Place = tuple[str, str]
"""(namespace, name) of an object; ("", node) of a sample."""


class _Slot:
    """One place in the queue: what waits there, and where it is found by a newer version."""

    __slots__ = ("place", "scope", "value")

    def __init__(self, value: Input, scope: Scope | None = None, place: _Place = ("", "")) -> None:
        self.value = value
        self.scope = scope
        self.place = place


class IntakeQueue:
    """The engine's `Intake`."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._slots: deque[_Slot] = deque()
        self._newest: dict[Scope, dict[_Place, _Slot]] = {}
        """Where the newest version of an object waits, while a newer one may still take its place."""
        self._filled = asyncio.Event()
        self._roomy = asyncio.Event()
        self.coalesced = 0
        """Observations that took the place of an older one."""
        self.refused = 0
        """Times that a source had to wait because the queue was full of distinct objects."""

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def full(self) -> bool:
        return len(self._slots) >= self._capacity

    def offer(self, observation: Input) -> bool:
        """Take a watch event, at once or not at all."""
        slot = _slot(observation)
        if self._coalesces(slot):
            self.coalesced += 1
            return True
        if self.full:
            self.refused += 1
            return False
        self._append(slot)
        return True

    async def put(self, observation: Input) -> None:
        """Objects of a list wait while the queue is full; the rest is bounded by who says it, and never waits."""
        while self.full and isinstance(observation, ObjectSeen | StatsSampled):
            self.refused += 1
            await self.room()
        self._append(_slot(observation))

    async def room(self) -> None:
        while len(self._slots) > self._capacity // 2:
            self._roomy.clear()
            await self._roomy.wait()

    async def take(self, limit: int, within: float | None) -> list[Input]:
        """What is there, at least one unless `within` seconds pass first; at most `limit`."""
        if not self._slots:
            self._filled.clear()
            try:
                async with asyncio.timeout(within):
                    await self._filled.wait()
            except TimeoutError:
                return []
        batch = [self._pop() for _ in range(min(limit, len(self._slots)))]
        if len(self._slots) <= self._capacity // 2:
            self._roomy.set()
        return batch

    def _coalesces(self, slot: _Slot) -> bool:
        """Put it in the place of an older version that waits, where there is one and nothing is lost."""
        if slot.scope is None or not _is_version(slot.value):
            return False
        waiting = self._newest.get(slot.scope, {}).get(slot.place)
        both = merged(waiting.value, slot.value) if waiting is not None else None
        if waiting is None or both is None:
            return False
        waiting.value = both
        return True

    def _append(self, slot: _Slot) -> None:
        self._divide(slot)
        self._slots.append(slot)
        self._filled.set()

    def _pop(self) -> Input:
        slot = self._slots.popleft()
        if slot.scope is not None:
            places = self._newest.get(slot.scope, {})
            if places.get(slot.place) is slot:
                del places[slot.place]
        return slot.value

    def _divide(self, slot: _Slot) -> None:
        """Remember where a newer version may go, and forget what it must not pass."""
        one = slot.value
        if slot.scope is not None:
            places = self._newest.setdefault(slot.scope, {})
            if _is_version(one):
                places[slot.place] = slot
            else:
                places.pop(slot.place, None)
        elif isinstance(one, Listing | Synced | Forbidden | StreamHealth):
            self._newest.pop(one.scope, None)
        elif isinstance(one, Started | Ended | ClockJumped):
            self._newest.clear()


def _is_version(one: Input) -> bool:
    """A list's objects and deletions stay what they are, and no version passes them."""
    return not isinstance(one, ObjectSeen) or one.event not in (EventType.LISTED, EventType.DELETED)


def _slot(one: Input) -> _Slot:
    if isinstance(one, StatsSampled):
        return _Slot(one, _SAMPLES, ("", one.node))
    if isinstance(one, ObjectSeen):
        meta = object_of(one).metadata
        return _Slot(one, one.scope, (meta.namespace, meta.name))
    return _Slot(one)
