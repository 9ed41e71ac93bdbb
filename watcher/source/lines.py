"""The lines of a recording: observations to JSON and back, one to one.

The shape is design.md's: `{"at","kind":"Pod","event":"LISTED|ADDED|MODIFIED|DELETED|LISTING|SYNCED|FORBIDDEN",
"scope"?,"object"?}` for each kind that is watched, `StatsSummary/SAMPLED` with `"node"`, `Stream/STALE|ALIVE` with
`"scope"`, `Evidence/FETCHED`, `Downtime/STARTED|JUMPED`, `Delivery/DONE`, `Message/TEST|RESEND`, and
`{"at","event":"ENDED"}`. A scope is written only where it is one namespace. Objects are decoded straight into narrow
records: 130,000 lines/s. Files, and what other tools write, are in `recording`, `reading` and `documents`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from watcher.model.delivery import Outcome
from watcher.model.evidence import Evidence
from watcher.model.kube import Event, KubeObject, Namespace, Node, PersistentVolumeClaim, Pod
from watcher.model.kubelet import Summary
from watcher.model.message import Notification
from watcher.model.observations import (
    ClockJumped,
    DeliveryDone,
    Ended,
    EventType,
    EvidenceArrived,
    Forbidden,
    Input,
    Listing,
    ObjectSeen,
    ResendAsked,
    Scope,
    Seen,
    SendTestAsked,
    Started,
    StatsSampled,
    StreamHealth,
    Synced,
)
from watcher.source.decode import BROKEN
from watcher.source.kinds import KINDS, object_of
from watcher.source.narrow import narrow_summary

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""Times without a zone are refused: they would compare with nothing."""

FORMAT = 1
"""What the header calls `recording`."""


class LineError(Exception):
    """A line that is no observation; the text is a sentence without a place."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    recording: int
    cluster: str = ""
    started_at: Time | None = None


class ScopeLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    namespace: str = ""


class _Downtime(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    since: Time | None = None
    scopes: tuple[Scope, ...] = ()


class _Jump(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    since: Time


class _Health(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    since: Time | None = None
    reason: str = ""


class _Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    message_id: str
    outcome: Outcome


class _Message(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A test has an `id`; what is sent again has all the others."""

    receiver: str
    id: str = ""
    message_id: str = ""
    integration: str = ""
    group: str = ""
    notification: Notification | None = None


class _Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    message: str = ""


_Object = KubeObject | Summary | Evidence | _Downtime | _Jump | _Health | _Delivery | _Message | _Refusal


class _Written(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A line as it is written: times first, so that people find their way."""

    at: Time
    kind: str = ""
    event: str
    scope: ScopeLine | Scope | None = None
    complete: bool = True
    node: str = ""
    object: _Object | None = None


class _ObjectLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", gc=False):
    """`at` None: the reader takes the newest time inside the object."""

    at: Time | None = None
    event: str
    scope: ScopeLine | None = None
    complete: bool = True

    @property
    def kind(self) -> str:
        return str(type(self).__struct_config__.tag)


class PodLine(_ObjectLine, frozen=True, kw_only=True, tag="Pod", gc=False):
    object: Pod | None = None


class ClaimLine(_ObjectLine, frozen=True, kw_only=True, tag="PersistentVolumeClaim", gc=False):
    object: PersistentVolumeClaim | None = None


class NodeLine(_ObjectLine, frozen=True, kw_only=True, tag="Node", gc=False):
    object: Node | None = None


class NamespaceLine(_ObjectLine, frozen=True, kw_only=True, tag="Namespace", gc=False):
    object: Namespace | None = None


class EventLine(_ObjectLine, frozen=True, kw_only=True, tag="Event", gc=False):
    object: Event | None = None


class _RefusedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    object: _Refusal = _Refusal()


class StatsLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="StatsSummary", gc=False):
    """`at` None: the reader takes the newest time at which something was measured."""

    at: Time | None = None
    event: str = "SAMPLED"
    node: str = ""
    object: Summary


class StreamLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Stream", gc=False):
    at: Time
    event: str
    scope: Scope
    object: _Health = _Health()


class EvidenceLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Evidence", gc=False):
    at: Time
    object: Evidence


class DowntimeLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Downtime", gc=False):
    at: Time
    event: str = "STARTED"
    object: _Downtime = _Downtime()


class DeliveryLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Delivery", gc=False):
    at: Time
    object: _Delivery


class MessageLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Message", gc=False):
    at: Time
    event: str
    object: _Message


class Probe(msgspec.Struct, frozen=True, gc=False):
    """Enough of a JSON object to say what it is."""

    recording: int | None = None
    at: Time | None = None
    kind: str = ""
    event: str = ""

    @property
    def is_line(self) -> bool:
        """A line of a recording, and no Kubernetes object."""
        return self.recording is not None or bool(self.event)


ObjectLine = PodLine | ClaimLine | NodeLine | NamespaceLine | EventLine
OtherLine = StreamLine | EvidenceLine | DowntimeLine | DeliveryLine | MessageLine
Line = ObjectLine | StatsLine | OtherLine

OBJECT_LINES = (PodLine, ClaimLine, NodeLine, NamespaceLine, EventLine)

READABLE = frozenset({*KINDS, "StatsSummary", "Stream", "Evidence", "Downtime", "Delivery", "Message"})
"""Kinds that this version reads; others are skipped and counted."""

_encoder = msgspec.json.Encoder()
_line_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_probe_decoder = msgspec.json.Decoder(Probe)
_refused_decoder = msgspec.json.Decoder(_RefusedLine)
_seen_events = {event.value: event for event in EventType}


# ---- writing ----


def encode_header(cluster: str, started_at: datetime) -> bytes:
    return _encoder.encode(Header(recording=FORMAT, cluster=cluster, started_at=started_at)) + b"\n"


def encode(observation: Input) -> bytes:
    """One line, with its newline."""
    line = _object_line(observation) if isinstance(observation, Seen) else _written(observation)
    return _encoder.encode(line) + b"\n"


def _object_line(seen: ObjectSeen) -> _Written:
    scope = seen.scope
    return _Written(
        at=seen.at, kind=scope.kind, event=seen.event.value, scope=_scope_line(scope), object=object_of(seen)
    )


def _written(observation: Input) -> _Written:
    at = observation.at
    match observation:
        case Listing(scope=scope):
            return _Written(at=at, kind=scope.kind, event="LISTING", scope=_scope_line(scope))
        case Synced(scope=scope, complete=complete):
            line = _scope_line(scope)
            return _Written(at=at, kind=scope.kind, event="SYNCED", scope=line, complete=complete)
        case Forbidden(scope=scope, message=message):
            refusal, line = _Refusal(message=message), _scope_line(scope)
            return _Written(at=at, kind=scope.kind, event="FORBIDDEN", scope=line, object=refusal)
        case StatsSampled(node=node, summary=summary):
            return _Written(at=at, kind="StatsSummary", event="SAMPLED", node=node, object=summary)
        case EvidenceArrived(evidence=evidence):
            return _Written(at=at, kind="Evidence", event="FETCHED", object=evidence)
        case DeliveryDone(message_id=message_id, outcome=outcome):
            done = _Delivery(message_id=message_id, outcome=outcome)
            return _Written(at=at, kind="Delivery", event="DONE", object=done)
        case Ended():
            return _Written(at=at, event="ENDED")
    return _own_line(observation)


def _own_line(observation: Input) -> _Written:
    """What Watcher says of itself, and what people ask of it."""
    at = observation.at
    match observation:
        case Started(since=since, scopes=scopes):
            return _Written(at=at, kind="Downtime", event="STARTED", object=_Downtime(since=since, scopes=scopes))
        case ClockJumped(since=since):
            return _Written(at=at, kind="Downtime", event="JUMPED", object=_Jump(since=since))
        case StreamHealth(scope=scope, stale_since=since, reason=reason):
            event = "ALIVE" if since is None else "STALE"
            health = _Health(since=since, reason=reason)
            return _Written(at=at, kind="Stream", event=event, scope=scope, object=health)
        case SendTestAsked(receiver=receiver, id=id):
            return _Written(at=at, kind="Message", event="TEST", object=_Message(receiver=receiver, id=id))
        case ResendAsked():
            again = _Message(
                receiver=observation.receiver,
                message_id=observation.message_id,
                integration=observation.integration,
                group=observation.group,
                notification=observation.notification,
            )
            return _Written(at=at, kind="Message", event="RESEND", object=again)
    raise TypeError(f"there is no line for {type(observation).__name__}")


def _scope_line(scope: Scope) -> ScopeLine | None:
    return ScopeLine(scope.namespace) if scope.namespace else None


# ---- reading ----


def decode(line: bytes) -> Line:
    """A line of one of READABLE; one of decode.BROKEN is raised for anything else."""
    return _line_decoder.decode(line)


def probe(line: bytes) -> Probe | None:
    """What a line that `decode` refused is at all; None: not JSON, or no object."""
    try:
        return _probe_decoder.decode(line)
    except BROKEN:
        return None


def observation_of(line: OtherLine) -> Input | None:
    """The observation of a line that tells its time; None: an event or a kind of a later version. LineError."""
    match line:
        case EvidenceLine(at=at, object=evidence):
            return EvidenceArrived(at=at, evidence=evidence)
        case DeliveryLine(at=at, object=done):
            return DeliveryDone(at=at, message_id=done.message_id, outcome=done.outcome)
        case DowntimeLine():
            return _downtime(line)
        case MessageLine():
            return _asked(line)
        case StreamLine(at=at, event="ALIVE", scope=scope, object=health) if scope.kind in KINDS:
            return StreamHealth(at=at, scope=scope, reason=health.reason)
        case StreamLine(at=at, event="STALE", scope=scope, object=health) if scope.kind in KINDS:
            if health.since is None:
                raise LineError("STALE without `since`")
            return StreamHealth(at=at, scope=scope, stale_since=health.since, reason=health.reason)
    return None


def _downtime(line: DowntimeLine) -> Input | None:
    since = line.object.since
    if line.event == "STARTED":
        # Of a kind that is not read here no list will come, so nothing may wait for one.
        scopes = tuple(scope for scope in line.object.scopes if scope.kind in KINDS)
        return Started(at=line.at, since=since, scopes=scopes)
    if line.event == "JUMPED":
        if since is None:
            raise LineError("JUMPED without `since`")
        return ClockJumped(at=line.at, since=since)
    return None


def _asked(line: MessageLine) -> Input | None:
    """What somebody wanted to be sent."""
    one = line.object
    if line.event == "TEST":
        return SendTestAsked(at=line.at, receiver=one.receiver, id=one.id)
    if line.event != "RESEND":
        return None
    if one.notification is None:
        raise LineError("RESEND without `notification`")
    return ResendAsked(
        at=line.at,
        message_id=one.message_id,
        receiver=one.receiver,
        integration=one.integration,
        group=one.group,
        notification=one.notification,
    )


def sample_of(line: StatsLine, at: datetime) -> Input | None:
    """The observation of a line about a kubelet; None: an event of a later version."""
    if line.event != "SAMPLED":
        return None
    return StatsSampled(at=at, node=line.node or line.object.node.node_name, summary=narrow_summary(line.object))


def measured_at(summary: Summary) -> datetime | None:
    """The newest time at which the kubelet measured something."""
    stats = [volume for pod in summary.pods or () for volume in pod.volume or ()]
    times = [one.time for one in (*stats, summary.node.fs) if one is not None]
    return max((time for time in times if time is not None), default=None)


def object_observation(line: ObjectLine, at: datetime, scope: Scope, raw: bytes) -> Input | None:
    """The observation of a line about a watched kind; None: an event of a later version. LineError."""
    event = _seen_events.get(line.event)
    if event is not None:
        if line.object is None:
            raise LineError(f"{line.event} without an object")
        kind = KINDS[scope.kind]
        return kind.seen(at, event, scope, kind.narrow(line.object))
    if line.event == "SYNCED":
        return Synced(at=at, scope=scope, complete=line.complete)
    if line.event == "LISTING":
        return Listing(at=at, scope=scope)
    if line.event == "FORBIDDEN":
        return Forbidden(at=at, scope=scope, message=_refused_decoder.decode(raw).object.message)
    return None
