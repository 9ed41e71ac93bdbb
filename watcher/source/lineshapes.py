"""The records that a recording's lines are: as they are written (`Written`) and, by kind, as they are read (`…Line`).

What they mean is in `lines`, which turns them into observations and back.
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
from watcher.model.observations import Scope
from watcher.model.posted import PostedAlert
from watcher.model.silence import Silence
from watcher.source.kinds import KINDS

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""Times without a zone are refused: they would compare with nothing."""

FORMAT = 1
"""What the header calls `recording`."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    recording: int
    cluster: str = ""
    started_at: Time | None = None


class ScopeLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    namespace: str = ""


class DowntimeBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    since: Time | None = None
    scopes: tuple[Scope, ...] = ()
    excluded: tuple[str, ...] = ()


class ConfigBody(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """LOADED has `scopes`, `excluded` and `again`; REFUSED has the others."""

    scopes: tuple[Scope, ...] = ()
    excluded: tuple[str, ...] = ()
    again: tuple[Scope, ...] = ()
    errors: int = 0
    reason: str = ""


class JumpBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    since: Time


class HealthBody(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    since: Time | None = None
    reason: str = ""


class DeliveryBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    message_id: str
    outcome: Outcome


class MessageBody(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A test has an `id`; what is sent again has all the others."""

    receiver: str
    id: str = ""
    message_id: str = ""
    integration: str = ""
    group: str = ""
    notification: Notification | None = None


class SilenceBody(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """ASKED has a `silence`; EXPIRE has the `id` of one."""

    request: str
    by: str = ""
    new_id: str = ""
    silence: Silence | None = None
    id: str = ""


class RefusalBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    message: str = ""


Object = (
    KubeObject
    | Summary
    | Evidence
    | DowntimeBody
    | ConfigBody
    | JumpBody
    | HealthBody
    | DeliveryBody
    | MessageBody
    | SilenceBody
    | tuple[PostedAlert, ...]
    | RefusalBody
)


class Written(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A line as it is written: times first, so that people find their way."""

    at: Time
    kind: str = ""
    event: str
    scope: ScopeLine | Scope | None = None
    complete: bool = True
    node: str = ""
    accepted: Time | None = None
    object: Object | None = None


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


class RefusedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    object: RefusalBody = RefusalBody()


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
    object: HealthBody = HealthBody()


class EvidenceLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Evidence", gc=False):
    at: Time
    object: Evidence


class DowntimeLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Downtime", gc=False):
    at: Time
    event: str = "STARTED"
    object: DowntimeBody = DowntimeBody()


class ConfigLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Config", gc=False):
    at: Time
    event: str
    object: ConfigBody


class DeliveryLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Delivery", gc=False):
    at: Time
    object: DeliveryBody


class MessageLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Message", gc=False):
    at: Time
    event: str
    object: MessageBody


class SilenceLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Silence", gc=False):
    at: Time
    event: str
    object: SilenceBody


class PostedLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Alert", gc=False):
    at: Time
    event: str
    accepted: Time | None = None
    object: tuple[PostedAlert, ...]


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
OtherLine = (
    StreamLine | EvidenceLine | DowntimeLine | ConfigLine | DeliveryLine | MessageLine | SilenceLine | PostedLine
)
Line = ObjectLine | StatsLine | OtherLine

OBJECT_LINES = (PodLine, ClaimLine, NodeLine, NamespaceLine, EventLine)

_OWN = {"StatsSummary", "Stream", "Evidence", "Downtime", "Config", "Delivery", "Message", "Silence", "Alert"}
READABLE = frozenset(KINDS.keys() | _OWN)
"""Kinds that this version reads; others are skipped and counted."""
