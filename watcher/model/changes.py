"""The view (all state the core reads) and changes (all it answers), joined by a draft that overlays one on the other.

The core never touches the view: it reads and writes a `Draft`, which keeps what it writes to itself, so that a batch
sees its own earlier changes and a failed commit leaves nothing behind. The writer stores the draft's changes and then
calls `View.apply`. Order never depends on the order of insertion (`table`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from watcher.model.evidence import EvidenceRequest
from watcher.model.hints import Mistake
from watcher.model.identity import AlertKey, MemberKey
from watcher.model.observations import Scope
from watcher.model.remembered import (
    ClaimState,
    ContainerHistory,
    NamespaceState,
    NodeState,
    PodState,
    ScopeState,
    VolumeHistory,
    Warned,
)
from watcher.model.silence import Answer, Silence, SilenceChange
from watcher.model.state import (
    Alert,
    Attempt,
    Channel,
    Decision,
    Group,
    Member,
    Meta,
    OutboxRow,
    Told,
    ToldKey,
    Transition,
    Unmet,
)
from watcher.model.table import Overlay, Rank, Table, Timer


def place_of(silence: Silence) -> tuple[str, str]:
    """A label that every alert which it silences has (`("", "")`: none is certain): it is looked up by an alert's."""
    sure = (one for one in silence.matchers if one.value and one.is_equal and not one.is_regex)
    return next(((one.name, one.value) for one in sure), ("", ""))


def _member_pod(row: Member) -> str:
    return row.key.subject.uid


IN_MEMORY = ("pods", "claims", "nodes", "namespaces", "warned", "unmet")
"""Tables that the first lists of a process bring back."""
STORED = ("scopes", "histories", "volumes", "members", "alerts", "groups", "told", "outbox", "channels", "silences")
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
        self.unmet: Table[MemberKey, Unmet] = Table({"uid": lambda u: u.key.subject.uid})
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
                "fingerprint": lambda a: a.fingerprint if a.ends_at is None else None,
                "source": lambda a: frozenset(a.sources) if a.sources and a.ends_at is None else None,
                "target": lambda a: frozenset(a.targets) if a.targets and a.ends_at is None else None,
                "silenced_by": lambda a: frozenset(a.silenced_by) if a.silenced_by else None,
            },
            (Rank.ALERT, _alert_due),
        )
        self.groups: Table[str, Group] = Table(
            {"owes": lambda g: frozenset(one.alert.key for one in g.owed) if g.owed else None},
            (Rank.GROUP, lambda g: g.due),
        )
        self.told: Table[ToldKey, Told] = Table(
            {
                "alert": lambda t: t.key.alert,
                "message": lambda t: t.message,
                "group": lambda t: t.group,
            }
        )
        self.outbox: Table[str, OutboxRow] = Table(
            {
                "group": lambda m: m.group,
                "channel": lambda m: (m.receiver, m.integration),
                "ends": lambda m: frozenset(alert.key for alert in m.ended) if m.ended else None,
            }
        )
        self.silences: Table[str, Silence] = Table({"place": place_of}, (Rank.SILENCE, lambda s: s.due))
        self.channels: Table[tuple[str, str], Channel] = Table({}, (Rank.CHANNEL, lambda c: c.due))
        self.in_flight: frozenset[str] = frozenset()
        """Messages that are being sent right now: nothing may take their place."""

    def become(self, other: View) -> None:
        """Show what `other` holds from now on; `other` is not used any more."""
        self.meta = other.meta
        for name, table in other.tables():
            setattr(self, name, table)

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
    ends = alert.posted.ends_at if alert.posted is not None and alert.ends_at is None else None
    dues = [due for due in (alert.vacant_until, alert.muted_until, ends) if due is not None]
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
    unmet: dict[MemberKey, Unmet | None] = {}
    histories: dict[tuple[str, str], ContainerHistory | None] = {}
    volumes: dict[tuple[str, str, str], VolumeHistory | None] = {}
    members: dict[MemberKey, Member | None] = {}
    alerts: dict[AlertKey, Alert | None] = {}
    groups: dict[str, Group | None] = {}
    told: dict[ToldKey, Told | None] = {}
    outbox: dict[str, OutboxRow | None] = {}
    """None: it left the queue; its final row is in `finished`."""
    channels: dict[tuple[str, str], Channel | None] = {}
    silences: dict[str, Silence | None] = {}
    silence_changes: list[SilenceChange] = []
    answers: dict[str, Answer] = {}
    """To those who wait for what became of their request, by its name."""
    finished: list[OutboxRow] = []
    transitions: list[Transition] = []
    decisions: list[Decision] = []
    attempts: list[Attempt] = []
    accepted: tuple[int, ...] = ()
    """Numbers of what was accepted before and is judged here: `Store.commit` forgets it."""
    fetch: list[EvidenceRequest] = []
    mistakes: list[Mistake] = []
    """Annotations that do not do what their authors meant; again with each look at them."""
    refused: dict[str, int] = {}
    """Numbers in kubelets' samples that could not be used, by reason (not stored)."""

    @property
    def durable(self) -> bool:
        """Whether anything has to be committed. A healthy pod changes nothing that is stored."""
        return any(getattr(self, name) for name in STORED) or bool(
            self.finished
            or self.transitions
            or self.decisions
            or self.attempts
            or self.silence_changes
            or self.accepted
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
        self.unmet = Overlay(view.unmet)
        self.histories = Overlay(view.histories)
        self.volumes = Overlay(view.volumes, view.muted)
        self.members = Overlay(view.members, view.muted)
        self.alerts = Overlay(view.alerts, view.muted)
        self.groups = Overlay(view.groups, view.muted)
        self.told = Overlay(view.told)
        self.outbox = Overlay(view.outbox)
        self.channels = Overlay(view.channels, view.muted)
        self.silences = Overlay(view.silences, view.muted)
        self.silence_changes: list[SilenceChange] = []
        self.answers: dict[str, Answer] = {}
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
            self.silences,
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
            silence_changes=self.silence_changes,
            answers=self.answers,
            refused=self.refused,
        )
