"""The service's metrics, made of the loops' own counters at each scrape. docs/operating.md says what each means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from watcher.engine.dispatch import Dispatcher
from watcher.engine.queue import IntakeQueue
from watcher.engine.writer import Writer
from watcher.ports import Clock
from watcher.source.streams import StreamStats


def service_metrics(
    writer: Writer, dispatcher: Dispatcher, queue: IntakeQueue, streams: Sequence[StreamStats], clock: Clock
) -> Iterator[Metric]:
    yield from _writer(writer, queue)
    yield from _deliveries(dispatcher, clock)
    yield from _streams(streams, clock)


def _writer(writer: Writer, queue: IntakeQueue) -> Iterator[Metric]:
    stats = writer.stats
    yield CounterMetricFamily("watcher_observations", "Inputs that the core has taken.", value=stats.inputs)
    yield CounterMetricFamily(
        "watcher_observations_set_aside", "Inputs that a stage could not take.", value=stats.set_aside
    )
    yield CounterMetricFamily("watcher_commits", "Transactions committed.", value=stats.commits)
    yield GaugeMetricFamily("watcher_intake_queue_length", "Observations that wait for the writer.", value=len(queue))
    yield GaugeMetricFamily("watcher_store_up", "1 while the store answers.", value=0 if stats.store_failing else 1)
    alerts = sum(1 for alert in writer.view.alerts.rows.values() if alert.ends_at is None)
    yield GaugeMetricFamily("watcher_alerts_firing", "Alerts that fire.", value=alerts)
    yield GaugeMetricFamily("watcher_pods", "Pods in memory.", value=len(writer.view.pods.rows))
    decided = CounterMetricFamily(
        "watcher_decisions", "Decisions to send or to hold, by reason.", labels=["verdict", "reason"]
    )
    for (verdict, reason), count in sorted(stats.decisions.items()):
        decided.add_metric([verdict, reason], count)
    yield decided


def _deliveries(dispatcher: Dispatcher, clock: Clock) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "watcher_delivery_attempts", "Attempts to deliver, by outcome.", labels=["receiver", "integration", "outcome"]
    )
    for (receiver, integration, outcome), count in sorted(dispatcher.stats.by_integration.items()):
        attempts.add_metric([receiver, integration, outcome], count)
    yield attempts
    yield GaugeMetricFamily("watcher_outbox_length", "Messages not yet delivered.", value=dispatcher.waiting())
    oldest = dispatcher.oldest()
    age = (clock.now() - oldest).total_seconds() if oldest is not None else 0.0
    yield GaugeMetricFamily("watcher_outbox_oldest_seconds", "Age of the oldest undelivered message.", value=age)


def _streams(streams: Sequence[StreamStats], clock: Clock) -> Iterator[Metric]:
    labels = ["kind", "namespace"]
    synced = GaugeMetricFamily("watcher_stream_synced", "1 once a list is complete.", labels=labels)
    silent = GaugeMetricFamily("watcher_stream_silent_seconds", "Time since a stream was last heard.", labels=labels)
    events = CounterMetricFamily("watcher_stream_events", "Objects delivered by a stream.", labels=labels)
    errors = CounterMetricFamily("watcher_stream_errors", "Failures of a stream.", labels=[*labels, "error"])
    skipped = CounterMetricFamily("watcher_stream_skipped", "Lines left out.", labels=[*labels, "reason"])
    for stats in streams:
        name = [stats.scope.kind, stats.scope.namespace]
        synced.add_metric(name, stats.synced)
        events.add_metric(name, stats.events)
        if stats.last_heard is not None:
            silent.add_metric(name, clock.monotonic() - stats.last_heard)
        for error, count in sorted(stats.errors.items()):
            errors.add_metric([*name, error], count)
        for reason, count in sorted(stats.skipped.items()):
            skipped.add_metric([*name, reason], count)
    yield from (synced, silent, events, errors, skipped)
