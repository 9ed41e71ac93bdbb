"""What a message is made of: all that `render` may say, gathered by the pipeline, decided by nobody here."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import msgspec

from watcher.model.config import LinkConfig
from watcher.model.identity import Workload
from watcher.model.message import SendReason
from watcher.model.state import Alert, Member


class PodOnNode(msgspec.Struct, frozen=True, order=True, gc=False):
    """A pod of a node that is in trouble."""

    workload: Workload
    pod: str


class AlertFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One alert of the message, firing or ended."""

    alert: Alert
    members: tuple[Member, ...] = ()
    """Worst first (most occurrences, then longest), one per subject, pending ones left out."""
    pods_total: int = 0
    """Pods of the workload now (not finished, not being deleted)."""
    pods_ready: int = 0
    told_members: int | None = None
    """The most members this receiver was told of before; None: never told."""
    told_at: datetime | None = None
    explains: tuple[Alert, ...] = ()
    """Alerts held because this one explains them."""
    unheard: bool = False
    """Of one that has ended: its receiver could not be reached while it fired, and never heard that it began."""
    log_expected: bool = False
    """Evidence was asked for and has not come yet."""
    causes: tuple[Alert, ...] = ()
    """Of WorkloadDown: the alerts that fire because of its pods."""
    pods_on_node: tuple[PodOnNode, ...] = ()
    """Of an alert about a node: its pods that have not finished, those being deleted included: a dead node's pods are
    deleted after five minutes and stay until it is back."""
    silent_nodes: tuple[str, ...] = ()
    """Of an alert that is not seen: nodes of its members that are not heard of."""
    stale_kinds: tuple[str, ...] = ()
    """Of an alert that is not seen: the kinds (Pod, Node, …) of which Watcher hears nothing where it is."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """To whom, why and when."""

    id: str
    at: datetime
    receiver: str
    integration: str
    reason: SendReason
    group_key: str
    group_labels: dict[str, str]
    cluster: str = ""
    external_url: str = ""
    links: tuple[LinkConfig, ...] = ()
    """The configuration's own, for every alert."""
    zone: tzinfo = UTC
    """In which people read its times."""
