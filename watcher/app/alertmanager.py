"""Metrics under Alertmanager's own names, for its dashboards and for clients that look for them (Karma)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from watcher.api.v2status import VERSION
from watcher.model.changes import View
from watcher.model.state import Alert


def alertmanager_metrics(view: View, now: datetime) -> Iterator[Metric]:
    build = GaugeMetricFamily("alertmanager_build_info", "Which API v2 this is.", labels=["version"])
    build.add_metric([VERSION], 1)
    yield build
    alerts = view.alerts
    names = (_state(alerts.rows[key], now) for key in alerts.keys_by("firing", True))
    yield _by_state("alertmanager_alerts", "Alerts that fire, by state.", ("active", "suppressed"), Counter(names))
    silences = Counter(one.state(now) for one in view.silences.rows.values())
    states = ("active", "expired", "pending")
    yield _by_state("alertmanager_silences", "Silences, by state.", states, silences)


def _state(alert: Alert, now: datetime) -> str:
    """As the core has decided it; the API looks at each silence anew, which is too much for every scrape."""
    hinted = alert.muted_until is not None and alert.muted_until > now
    held = alert.silenced_by or alert.held_by is not None or alert.explained_by is not None
    return "suppressed" if held or hinted else "active"


def _by_state(name: str, text: str, states: tuple[str, ...], counts: Counter[str]) -> Metric:
    found = GaugeMetricFamily(name, text, labels=["state"])
    for state in states:
        found.add_metric([state], counts[state])
    return found
