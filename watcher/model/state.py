"""What the core remembers between inputs: the rows of the view. Durable ones are stored by the store as they are.

`pods` and the listing half of a scope live in memory only (the first list brings them back); everything else is a
row in the store. `due` fields are the timers: the core asks to be woken by them, and they survive a restart.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from watcher.model.delivery import Outcome
from watcher.model.evidence import Evidence
from watcher.model.identity import AlertKey, MemberKey, Workload
from watcher.model.message import Notification
from watcher.model.posted import Posting
from watcher.model.remembered import Row
from watcher.model.signals import AnySignal


class MemberState(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    HOLDING = "holding"


class Member(Row, frozen=True, kw_only=True):
    """One subject behind an alert, under one rule."""

    key: MemberKey
    alert: AlertKey
    workload: Workload
    state: MemberState
    signal: AnySignal
    since: datetime
    """When the trouble began (the state's own beginning where the object tells it)."""
    fired_at: datetime | None = None
    due: datetime | None = None
    """When `for` is over (pending) or when `keep_firing_for` is over (holding)."""
    baseline: bool = False
    leaving: bool = False
    """Its pod is being deleted: it counts neither as failing nor as healthy."""
    overdue: bool = False
    """Its `for` was over when it was seen first."""
    where: bool = True
    """The last decided verdict."""
    count: int = 1
    """Occurrences or deaths since it began."""
    explained_by: AlertKey | None = None
    unseen_since: datetime | None = None
    """Nothing was heard of its subject since then: it is neither seen to go on nor to be over."""
    unknown_at: datetime | None = None
    """When it is closed as unknown."""
    absent: bool = False
    """Its signal was gone when it was looked at last; `signal` is what it was before."""


class Unmet(Row, frozen=True, kw_only=True):
    """A rule looks at a signal that is true, and does not hold (memory only; the history has the reason)."""

    key: MemberKey
    where: bool | None
    """None: undecided."""
    text: str
    """A hash of the rule's text."""


class EndReason(StrEnum):
    RECOVERED = "recovered"
    DELETED = "deleted"
    IDLE = "idle"
    UNKNOWN = "unknown"
    OUT_OF_SCOPE = "out_of_scope"
    RULE_REMOVED = "rule_removed"
    MOVED = "moved"
    EXPIRED = "expired"


class AlertState(StrEnum):
    FIRING = "firing"
    VACANT = "vacant"
    ENDED = "ended"


class Alert(Row, frozen=True, kw_only=True):
    """One trouble of one workload. Labels are those of the moment it began to fire."""

    key: AlertKey
    workload: Workload
    state: AlertState
    labels: dict[str, str]
    annotations: dict[str, str]
    fingerprint: str
    starts_at: datetime
    since: datetime
    """When the trouble began; `starts_at` is when it began to fire."""
    ends_at: datetime | None = None
    end_reason: EndReason | None = None
    baseline: bool = False
    vacant_until: datetime | None = None
    settle_at: datetime | None = None
    """An instant in which it changed and after which routing has not looked at it yet."""
    news: bool = False
    """It began or ended in that instant: what it explains or inhibits is looked at too."""
    held_by: AlertKey | None = None
    """Inhibited by this alert."""
    posted: Posting | None = None
    """Of an alert that others posted."""
    sources: tuple[str, ...] = ()
    """Where it may inhibit others (routing/inhibition.py, `Sides`)."""
    targets: tuple[str, ...] = ()
    """Where others may inhibit it."""
    silenced_by: tuple[str, ...] = ()
    """Ids of the silences that mute it."""
    explained_by: AlertKey | None = None
    """All of its members are explained; one of the causes."""
    unseen_since: datetime | None = None
    """None of its members was seen since then: its repeats stop."""
    lingers: bool = False
    """Of WorkloadDown: a pod is ready again, and nobody was told that none was."""
    hints: tuple[str, ...] = ()
    """Annotations of the workload or its namespace that were applied, `watcher.io/…=value on …`."""
    receiver: str = ""
    """By a hint: told to this receiver instead of the routes'."""
    muted_until: datetime | None = None
    """By a hint."""
    groups: tuple[str, ...] = ()
    lead: AnySignal
    """The signal of the member that has been active longest; of the last one once it has ended."""
    count: int = 1
    """Occurrences or deaths counted since it began."""
    peak: int = 1
    """The most members it had at once."""
    base_members: int = 1
    """How many members it had when it became part of the baseline."""
    summary: bool = False
    """It is to be told by the summary of the first start, and has not joined it yet."""
    evidence_asked: datetime | None = None
    evidence: Evidence | None = None
    problems: tuple[str, ...] = ()
    """Templates of its rule that raised, in words (shown beside the built-in text)."""


class Sent(Row, frozen=True, kw_only=True):
    """When a group was last sent to one integration."""

    integration: str
    at: datetime
    reference: str = ""
    """What the integration calls the conversation's last new message (`Delivered.reference`)."""


class Owed(Row, frozen=True, kw_only=True):
    """An alert whose end one integration has still to hear: the message that told it was refused."""

    integration: str
    alert: Alert
    unheard: bool = False
    """That it fired was not heard either."""


class Group(Row, frozen=True, kw_only=True):
    """Alerts of one route with the same values of `group_by`: they are told together."""

    id: str
    route: str
    receiver: str
    labels: dict[str, str]
    alerts: tuple[AlertKey, ...] = ()
    due: datetime | None = None
    origin: datetime | None = None
    """The first flush: later ones fall on origin + n × group_interval."""
    sent: tuple[Sent, ...] = ()
    baseline: bool = False
    """The summary of the first start, not a group of a route."""
    digest: str = ""
    """Of a storm: the integration whose digest it is, not a group of a route."""
    owed: tuple[Owed, ...] = ()


class ToldKey(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    receiver: str
    integration: str
    alert: AlertKey


class Told(Row, frozen=True, kw_only=True):
    """A receiver has been sent, or is being sent, that an alert fires. Gone once its end has been told."""

    key: ToldKey
    group: str
    at: datetime
    message: str
    """The outbox row that told it last."""
    delivered: bool = False
    """A message that told it has arrived: its end is to be told."""
    lost: bool = False
    """One had arrived, and the last was refused: it is to be told again."""
    members: int = 1
    """The largest number of members told."""
    all_members: bool = False
    """It was told that every pod of the workload is concerned."""
    baseline: bool = False
    """Told by the summary of the first start only: not repeated."""
    bare: bool = False
    """Told before its log lines had come."""


class MessageState(StrEnum):
    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"
    REPLACED = "replaced"
    """A later message of its conversation says all that it would have said."""


class OutboxRow(Row, frozen=True, kw_only=True):
    """A notification that is decided and, while it is queued, not yet delivered."""

    id: str
    receiver: str
    integration: str
    group: str
    created_at: datetime
    notification: Notification
    state: MessageState = MessageState.QUEUED
    attempts: int = 0
    next_at: datetime
    """When it may be tried (again)."""
    error: str = ""
    """What the last attempt said."""
    reference: str = ""
    """Of the conversation's last new message, for channels that can edit it."""
    ended: tuple[Alert, ...] = ()
    """Alerts whose end it tells: they are forgotten elsewhere."""
    unheard: tuple[AlertKey, ...] = ()
    """Those of them that were not heard to fire."""
    waits_since: datetime | None = None
    """When the first of the messages was made whose place it took."""


class Channel(Row, frozen=True, kw_only=True):
    """One integration of one receiver: when it may be sent to, and how it does. Stored: a rate survives a restart."""

    receiver: str
    integration: str
    not_before: datetime | None = None
    """Nothing is sent earlier: its rate, its Retry-After, or the pause after failures in a row."""
    paced_to: datetime | None = None
    """Up to when its rate is used up (GCRA's theoretical arrival time)."""
    failures: int = 0
    """In a row; from CIRCUIT_OPENS_AT on one message at a time is tried."""
    dead_at: datetime | None = None
    """The last dead letter since something was delivered."""
    error: str = ""
    """What the last failure said."""
    firsts: tuple[datetime, ...] = ()
    """First messages of groups, of late: a storm has many."""
    criticals: tuple[datetime, ...] = ()
    """Those of them that were critical."""
    due: datetime | None = None
    """When its oldest message will have waited for too long."""

    @property
    def key(self) -> tuple[str, str]:
        return (self.receiver, self.integration)


class Meta(Row, frozen=True, kw_only=True):
    """One row about the core itself."""

    now: datetime | None = None
    """The core's time; it never goes back."""
    rules: tuple[str, ...] = ()
    """Ids of rules that have judged a whole list: what a new one finds broken is its baseline."""
    sampled_rules: dict[str, datetime] = msgspec.field(default_factory=dict)
    """Ids of rules about volumes, and when each was first held against a sample (samples have no list)."""
    ready: bool = True
    """Every stream was listed in this process, or is not waited for."""
    excluded: tuple[str, ...] = ()
    """Namespaces of which nothing was told under the last configuration."""
    admitted: tuple[str, ...] = ()
    """Those of them that are told of now, until they are listed: what is broken there is their baseline."""
    down_since: datetime | None = None
    """The last commit before this process; None in the first life of a store."""


class Transition(Row, frozen=True, kw_only=True):
    """History: a member or an alert changed its state."""

    at: datetime
    alert: AlertKey
    subject: str
    """The member as namespace/pod/container; empty where the alert itself changed."""
    before: str
    after: str
    why: str


class Decision(Row, frozen=True, kw_only=True):
    """History: why something was sent, held back or closed. One equal to the last of its subject is a counter on it."""

    at: datetime
    group: str
    receiver: str
    integration: str
    alert: AlertKey | None = None
    verdict: str
    """send, hold or close."""
    reason: str
    message: str = ""


class Attempt(Row, frozen=True, kw_only=True):
    """History: one attempt to deliver."""

    at: datetime
    message: str
    outcome: Outcome
