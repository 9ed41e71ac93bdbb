"""Evidence: what is fetched for an alert that fires, and what came back."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.model.identity import AlertKey


class EvidenceRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Fetch what explains one alert: Warning events always, a log tail and the last rollout where they are named.

    Of a pod: `namespace`, `pod` and `uid`. `container` asks for the log tail of its dead (or last) instance;
    `container_id` is the instance that died (`containerd://…`), empty: unknown, the previous one is taken if there is
    one. `workload_kind` and `workload` ask for the rollout that made the pod. Of a claim or a node: `kind` and `name`
    (and `namespace`), events only.
    """

    alert: AlertKey
    namespace: str
    pod: str = ""
    uid: str = ""
    container: str = ""
    container_id: str = ""
    workload_kind: str = ""
    workload: str = ""
    kind: str = "Pod"
    """Pod, PersistentVolumeClaim or Node."""
    name: str = ""
    """Of a claim or a node."""
    since: datetime | None = None
    """When the trouble began; None: at `asked_at`."""
    asked_at: datetime
    """The core's time of the request."""


class Rollout(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The rollout shortly after which the trouble began (lib/rollouts.py says it in words). Its texts are redacted."""

    kind: str
    name: str
    revision: int | None = None
    """None: it is not told."""
    at: datetime
    after: timedelta
    """From the rollout until the trouble."""
    changes: tuple[str, ...] = ()
    """What it changed, `image 1.2.3 -> 1.2.4`, of several containers `app: image …`; empty: not known."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was found. `log`: the last lines, oldest first, redacted. `missing`: why there is none, in words."""

    alert: AlertKey
    pod: str = ""
    container: str = ""
    container_id: str = ""
    log: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    """Warnings, the newest first, redacted."""
    rollout: Rollout | None = None
    """None: there was none shortly before, or it could not be found out."""
    missing: str = ""
