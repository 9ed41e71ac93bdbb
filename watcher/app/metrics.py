"""The service's metrics, made of the loops' own counters at each scrape. docs/operating.md says what each means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from watcher.app.alertmanager import alertmanager_metrics
from watcher.engine.dispatch import Dispatcher
from watcher.engine.evidence import EvidenceStats
from watcher.engine.heartbeat import HeartbeatStats
from watcher.engine.queue import IntakeQueue
from watcher.engine.writer import Writer
from watcher.ports import Clock
from watcher.source.kubelet import SamplerStats
from watcher.source.streams import StreamStats


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Whose counters are shown."""

    writer: Writer
    dispatcher: Dispatcher
    queue: IntakeQueue
    clock: Clock
    dead_letters: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By receiver and integration, since the process began."""
    streams: Sequence[StreamStats] = ()
    heartbeat: HeartbeatStats = field(default_factory=HeartbeatStats)
    sampler: SamplerStats = field(default_factory=SamplerStats)
    evidence: EvidenceStats = field(default_factory=EvidenceStats)
    began: float = 0.0
    """Monotonic seconds when the process began to watch."""


def service_metrics(parts: Parts) -> Iterator[Metric]:
    yield from _writer(parts.writer, parts.queue)
    yield from _deliveries(parts.dispatcher, parts.clock)
    yield from _channels(parts)
    yield from _streams(parts)
    yield from _volumes(parts.writer, parts.sampler)
    yield from _evidence(parts.evidence)
    yield from _heartbeat(parts.heartbeat)
    yield from alertmanager_metrics(parts.writer.view, parts.clock.now())


def _writer(writer: Writer, queue: IntakeQueue) -> Iterator[Metric]:
    stats = writer.stats
    yield CounterMetricFamily("watcher_observations", "Inputs that the core has taken.", value=stats.inputs)
    yield CounterMetricFamily(
        "watcher_observations_set_aside", "Inputs that a stage could not take.", value=stats.set_aside
    )
    yield CounterMetricFamily("watcher_commits", "Transactions committed.", value=stats.commits)
    yield GaugeMetricFamily("watcher_intake_queue_length", "Observations that wait for the writer.", value=len(queue))
    yield CounterMetricFamily(
        "watcher_queue_coalesced", "Observations that took the place of an older one.", value=queue.coalesced
    )
    yield CounterMetricFamily(
        "watcher_queue_refused", "Times that a source waited, as the queue was full.", value=queue.refused
    )
    yield GaugeMetricFamily("watcher_store_up", "1 while the store answers.", value=0 if stats.store_failing else 1)
    yield GaugeMetricFamily(
        "watcher_clock_behind_seconds", "How far the machine's clock was set back.", value=stats.clock_behind_seconds
    )
    yield CounterMetricFamily("watcher_clock_jumps", "Jumps of the machine's clock.", value=stats.clock_jumps)
    alerts = sum(1 for alert in writer.view.alerts.rows.values() if alert.ends_at is None)
    yield GaugeMetricFamily("watcher_alerts_firing", "Alerts that fire.", value=alerts)
    yield GaugeMetricFamily("watcher_pods", "Pods in memory.", value=len(writer.view.pods.rows))
    decided = CounterMetricFamily(
        "watcher_decisions", "Decisions to send or to hold, by reason.", labels=["verdict", "reason"]
    )
    for (verdict, reason), count in sorted(stats.decisions.items()):
        decided.add_metric([verdict, reason], count)
    yield decided
    yield CounterMetricFamily(
        "watcher_hint_mistakes", "Annotations that do not do what was meant.", value=stats.mistakes_seen
    )


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


def _channels(parts: Parts) -> Iterator[Metric]:
    labels = ["receiver", "integration"]
    dead = CounterMetricFamily("watcher_dead_letters", "Messages that were given up.", labels=labels)
    failures = GaugeMetricFamily("watcher_channel_failures", "Failures in a row.", labels=labels)
    channels = parts.writer.view.channels.rows
    for name, count in sorted(parts.dead_letters.items()):
        dead.add_metric(name, count)
        failures.add_metric(name, channels[name].failures if name in channels else 0)
    yield from (dead, failures)


def _streams(parts: Parts) -> Iterator[Metric]:
    labels = ["kind", "namespace"]
    synced = GaugeMetricFamily("watcher_stream_synced", "1 once a list is complete.", labels=labels)
    forbidden = GaugeMetricFamily("watcher_stream_forbidden", "1 while it may not be read (403).", labels=labels)
    stale = GaugeMetricFamily("watcher_stream_stale_seconds", "Time since a stream was last heard.", labels=labels)
    events = CounterMetricFamily("watcher_stream_events", "Objects delivered by a stream.", labels=labels)
    errors = CounterMetricFamily("watcher_stream_errors", "Failures of a stream.", labels=[*labels, "error"])
    skipped = CounterMetricFamily("watcher_stream_skipped", "Lines left out.", labels=[*labels, "reason"])
    offset = GaugeMetricFamily(
        "watcher_server_clock_offset_seconds", "How far the API server's clock is ahead of ours.", labels=labels
    )
    now = parts.clock.monotonic()
    for stats in parts.streams:
        name = [stats.scope.kind, stats.scope.namespace]
        synced.add_metric(name, stats.synced)
        forbidden.add_metric(name, stats.forbidden)
        events.add_metric(name, stats.events)
        stale.add_metric(name, now - (parts.began if stats.last_heard is None else stats.last_heard))
        if stats.server_offset is not None:
            offset.add_metric(name, stats.server_offset)
        for error, count in sorted(stats.errors.items()):
            errors.add_metric([*name, error], count)
        for reason, count in sorted(stats.skipped.items()):
            skipped.add_metric([*name, reason], count)
    yield from (synced, forbidden, stale, offset, events, errors, skipped)


def _volumes(writer: Writer, stats: SamplerStats) -> Iterator[Metric]:
    yield GaugeMetricFamily("watcher_sampled_nodes", "Nodes whose kubelets are asked.", value=stats.nodes)
    yield CounterMetricFamily("watcher_samples", "Answers of kubelets.", value=stats.samples)
    errors = CounterMetricFamily("watcher_sample_errors", "Kubelets that gave no answer.", labels=["error"])
    for error, count in sorted(stats.errors.items()):
        errors.add_metric([error], count)
    ignored = CounterMetricFamily("watcher_sample_volumes_ignored", "Volumes left out.", labels=["reason"])
    for reason, count in sorted(stats.ignored.items()):
        ignored.add_metric([reason], count)
    refused = CounterMetricFamily("watcher_samples_refused", "Volumes' numbers that were not used.", labels=["reason"])
    for reason, count in sorted(writer.stats.refused.items()):
        refused.add_metric([reason], count)
    yield from (errors, ignored, refused)


def _evidence(stats: EvidenceStats) -> Iterator[Metric]:
    yield CounterMetricFamily("watcher_evidence_fetched", "Evidence that was asked for and read.", value=stats.fetched)
    yield CounterMetricFamily(
        "watcher_evidence_incomplete", "Evidence of which something was missing.", value=stats.incomplete
    )
    yield CounterMetricFamily(
        "watcher_evidence_refused", "Evidence not fetched, as too much was wanted.", value=stats.refused
    )


def _heartbeat(stats: HeartbeatStats) -> Iterator[Metric]:
    yield CounterMetricFamily("watcher_heartbeat_calls", "Calls of the heartbeat URL.", value=stats.calls)
    yield CounterMetricFamily("watcher_heartbeat_failures", "Calls that were not answered well.", value=stats.failures)
    yield CounterMetricFamily(
        "watcher_heartbeat_withheld", "Minutes without a call, as something is not alive.", value=stats.withheld
    )
    yield GaugeMetricFamily(
        "watcher_heartbeat_last_success_timestamp_seconds",
        "When a call was last answered; 0: never.",
        value=stats.last_success or 0.0,
    )
