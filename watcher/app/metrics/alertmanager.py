"""Alertmanager's names: metrics that its dashboards, its mixin's alerts and Karma look for, with its own meaning.

Not there, as Watcher has nothing of the kind: `alertmanager_nflog_…` and `alertmanager_cluster_…` (no gossip: replicas
share a database), and `alertmanager_http_…`. A notification counts with each attempt and fails with each attempt:
Alertmanager tries within one flush and counts that, Watcher's attempts are spread over 24 h.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from prometheus_client.core import Metric

from watcher.api.v2status import VERSION
from watcher.app.metrics.judging import state
from watcher.app.metrics.parts import Parts, Replica
from watcher.app.metrics.spec import Kind, Spec
from watcher.engine.causes import Cause
from watcher.engine.stats import SENDING, Buckets
from watcher.model.changes import View
from watcher.model.message import HoldReason

BUILD = Spec(
    name="alertmanager_build_info",
    labels=("version",),
    help="1, with the version of Alertmanager whose API this is: Karma reads it.",
)
ALERTS = Spec(
    name="alertmanager_alerts",
    labels=("state",),
    unit="alerts",
    help="Alerts that fire, by state: active, suppressed (silenced, inhibited, explained, or muted by a hint).",
)
RECEIVED = Spec(
    name="alertmanager_alerts_received_total",
    kind=Kind.COUNTER,
    labels=("status", "version"),
    unit="alerts",
    help="Alerts that others posted: firing, or resolved.",
)
INVALID = Spec(
    name="alertmanager_alerts_invalid_total",
    kind=Kind.COUNTER,
    labels=("version",),
    unit="alerts",
    help="Of these, not taken; alerts of one request that are refused for the very same reason may count once.",
    do="The answer to the one who posted says why.",
)
SILENCES = Spec(
    name="alertmanager_silences",
    labels=("state",),
    unit="silences",
    help="Silences by state: active, pending, expired.",
)
NOTIFICATIONS = Spec(
    name="alertmanager_notifications_total",
    kind=Kind.COUNTER,
    labels=("integration",),
    unit="attempts",
    help="Attempts to notify, by the integration's type (slack, webhook, …).",
)
FAILED = Spec(
    name="alertmanager_notifications_failed_total",
    kind=Kind.COUNTER,
    labels=("integration", "reason"),
    unit="attempts",
    help="Of these, failed, by Alertmanager's classes of reasons.",
    do="As for `watcher_delivery_failures_total`, which has more classes and the receiver.",
)
REQUESTS = Spec(
    name="alertmanager_notification_requests_total",
    kind=Kind.COUNTER,
    labels=("integration",),
    unit="attempts",
    help="The same as alertmanager_notifications_total.",
)
REQUESTS_FAILED = Spec(
    name="alertmanager_notification_requests_failed_total",
    kind=Kind.COUNTER,
    labels=("integration",),
    unit="attempts",
    help="Of these, failed.",
)
LATENCY = Spec(
    name="alertmanager_notification_latency_seconds",
    kind=Kind.HISTOGRAM,
    labels=("integration",),
    help="How long one attempt took.",
)
SUPPRESSED = Spec(
    name="alertmanager_notifications_suppressed_total",
    kind=Kind.COUNTER,
    labels=("reason",),
    unit="alerts",
    help="Alerts that were held back when their group was due: silence, inhibition, mute_time_interval.",
    more="`active_time_interval` counts as mute_time_interval.",
)
GROUPS = Spec(
    name="alertmanager_dispatcher_aggregation_groups", unit="groups", help="Groups of alerts that are told together."
)
RECEIVERS = Spec(name="alertmanager_receivers", unit="receivers", help="Receivers of the configuration.")
INTEGRATIONS = Spec(name="alertmanager_integrations", unit="integrations", help="Their integrations.")
INHIBITIONS = Spec(
    name="alertmanager_inhibition_rules", unit="rules", help="Inhibition rules in force, the shipped ones included."
)
RELOADED = Spec(
    name="alertmanager_config_last_reload_successful",
    help="The same as watcher_config_last_reload_successful.",
    do="See WatcherReloadRefused.",
)
RELOADED_AT = Spec(
    name="alertmanager_config_last_reload_success_timestamp_seconds",
    help="The same as watcher_config_last_reload_success_timestamp_seconds.",
)
HASH = Spec(name="alertmanager_config_hash", help="The same as watcher_config_hash.")

BOUNDS: Final = (1.0, 5.0, 10.0, 15.0, 20.0)
"""Alertmanager's own buckets (notify/notify.go)."""

_REASONS: Final = {
    Cause.RATE_LIMITED: "rateLimited",
    Cause.AUTH: "authError",
    Cause.CLIENT_ERROR: "clientError",
    Cause.SERVER_ERROR: "serverError",
    Cause.TIMEOUT: "contextDeadlineExceeded",
}
"""The others are `other` there."""

_SUPPRESSED: Final = {
    HoldReason.SILENCED: "silence",
    HoldReason.INHIBITED: "inhibition",
    HoldReason.MUTED: "mute_time_interval",
}


def alertmanager_metrics(parts: Parts) -> Iterator[Metric]:
    yield from replica_metrics(parts)
    view, core = parts.writer.view, parts.writer.core
    yield from state_metrics(view, parts.clock.now())
    posts = parts.posts
    yield RECEIVED.many({("firing", "v2"): posts.firing, ("resolved", "v2"): posts.resolved})
    yield INVALID.many({("v2",): posts.invalid})
    yield from _notifications(parts)
    held = {(name,): parts.writer.stats.decisions.get(("hold", why), 0) for why, name in _SUPPRESSED.items()}
    yield SUPPRESSED.many(held)
    yield GROUPS.one(len(view.groups.rows))
    yield RECEIVERS.one(len(core.receivers))
    yield INTEGRATIONS.one(sum(len(receiver.integrations) for receiver in core.receivers.values()))
    yield INHIBITIONS.one(len(core.inhibit_rules))


def replica_metrics(parts: Replica) -> Iterator[Metric]:
    yield BUILD.many({(VERSION,): 1})
    reload = parts.reload
    yield RELOADED.one(reload.last_success)
    yield RELOADED_AT.one(reload.last_success_at.timestamp() if reload.last_success_at is not None else 0.0)
    yield HASH.one(reload.hash)


def state_metrics(view: View, now: datetime) -> Iterator[Metric]:
    """How many alerts and silences there are."""
    rows = view.alerts.rows
    alerts = Counter(state(rows[key], now) for key in view.alerts.keys_by("firing", True))
    yield ALERTS.many({(name,): alerts[name] for name in ("active", "suppressed")})
    silences = Counter(one.state(now) for one in view.silences.rows.values())
    yield SILENCES.many({(name,): silences[name] for name in ("active", "expired", "pending")})


def _notifications(parts: Parts) -> Iterator[Metric]:
    stats = parts.dispatcher.stats
    attempts = _by_type(parts, ((name, count) for (_, name, _), count in stats.by_integration.items()))
    failed: Counter[tuple[str, ...]] = Counter()
    for (_, name, cause), count in stats.failures.items():
        failed[_type(name), _REASONS.get(cause, "other")] += count
    yield NOTIFICATIONS.many(attempts)
    yield FAILED.many(failed)
    yield REQUESTS.many(attempts)
    yield REQUESTS_FAILED.many(_by_type(parts, ((name, count) for (_, name, _), count in stats.failures.items())))
    yield LATENCY.times({(kind,): _sending(parts, kind) for kind in _types(parts)}, BOUNDS)


def _by_type(parts: Parts, counts: Iterable[tuple[str, int]]) -> Mapping[tuple[str, ...], int]:
    """Each type that is configured is there from the start on, so that a rate sees its first failure."""
    found: Counter[tuple[str, ...]] = Counter({(kind,): 0 for kind in _types(parts)})
    for name, count in counts:
        found[_type(name),] += count
    return found


def _types(parts: Parts) -> set[str]:
    return {_type(name) for _, name in parts.dispatcher.stats.sending}


def _type(integration: str) -> str:
    """`slack` of `slack_configs[0]`."""
    return integration.partition("_configs")[0]


def _sending(parts: Parts, kind: str) -> Buckets:
    return Buckets.joined(
        SENDING, (found for (_, name), found in parts.dispatcher.stats.sending.items() if _type(name) == kind)
    )
