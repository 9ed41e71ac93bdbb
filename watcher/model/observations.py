"""Inputs: everything that the core is ever told. One closed union, each stamped once with its own time `at`.

A recording is these records as lines (source/recording.py writes and reads them). Adding an input means adding it
to `Input`, to the pipeline's `match`, and to the recording.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from watcher.model.delivery import Outcome
from watcher.model.evidence import Evidence
from watcher.model.kube import Event, KubeObject, Namespace, Node, PersistentVolumeClaim, Pod
from watcher.model.kubelet import Summary
from watcher.model.message import Notification
from watcher.model.posted import PostedAlert
from watcher.model.silence import Silence


class Observed(msgspec.Struct, frozen=True, kw_only=True, tag_field="input", gc=False):
    """Base of all inputs. `at`: when Watcher took it in (UTC); the core never lets it go back."""

    at: datetime


class Scope(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """What one list covers: a kind in the whole cluster (`namespace` empty) or in one namespace."""

    kind: str
    """Pod, PersistentVolumeClaim, Node, Namespace or Event."""
    namespace: str = ""


class EventType(StrEnum):
    """`LISTED` is ours; the others are the watch's own."""

    LISTED = "LISTED"
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Started(Observed, frozen=True, kw_only=True, tag="started"):
    """A process begins to watch. `since`: the last commit before it (None: a store without history).

    Until every one of `scopes` is synced (or forbidden), nothing is judged and no timer runs.
    The time from `since` to `at` is downtime.
    """

    since: datetime | None = None
    scopes: tuple[Scope, ...] = ()
    excluded: tuple[str, ...] = ()
    """Namespaces of which nothing is told."""


class ConfigLoaded(Observed, frozen=True, kw_only=True, tag="config"):
    """The configuration was changed while it runs; the core that takes this is already the new one's.

    `scopes` and `excluded` are those of `Started`; what is new among `scopes`, or `again`, is listed after this.
    """

    scopes: tuple[Scope, ...] = ()
    excluded: tuple[str, ...] = ()
    again: tuple[Scope, ...] = ()
    """Streams that were begun anew."""


class ConfigRejected(Observed, frozen=True, kw_only=True, tag="rejected"):
    """The configuration was changed, and cannot be used as it is now."""

    errors: int
    reason: str
    """The first error, with its place."""


class Listing(Observed, frozen=True, kw_only=True, tag="listing"):
    """A list of `scope` begins: what is not listed until its `Synced` is gone."""

    scope: Scope


class Seen(Observed, frozen=True, kw_only=True):
    """An object as listed or watched. `scope`: whose list or watch delivered it."""

    event: EventType
    scope: Scope


class PodSeen(Seen, frozen=True, kw_only=True, tag="pod"):
    pod: Pod


class ClaimSeen(Seen, frozen=True, kw_only=True, tag="claim"):
    claim: PersistentVolumeClaim


class NodeSeen(Seen, frozen=True, kw_only=True, tag="node"):
    node: Node


class NamespaceSeen(Seen, frozen=True, kw_only=True, tag="namespace"):
    namespace: Namespace


class EventSeen(Seen, frozen=True, kw_only=True, tag="event"):
    """A Warning event about something other than a pod: a hint (what the provisioner says, an OOM of the node)."""

    about: Event


class StatsSampled(Observed, frozen=True, kw_only=True, tag="stats"):
    """What the kubelet of one node measured."""

    node: str
    summary: Summary


class StreamHealth(Observed, frozen=True, kw_only=True, tag="stream"):
    """Whether we still hear of a scope. `stale_since`: nothing was heard after that; None: it is heard again."""

    scope: Scope
    stale_since: datetime | None = None
    reason: str = ""


class ClockJumped(Observed, frozen=True, kw_only=True, tag="jumped"):
    """The clock went from `since` to `at` without that time passing: downtime, by which nothing begins or ends."""

    since: datetime


class StoreAway(Observed, frozen=True, kw_only=True, tag="away"):
    """From `since` to `at` nothing could be stored: what others would have posted again meanwhile was refused."""

    since: datetime


class Synced(Observed, frozen=True, kw_only=True, tag="synced"):
    """The list of `scope` is over. With `complete`, what it did not hold is gone (a partial list closes nothing)."""

    scope: Scope
    complete: bool = True


class Forbidden(Observed, frozen=True, kw_only=True, tag="forbidden"):
    """We may not read `scope` (403): nothing waits for it any longer, and nothing in it is taken for gone."""

    scope: Scope
    message: str = ""


class EvidenceArrived(Observed, frozen=True, kw_only=True, tag="evidence"):
    """The log tail and events that an alert asked for, already redacted."""

    evidence: Evidence


class DeliveryDone(Observed, frozen=True, kw_only=True, tag="delivery"):
    """One attempt to send one message has ended."""

    message_id: str
    outcome: Outcome


class SendTestAsked(Observed, frozen=True, kw_only=True, tag="test"):
    """Somebody wants one marked message to every integration of `receiver`, by the real path. `id` is in their ids."""

    receiver: str
    id: str

    @property
    def group(self) -> str:
        """What its messages have as their group."""
        return f"test/{self.id}/{self.receiver}"


class ResendAsked(Observed, frozen=True, kw_only=True, tag="resend"):
    """Somebody wants a dead letter to be sent again, as it was."""

    message_id: str
    receiver: str
    integration: str
    group: str
    notification: Notification


class AlertsPosted(Observed, frozen=True, kw_only=True, tag="posted"):
    """Alerts that others posted."""

    alerts: tuple[PostedAlert, ...]
    accepted: datetime | None = None
    """When they were acknowledged; None: just now."""
    number: int = 0
    """In the store, until they are judged; 0: they are not there."""


class SilenceAsked(Observed, frozen=True, kw_only=True, tag="silence"):
    """Somebody makes a silence, or changes the one whose id it has. `new_id`: of a new one. `request`: who waits."""

    request: str
    silence: Silence
    new_id: str
    by: str = ""


class SilenceExpireAsked(Observed, frozen=True, kw_only=True, tag="expire"):
    """Somebody ends a silence."""

    request: str
    id: str
    by: str = ""


class Ended(Observed, frozen=True, kw_only=True, tag="ended"):
    """A recording's last line: nothing more happened until `at`."""


ObjectSeen = PodSeen | ClaimSeen | NodeSeen | NamespaceSeen | EventSeen
Input = (
    Started
    | Listing
    | ObjectSeen
    | Synced
    | Forbidden
    | StatsSampled
    | StreamHealth
    | ClockJumped
    | StoreAway
    | EvidenceArrived
    | DeliveryDone
    | SendTestAsked
    | ResendAsked
    | AlertsPosted
    | ConfigLoaded
    | ConfigRejected
    | SilenceAsked
    | SilenceExpireAsked
    | Ended
)


def seen_as(at: datetime, event: EventType, scope: Scope, item: KubeObject) -> ObjectSeen:
    """The input that shows an object."""
    match item:
        case Pod():
            return PodSeen(at=at, event=event, scope=scope, pod=item)
        case PersistentVolumeClaim():
            return ClaimSeen(at=at, event=event, scope=scope, claim=item)
        case Node():
            return NodeSeen(at=at, event=event, scope=scope, node=item)
        case Namespace():
            return NamespaceSeen(at=at, event=event, scope=scope, namespace=item)
        case Event():
            return EventSeen(at=at, event=event, scope=scope, about=item)


def object_of(seen: ObjectSeen) -> KubeObject:
    """The object that an input shows."""
    match seen:
        case PodSeen():
            return seen.pod
        case ClaimSeen():
            return seen.claim
        case NodeSeen():
            return seen.node
        case NamespaceSeen():
            return seen.namespace
        case EventSeen():
            return seen.about
