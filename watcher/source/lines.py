"""The lines of a recording: observations to JSON and back, one to one.

The shape is design.md's: `{"at","kind":"Pod","event":"LISTED|ADDED|MODIFIED|DELETED|LISTING|SYNCED|FORBIDDEN",
"scope"?,"object"?}`, `Evidence/FETCHED`, `Downtime/STARTED`, `Delivery/DONE`, and `{"at","event":"ENDED"}`. A scope is
written only where it is one namespace. Pods are decoded straight into narrow records: 130,000 lines/s. Files, and what
other tools write, are in `recording`, `reading` and `documents`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from watcher.model.delivery import Outcome
from watcher.model.evidence import Evidence
from watcher.model.kube import Pod
from watcher.model.observations import (
    DeliveryDone,
    Ended,
    EventType,
    EvidenceArrived,
    Forbidden,
    Input,
    Listing,
    PodSeen,
    Scope,
    Started,
    Synced,
)
from watcher.source.decode import BROKEN, narrow

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""Times without a zone are refused: they would compare with nothing."""

FORMAT = 1
"""What the header calls `recording`."""

KINDS = frozenset({"Pod", "Evidence", "Downtime", "Delivery"})
"""What this version reads; other kinds are skipped and counted."""


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


class _Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    message_id: str
    outcome: Outcome


class _Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    message: str = ""


class _Written(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A line as it is written: times first, so that people find their way."""

    at: Time
    kind: str = ""
    event: str
    scope: ScopeLine | None = None
    complete: bool = True
    object: Pod | Evidence | _Downtime | _Delivery | _Refusal | None = None


class PodLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Pod", gc=False):
    """`at` None: the reader takes the newest time inside the object."""

    at: Time | None = None
    event: str
    scope: ScopeLine | None = None
    complete: bool = True
    object: Pod | None = None


class _RefusedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    object: _Refusal = _Refusal()


class EvidenceLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Evidence", gc=False):
    at: Time
    object: Evidence


class DowntimeLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Downtime", gc=False):
    at: Time
    object: _Downtime = _Downtime()


class DeliveryLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Delivery", gc=False):
    at: Time
    object: _Delivery


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


Line = PodLine | EvidenceLine | DowntimeLine | DeliveryLine

_encoder = msgspec.json.Encoder()
_line_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_probe_decoder = msgspec.json.Decoder(Probe)
_refused_decoder = msgspec.json.Decoder(_RefusedLine)
_pod_events = {event.value: event for event in EventType}
_CLUSTER = Scope(kind="Pod")


# ---- writing ----


def encode_header(cluster: str, started_at: datetime) -> bytes:
    return _encoder.encode(Header(recording=FORMAT, cluster=cluster, started_at=started_at)) + b"\n"


def encode(observation: Input) -> bytes:
    """One line, with its newline."""
    return _encoder.encode(_written(observation)) + b"\n"


def _written(observation: Input) -> _Written:
    at = observation.at
    match observation:
        case PodSeen(event=event, scope=scope, pod=pod):
            return _Written(at=at, kind="Pod", event=event.value, scope=_scope_line(scope), object=pod)
        case Listing(scope=scope):
            return _Written(at=at, kind=scope.kind, event="LISTING", scope=_scope_line(scope))
        case Synced(scope=scope, complete=complete):
            line = _scope_line(scope)
            return _Written(at=at, kind=scope.kind, event="SYNCED", scope=line, complete=complete)
        case Forbidden(scope=scope, message=message):
            refusal, line = _Refusal(message=message), _scope_line(scope)
            return _Written(at=at, kind=scope.kind, event="FORBIDDEN", scope=line, object=refusal)
        case EvidenceArrived(evidence=evidence):
            return _Written(at=at, kind="Evidence", event="FETCHED", object=evidence)
        case Started(since=since, scopes=scopes):
            return _Written(at=at, kind="Downtime", event="STARTED", object=_Downtime(since=since, scopes=scopes))
        case DeliveryDone(message_id=message_id, outcome=outcome):
            done = _Delivery(message_id=message_id, outcome=outcome)
            return _Written(at=at, kind="Delivery", event="DONE", object=done)
        case Ended():
            return _Written(at=at, event="ENDED")


def _scope_line(scope: Scope) -> ScopeLine | None:
    return ScopeLine(scope.namespace) if scope.namespace else None


# ---- reading ----


def decode(line: bytes) -> Line:
    """A line of one of KINDS; one of decode.BROKEN is raised for anything else."""
    return _line_decoder.decode(line)


def probe(line: bytes) -> Probe | None:
    """What a line that `decode` refused is at all; None: not JSON, or no object."""
    try:
        return _probe_decoder.decode(line)
    except BROKEN:
        return None


def observation_of(line: EvidenceLine | DowntimeLine | DeliveryLine) -> Input:
    match line:
        case EvidenceLine(at=at, object=evidence):
            return EvidenceArrived(at=at, evidence=evidence)
        case DowntimeLine(at=at, object=downtime):
            return Started(at=at, since=downtime.since, scopes=downtime.scopes)
        case DeliveryLine(at=at, object=done):
            return DeliveryDone(at=at, message_id=done.message_id, outcome=done.outcome)


def pod_observation(line: PodLine, at: datetime, scope: Scope, raw: bytes) -> Input | None:
    """The observation of a line about pods; None: an event of a later version. LineError."""
    event = _pod_events.get(line.event)
    if event is not None:
        if line.object is None:
            raise LineError(f"{line.event} without an object")
        return PodSeen(at=at, event=event, scope=scope, pod=narrow(line.object))
    if line.event == "SYNCED":
        return Synced(at=at, scope=scope, complete=line.complete)
    if line.event == "LISTING":
        return Listing(at=at, scope=scope)
    if line.event == "FORBIDDEN":
        return Forbidden(at=at, scope=scope, message=_refused_decoder.decode(raw).object.message)
    return None
