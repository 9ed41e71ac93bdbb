"""The service's metrics, made of the loops' own counters at each scrape. It changes nothing and keeps nothing.

One module for each stage declares its metrics (`Spec`) and reads their values; Alertmanager's own names are in
`alertmanager`. docs/metrics.md is made of the same declarations, by `python -m watcher.app.metrics.document`.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from watcher.app.metrics.alertmanager import alertmanager_metrics, replica_metrics
from watcher.app.metrics.deliveries import delivery_metrics
from watcher.app.metrics.intake import intake_metrics
from watcher.app.metrics.judging import judging_metrics
from watcher.app.metrics.parts import Parts, Replica
from watcher.app.metrics.running import running_metrics
from watcher.app.metrics.storing import store_metrics

__all__ = ["Parts", "Replica", "service_metrics", "standby_metrics"]


def service_metrics(parts: Parts) -> Iterator[Metric]:
    """All of `/metrics`."""
    yield from intake_metrics(parts)
    yield from judging_metrics(parts)
    yield from store_metrics(parts)
    yield from delivery_metrics(parts)
    yield from running_metrics(parts)
    yield from alertmanager_metrics(parts)


def standby_metrics(parts: Replica) -> Iterator[Metric]:
    """All of `/metrics` of a replica that neither watches nor delivers."""
    yield from running_metrics(parts)
    yield from replica_metrics(parts)
