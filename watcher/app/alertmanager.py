"""Metrics under Alertmanager's own names, for its dashboards and for clients that look for them (Karma)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from watcher.api.v2alerts import status_name
from watcher.api.v2status import VERSION
from watcher.model.changes import View


def alertmanager_metrics(view: View, now: datetime) -> Iterator[Metric]:
    build = GaugeMetricFamily("alertmanager_build_info", "Which API v2 this is.", labels=["version"])
    build.add_metric([VERSION], 1)
    yield build
    alerts = view.alerts
    names = (status_name(view, alerts.rows[key], now) for key in alerts.keys_by("firing", True))
    yield _by_state("alertmanager_alerts", "Alerts that fire, by state.", ("active", "suppressed"), Counter(names))
    silences = Counter(one.state(now) for one in view.silences.rows.values())
    states = ("active", "expired", "pending")
    yield _by_state("alertmanager_silences", "Silences, by state.", states, silences)


def _by_state(name: str, text: str, states: tuple[str, ...], counts: Counter[str]) -> Metric:
    found = GaugeMetricFamily(name, text, labels=["state"])
    for state in states:
        found.add_metric([state], counts[state])
    return found
