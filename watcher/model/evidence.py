"""Evidence: what is fetched for an alert that fires, and what came back."""

from __future__ import annotations

from datetime import datetime

import msgspec

from watcher.model.identity import AlertKey


class EvidenceRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Fetch the log tail of one container's dead (or last) instance, and the pod's Warning events.

    `container_id`: the instance that died, `containerd://…`; empty: unknown, take the previous one if there is one.
    `container` empty: events only. `asked_at`: the core's time of the request.
    """

    alert: AlertKey
    namespace: str
    pod: str
    uid: str = ""
    container: str = ""
    container_id: str = ""
    asked_at: datetime


class Evidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was found. `log`: the last lines, oldest first, redacted. `missing`: why there is none, in words."""

    alert: AlertKey
    pod: str = ""
    container: str = ""
    container_id: str = ""
    log: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    missing: str = ""
