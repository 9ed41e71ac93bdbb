"""The lines of a recording: observations to JSON and back, one to one.

The shape is design.md's: `{"at","kind":"Pod","event":"LISTED|ADDED|MODIFIED|DELETED|LISTING|SYNCED|FORBIDDEN",
"scope"?,"object"?}` for each kind that is watched, `StatsSummary/SAMPLED` with `"node"`, `Stream/STALE|ALIVE` with
`"scope"`, `Evidence/FETCHED`, `Downtime/STARTED|JUMPED|AWAY`, `Config/LOADED|REFUSED`, `Delivery/DONE`,
`Message/TEST|RESEND`, `Silence/ASKED|EXPIRE`, `Alert/POSTED`, and `{"at","event":"ENDED"}`. A scope is written only
where it is one namespace. Objects are decoded straight into narrow records: 130,000 lines/s. Records of lines are in
`lineshapes`; files, and what other tools write, in `recording`, `reading` and `documents`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from watcher.model.kubelet import Summary
from watcher.model.observations import (
    AlertsPosted,
    ClockJumped,
    ConfigLoaded,
    ConfigRejected,
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
    SilenceAsked,
    SilenceExpireAsked,
    Started,
    StatsSampled,
    StoreAway,
    StreamHealth,
    Synced,
    object_of,
    seen_as,
)
from watcher.source.decode import BROKEN
from watcher.source.kinds import KINDS
from watcher.source.lineshapes import (
    FORMAT,
    ConfigBody,
    ConfigLine,
    DeliveryBody,
    DeliveryLine,
    DowntimeBody,
    DowntimeLine,
    EvidenceLine,
    Header,
    HealthBody,
    JumpBody,
    Line,
    MessageBody,
    MessageLine,
    ObjectLine,
    OtherLine,
    PostedLine,
    Probe,
    RefusalBody,
    RefusedLine,
    ScopeLine,
    SilenceBody,
    SilenceLine,
    StatsLine,
    StreamLine,
    Written,
)
from watcher.source.narrow import narrow_summary


class LineError(Exception):
    """A line that is no observation; the text is a sentence without a place."""


_encoder = msgspec.json.Encoder()
_line_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_probe_decoder = msgspec.json.Decoder(Probe)
_refused_decoder = msgspec.json.Decoder(RefusedLine)
_seen_events = {event.value: event for event in EventType}


# ---- writing ----


def encode_header(cluster: str, started_at: datetime) -> bytes:
    return _encoder.encode(Header(recording=FORMAT, cluster=cluster, started_at=started_at)) + b"\n"


def encode(observation: Input) -> bytes:
    """One line, with its newline."""
    line = _object_line(observation) if isinstance(observation, Seen) else _written(observation)
    return _encoder.encode(line) + b"\n"


def _object_line(seen: ObjectSeen) -> Written:
    scope = seen.scope
    return Written(
        at=seen.at, kind=scope.kind, event=seen.event.value, scope=_scope_line(scope), object=object_of(seen)
    )


def _written(observation: Input) -> Written:
    at = observation.at
    match observation:
        case Listing(scope=scope):
            return Written(at=at, kind=scope.kind, event="LISTING", scope=_scope_line(scope))
        case Synced(scope=scope, complete=complete):
            line = _scope_line(scope)
            return Written(at=at, kind=scope.kind, event="SYNCED", scope=line, complete=complete)
        case Forbidden(scope=scope, message=message):
            refusal, line = RefusalBody(message=message), _scope_line(scope)
            return Written(at=at, kind=scope.kind, event="FORBIDDEN", scope=line, object=refusal)
        case StatsSampled(node=node, summary=summary):
            return Written(at=at, kind="StatsSummary", event="SAMPLED", node=node, object=summary)
        case EvidenceArrived(evidence=evidence):
            return Written(at=at, kind="Evidence", event="FETCHED", object=evidence)
        case DeliveryDone(message_id=message_id, outcome=outcome):
            done = DeliveryBody(message_id=message_id, outcome=outcome)
            return Written(at=at, kind="Delivery", event="DONE", object=done)
        case Ended():
            return Written(at=at, event="ENDED")
    return _own_line(observation)


def _own_line(observation: Input) -> Written:
    """What Watcher says of itself."""
    at = observation.at
    match observation:
        case Started(since=since, scopes=scopes, excluded=excluded):
            begun = DowntimeBody(since=since, scopes=scopes, excluded=excluded)
            return Written(at=at, kind="Downtime", event="STARTED", object=begun)
        case ClockJumped(since=since):
            return Written(at=at, kind="Downtime", event="JUMPED", object=JumpBody(since=since))
        case StoreAway(since=since):
            return Written(at=at, kind="Downtime", event="AWAY", object=JumpBody(since=since))
        case StreamHealth(scope=scope, stale_since=since, reason=reason):
            event = "ALIVE" if since is None else "STALE"
            health = HealthBody(since=since, reason=reason)
            return Written(at=at, kind="Stream", event=event, scope=scope, object=health)
        case ConfigLoaded(scopes=scopes, excluded=excluded):
            config = ConfigBody(scopes=scopes, excluded=excluded, again=observation.again)
            return Written(at=at, kind="Config", event="LOADED", object=config)
        case ConfigRejected(errors=errors, reason=reason):
            return Written(at=at, kind="Config", event="REFUSED", object=ConfigBody(errors=errors, reason=reason))
    return _asked_line(observation)


def _asked_line(observation: Input) -> Written:
    """What people and other programs ask for."""
    at = observation.at
    match observation:
        case SendTestAsked(receiver=receiver, id=id):
            return Written(at=at, kind="Message", event="TEST", object=MessageBody(receiver=receiver, id=id))
        case ResendAsked():
            again = MessageBody(
                receiver=observation.receiver,
                message_id=observation.message_id,
                integration=observation.integration,
                group=observation.group,
                notification=observation.notification,
            )
            return Written(at=at, kind="Message", event="RESEND", object=again)
        case SilenceAsked(request=request, silence=silence, new_id=new_id, by=by):
            wanted = SilenceBody(request=request, by=by, new_id=new_id, silence=silence)
            return Written(at=at, kind="Silence", event="ASKED", object=wanted)
        case SilenceExpireAsked(request=request, id=id, by=by):
            return Written(at=at, kind="Silence", event="EXPIRE", object=SilenceBody(request=request, by=by, id=id))
        case AlertsPosted(alerts=alerts, accepted=accepted):
            return Written(at=at, kind="Alert", event="POSTED", accepted=accepted, object=alerts)
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
        case ConfigLine():
            return _config(line)
        case MessageLine() | SilenceLine() | PostedLine():
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
        return Started(at=line.at, since=since, scopes=_readable(line.object.scopes), excluded=line.object.excluded)
    if line.event in ("JUMPED", "AWAY"):
        if since is None:
            raise LineError(f"{line.event} without `since`")
        return ClockJumped(at=line.at, since=since) if line.event == "JUMPED" else StoreAway(at=line.at, since=since)
    return None


def _readable(scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
    return tuple(scope for scope in scopes if scope.kind in KINDS)


def _config(line: ConfigLine) -> Input | None:
    """A replay has one configuration from its beginning: of a change only what was watched is known here."""
    one = line.object
    if line.event == "LOADED":
        scopes, again = _readable(one.scopes), _readable(one.again)
        return ConfigLoaded(at=line.at, scopes=scopes, excluded=one.excluded, again=again)
    if line.event == "REFUSED":
        return ConfigRejected(at=line.at, errors=one.errors, reason=one.reason)
    return None


def _asked(line: MessageLine | SilenceLine | PostedLine) -> Input | None:
    """What came by the HTTP interface."""
    match line:
        case MessageLine():
            return _sending(line)
        case SilenceLine():
            return _silence(line)
        case PostedLine(at=at, event="POSTED", accepted=accepted, object=alerts):
            return AlertsPosted(at=at, accepted=accepted, alerts=alerts)
    return None


def _sending(line: MessageLine) -> Input | None:
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


def _silence(line: SilenceLine) -> Input | None:
    """What somebody wanted of a silence."""
    one = line.object
    if line.event == "EXPIRE":
        return SilenceExpireAsked(at=line.at, request=one.request, id=one.id, by=one.by)
    if line.event != "ASKED":
        return None
    if one.silence is None:
        raise LineError("ASKED without `silence`")
    return SilenceAsked(at=line.at, request=one.request, silence=one.silence, new_id=one.new_id, by=one.by)


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
        return seen_as(at, event, scope, kind.narrow(line.object))
    if line.event == "SYNCED":
        return Synced(at=at, scope=scope, complete=line.complete)
    if line.event == "LISTING":
        return Listing(at=at, scope=scope)
    if line.event == "FORBIDDEN":
        return Forbidden(at=at, scope=scope, message=_refused_decoder.decode(raw).object.message)
    return None
