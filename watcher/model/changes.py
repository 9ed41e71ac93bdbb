"""The view (all state the core reads) and changes (all it answers), joined by a draft that overlays one on the other.

The core never touches the view: it reads and writes a `Draft`, which keeps what it writes to itself, so that a batch
sees its own earlier changes and a failed commit leaves nothing behind. The writer stores the draft's changes and then
calls `View.apply`. Order never depends on the order of insertion: what is looked up by an index comes sorted by key,
or one batch and many would differ.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Set
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from watcher.model.evidence import EvidenceRequest
from watcher.model.hints import Mistake
from watcher.model.identity import AlertKey, MemberKey
from watcher.model.observations import Scope
from watcher.model.state import (
    Alert,
    Attempt,
    Channel,
    ClaimState,
    ContainerHistory,
    Decision,
    Group,
    Member,
    Meta,
    NamespaceState,
    NodeState,
    OutboxRow,
    PodState,
    ScopeState,
    Told,
    ToldKey,
    Transition,
    VolumeHistory,
    Warned,
)

K = TypeVar("K", bound=Any)
V = TypeVar("V")
Index = Callable[[V], "Hashable | None"]
"""The value under which a row is found; of a frozenset each of its values; None: none."""


class Rank:
    """In which order timers of one instant run."""

    WINDOW = 0
    CHANNEL = 1
    MEMBER = 2
    ALERT = 3
    GROUP = 4


Timer = tuple[datetime, int, Any]
"""(due, rank, key)"""


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
        self._by: dict[str, dict[Hashable, set[K]]] = {name: {} for name in self.indexes}
        self.timers: list[Timer] = []

    def put(self, key: K, row: V) -> None:
        old = self.rows.get(key)
        self.rows[key] = row
        for name, index in self.indexes.items():
            before = index(old) if old is not None else None
            after = index(row)
            if before != after:
                self._unindex(name, before, key)
                for value in _values(after):
                    self._by[name].setdefault(value, set()).add(key)
        if self.timer is not None:
            self._retime(key, old, row)

    def drop(self, key: K) -> None:
        old = self.rows.pop(key, None)
        if old is None:
            return
        for name, index in self.indexes.items():
            self._unindex(name, index(old), key)
        if self.timer is not None:
            self._retime(key, old, None)

    def keys_by(self, name: str, value: Hashable) -> Iterable[K]:
        return self._by[name].get(value, ())

    def _unindex(self, name: str, index: Hashable | None, key: K) -> None:
        for value in _values(index):
            keys = self._by[name].get(value)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._by[name][value]

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


def _values(index: Hashable | None) -> Iterable[Hashable]:
    if index is None:
        return ()
    return index if isinstance(index, frozenset) else (index,)


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
        rows = (self.get(key) for key in sorted(self.keys(name, value)))
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
        candidates = []
        if self._next < len(timers):
            candidates.append(timers[self._next])
        if self._heap:
            candidates.append(self._heap[0])
        return min(candidates) if candidates else None

    def _valid(self, timer: Timer) -> bool:
        assert self._base.timer is not None
        row = self.changed.get(timer[2])
        return row is not None and self._base.timer[1](row) == timer[0]


def _member_pod(row: Member) -> str:
    return row.key.subject.uid


IN_MEMORY = ("pods", "claims", "nodes", "namespaces", "warned")
"""Tables that the first lists of a process bring back."""
STORED = ("scopes", "histories", "volumes", "members", "alerts", "groups", "told", "outbox", "channels")
TABLES = (*IN_MEMORY, *STORED)
"""All tables, by their names in View, Changes and Draft."""


class View:
    """All state in memory. The core reads it through a draft; only the writer applies changes to it."""

    def __init__(self) -> None:
        self.meta = Meta()
        self.muted: set[Timer] = set()
        """Timers that a stage could not take: not run again in this process, unless their time changes."""
        self.scopes: Table[Scope, ScopeState] = Table()
        self.pods: Table[str, PodState] = Table(
            {
                "name": lambda p: (p.namespace, p.name),
                "workload": lambda p: p.workload,
                "failed": lambda p: p.workload if p.failed_at is not None else None,
                "claim": lambda p: frozenset((p.namespace, name) for name in p.claims) if p.claims else None,
            },
            (Rank.WINDOW, lambda p: p.due),
        )
        self.claims: Table[tuple[str, str], ClaimState] = Table()
        """By namespace and name, as pods and kubelets name them."""
        self.nodes: Table[str, NodeState] = Table()
        self.namespaces: Table[str, NamespaceState] = Table()
        self.warned: Table[tuple[str, str], Warned] = Table({"about": lambda w: (w.kind, w.namespace, w.name)})
        """By the event's own namespace and name."""
        self.histories: Table[tuple[str, str], ContainerHistory] = Table({"uid": lambda h: h.uid})
        self.volumes: Table[tuple[str, str, str], VolumeHistory] = Table({}, (Rank.WINDOW, lambda v: v.due))
        self.members: Table[MemberKey, Member] = Table(
            {
                "uid": _member_pod,
                "alert": lambda m: m.alert,
                "workload": lambda m: m.workload,
                "node": lambda m: m.signal.node or None,
            },
            (Rank.MEMBER, _member_due),
        )
        self.alerts: Table[AlertKey, Alert] = Table(
            {
                "workload": lambda a: a.workload,
                "firing": lambda a: a.ends_at is None or None,
                "explained_by": lambda a: a.explained_by,
            },
            (Rank.ALERT, _alert_due),
        )
        self.groups: Table[str, Group] = Table({}, (Rank.GROUP, lambda g: g.due))
        self.told: Table[ToldKey, Told] = Table(
            {
                "alert": lambda t: t.key.alert,
                "message": lambda t: t.message,
                "group": lambda t: t.group,
            }
        )
        self.outbox: Table[str, OutboxRow] = Table(
            {"group": lambda m: m.group, "channel": lambda m: (m.receiver, m.integration)}
        )
        self.channels: Table[tuple[str, str], Channel] = Table({}, (Rank.CHANNEL, lambda c: c.due))
        self.in_flight: frozenset[str] = frozenset()
        """Messages that are being sent right now: nothing may take their place."""

    def apply(self, changes: Changes) -> None:
        """Take over what has been committed. Delivered and dead messages leave the memory."""
        if changes.meta is not None:
            self.meta = changes.meta
        for name, table in self.tables():
            for key, row in getattr(changes, name).items():
                if row is None:
                    table.drop(key)
                else:
                    table.put(key, row)

    def tables(self) -> Iterator[tuple[str, Table[Any, Any]]]:
        for name in TABLES:
            yield name, getattr(self, name)

    def next_due(self) -> datetime | None:
        """When the core wants to be asked again. The gate (streams not yet synced) is the core's own affair."""
        firsts = (
            next((timer[0] for timer in table.timers if timer not in self.muted), None) for _, table in self.tables()
        )
        return min((due for due in firsts if due is not None), default=None)


def _member_due(member: Member) -> datetime | None:
    if member.due is None or member.unknown_at is None:
        return member.due or member.unknown_at
    return min(member.due, member.unknown_at)


def _alert_due(alert: Alert) -> datetime | None:
    if alert.settle_at is not None:
        return alert.settle_at
    dues = [due for due in (alert.vacant_until, alert.muted_until) if due is not None]
    return min(dues, default=None)


class Changes(msgspec.Struct, kw_only=True):
    """What the core answers. A row is a new value; None drops it. The tables of IN_MEMORY are not stored.

    `outbox` rows that leave the queue are put with their final state; the writer stores them and drops them from
    the view (`finished`). The history (transitions, decisions, attempts) is appended.
    """

    meta: Meta | None = None
    scopes: dict[Scope, ScopeState | None] = {}
    pods: dict[str, PodState | None] = {}
    claims: dict[tuple[str, str], ClaimState | None] = {}
    nodes: dict[str, NodeState | None] = {}
    namespaces: dict[str, NamespaceState | None] = {}
    warned: dict[tuple[str, str], Warned | None] = {}
    histories: dict[tuple[str, str], ContainerHistory | None] = {}
    volumes: dict[tuple[str, str, str], VolumeHistory | None] = {}
    members: dict[MemberKey, Member | None] = {}
    alerts: dict[AlertKey, Alert | None] = {}
    groups: dict[str, Group | None] = {}
    told: dict[ToldKey, Told | None] = {}
    outbox: dict[str, OutboxRow | None] = {}
    """None: it left the queue; its final row is in `finished`."""
    channels: dict[tuple[str, str], Channel | None] = {}
    finished: list[OutboxRow] = []
    transitions: list[Transition] = []
    decisions: list[Decision] = []
    attempts: list[Attempt] = []
    fetch: list[EvidenceRequest] = []
    mistakes: list[Mistake] = []
    """Annotations that do not do what their authors meant; again with each look at them."""
    refused: dict[str, int] = {}
    """Numbers in kubelets' samples that could not be used, by reason (not stored)."""

    @property
    def durable(self) -> bool:
        """Whether anything has to be committed. A healthy pod changes nothing that is stored."""
        return any(getattr(self, name) for name in STORED) or bool(
            self.finished or self.transitions or self.decisions or self.attempts
        )


class Draft:
    """What one call of the core reads and writes."""

    def __init__(self, view: View) -> None:
        self.meta = view.meta
        self._meta_before = view.meta
        self.scopes = Overlay(view.scopes)
        self.pods = Overlay(view.pods, view.muted)
        self.claims = Overlay(view.claims)
        self.nodes = Overlay(view.nodes)
        self.namespaces = Overlay(view.namespaces)
        self.warned = Overlay(view.warned)
        self.histories = Overlay(view.histories)
        self.volumes = Overlay(view.volumes, view.muted)
        self.members = Overlay(view.members, view.muted)
        self.alerts = Overlay(view.alerts, view.muted)
        self.groups = Overlay(view.groups, view.muted)
        self.told = Overlay(view.told)
        self.outbox = Overlay(view.outbox)
        self.channels = Overlay(view.channels, view.muted)
        self.in_flight = view.in_flight
        self.finished: list[OutboxRow] = []
        self.transitions: list[Transition] = []
        self.decisions: list[Decision] = []
        self.attempts: list[Attempt] = []
        self.fetch: list[EvidenceRequest] = []
        self.mistakes: list[Mistake] = []
        self.refused: dict[str, int] = {}
        self._timed: tuple[Overlay[Any, Any], ...] = (
            self.pods,
            self.volumes,
            self.members,
            self.alerts,
            self.groups,
            self.channels,
        )

    def first_timer(self, floor: datetime | None) -> Timer | None:
        """The timer to run next: by due time (what is overdue counts as due at `floor`), then rank, then key."""
        firsts = [timer for overlay in self._timed if (timer := overlay.first_timer()) is not None]
        if floor is None:
            return min(firsts, key=lambda timer: timer[:2], default=None)
        return min(firsts, key=lambda timer: (max(timer[0], floor), timer[1], timer[0]), default=None)

    def changes(self) -> Changes:
        return Changes(
            meta=self.meta if self.meta is not self._meta_before else None,
            **{name: getattr(self, name).changed for name in TABLES},
            finished=self.finished,
            transitions=self.transitions,
            decisions=self.decisions,
            attempts=self.attempts,
            fetch=self.fetch,
            mistakes=self.mistakes,
            refused=self.refused,
        )
