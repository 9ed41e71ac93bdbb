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
from watcher.model.kube import Namespace, Node, PersistentVolumeClaim, Pod
from watcher.model.message import Notification
from watcher.model.observations import Scope
from watcher.model.posted import Posting
from watcher.model.signals import AnySignal


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of what the view holds."""


class ScopeState(Row, frozen=True, kw_only=True):
    scope: Scope
    known: bool = False
    """It was synced at least once since this store exists: what it shows broken is news (stored)."""
    synced: bool = False
    """It was synced in this process (memory only)."""
    forbidden: bool = False
    listing: bool = False
    generation: int = 0
    """Counts lists; a pod of an older generation is gone when a list is complete."""
    stale_since: datetime | None = None
    """Nothing was heard of it after that (memory only)."""

    @property
    def awaited(self) -> bool:
        """Its first list in this process is still to come: until then nothing is judged and no timer runs.

        A scope that has been given up for stale is not waited for: what lies in it counts as not seen.
        """
        return not (self.synced or self.forbidden or self.stale_since is not None)


class PodState(Row, frozen=True, kw_only=True):
    """A pod in memory. `pod` (the narrow object) is kept only while something about it is not healthy."""

    uid: str
    namespace: str
    name: str
    workload: Workload
    scope: Scope
    generation: int
    owner: str = ""
    """uid (else name) of its controller: tells the pods of one Job from those of the next run of its CronJob."""
    created: datetime | None = None
    phase: str = ""
    ready: bool = False
    leaving: bool = False
    """deletionTimestamp is set."""
    failed_at: datetime | None = None
    """When it failed, if that is news; None for what had failed before first sight."""
    ready_before: int = 1
    """Ready pods of the workload just before it failed, itself included."""
    node: str = ""
    claims: tuple[str, ...] = ()
    """Names of the claims that it declares (of its namespace)."""
    unmounted: tuple[str, ...] = ()
    """Those of them that no container mounts."""
    pod: Pod | None = None
    due: datetime | None = None
    """When one of its signals' windowed fields next changes."""

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def counts(self) -> bool:
        """It belongs to its workload's present pods: neither finished nor being deleted."""
        return not (self.finished or self.leaving)


class ClaimState(Row, frozen=True, kw_only=True):
    """A claim in memory."""

    claim: PersistentVolumeClaim
    scope: Scope
    generation: int
    since: datetime
    """When Watcher saw its present phase first, or the claim itself tells."""
    baseline: bool = False
    """Listed when its scope was not known yet, and not judged since (pods and events may be listed later)."""

    @property
    def key(self) -> tuple[str, str]:
        return (self.claim.metadata.namespace, self.claim.metadata.name)


class NodeState(Row, frozen=True, kw_only=True):
    """A node in memory."""

    node: Node
    scope: Scope
    generation: int
    silent_since: datetime | None = None
    """Its kubelet is not heard of (Ready is Unknown, or the node is gone with pods left on it)."""
    gone: bool = False
    """It was deleted: kept for a while, for the pods that are left on it."""


class NamespaceState(Row, frozen=True, kw_only=True):
    """A namespace in memory: its annotations are hints."""

    namespace: Namespace
    scope: Scope
    generation: int


class Warned(Row, frozen=True, kw_only=True):
    """The Warning event about an object that is no pod, as last seen (memory only)."""

    key: tuple[str, str]
    """The event's own namespace and name."""
    kind: str
    namespace: str
    name: str
    uid: str = ""
    """Of the object that it is about."""
    reason: str
    message: str
    at: datetime
    scope: Scope
    generation: int


class Reading(Row, frozen=True, kw_only=True):
    """The newest sample of a volume from one node."""

    node: str
    at: datetime
    capacity: int
    available: int
    used: int | None = None
    inodes: int | None = None
    inodes_free: int | None = None


class VolumeHistory(Row, frozen=True, kw_only=True):
    """What is remembered of one volume's usage. Stored; at most 72 buckets of five minutes."""

    namespace: str
    claim: str
    """Empty: the disk of `node`, which its local-path claims share."""
    node: str = ""
    uid: str = ""
    """The claim's, where claims are seen: another one under its name begins anew."""
    readings: tuple[Reading, ...] = ()
    """One per node that mounts it, the newest first."""
    buckets: bytes = b""
    """The first sample of each five minutes, oldest first, packed (detect/trend.py); records would take 8 KB."""
    claims: tuple[str, ...] = ()
    """Of a node's disk: every namespace/claim on it."""
    declared: bool = False
    """When it was measured last, a running pod that Watcher sees declared it: when none does any more, it is idle."""
    since: datetime
    """When it was first measured."""
    idle_since: datetime | None = None
    """No running pod mounts it since then."""
    due: datetime | None = None
    """When it counts as not seen, is closed as idle, or is forgotten."""

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.namespace, self.claim, "" if self.claim else self.node)


class Death(Row, frozen=True, kw_only=True):
    """One death of a container. `ran_seconds` is None where nothing described it."""

    at: datetime
    ran_seconds: float | None = None


class ContainerHistory(Row, frozen=True, kw_only=True):
    """What is remembered of a container that died, or whose image could not be had. Stored."""

    uid: str
    container: str
    namespace: str
    pod: str
    deaths: int = 0
    """Deaths so far: restartCount, plus one while it is dead."""
    last_id: str = ""
    """Identity of the last described death: its containerID, else its finishedAt."""
    recent: tuple[Death, ...] = ()
    """Deaths of the last 6 h, oldest first, at most 100."""
    oom_class: str = ""
    """Of the last death: how it was an OOM kill; empty if it was none."""
    image_cause: str = ""
    image_text: str = ""
    image_since: datetime | None = None
    """When the present failure to pull began."""
    start_reason: str = ""
    """The kubelet's word for a failure to create or start it, kept through back-offs; empty: none."""
    start_text: str = ""
    start_since: datetime | None = None
    failing_since: datetime | None = None
    """When the present series of deaths began."""


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
    sampled_rules: dict[str, datetime] = {}
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
