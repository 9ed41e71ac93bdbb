"""What is told: the outbox, each integration's attempts and failures, and how long a message takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import Metric

from watcher.app.metrics.parts import Parts
from watcher.app.metrics.spec import Kind, Spec
from watcher.model.state import Channel
from watcher.notify.channels import CIRCUIT_OPENS_AT

_BY: tuple[str, ...] = ("receiver", "integration")

LENGTH = Spec(
    name="watcher_outbox_length",
    labels=_BY,
    unit="messages",
    help="Messages that are not delivered yet.",
    do="See WatcherOutboxOld.",
)
OLDEST = Spec(
    name="watcher_outbox_oldest_seconds",
    labels=_BY,
    help="Age of the oldest message that is not delivered yet; 0: none waits.",
    do="See WatcherOutboxOld.",
)
ATTEMPTS = Spec(
    name="watcher_delivery_attempts_total",
    kind=Kind.COUNTER,
    labels=(*_BY, "outcome"),
    unit="attempts",
    help="Attempts to deliver, by outcome.",
    more="Delivered, TryLater, GiveUp.",
)
FAILURES = Spec(
    name="watcher_delivery_failures_total",
    kind=Kind.COUNTER,
    labels=(*_BY, "reason"),
    unit="attempts",
    help="Attempts that failed, by the class of their reason.",
    more="rate_limited, auth, client_error, server_error, timeout, dns, tls, connection, internal, other.",
    do="See WatcherDeliveriesFailing; `watcher deliveries` shows the words.",
)
SECONDS = Spec(
    name="watcher_delivery_seconds",
    kind=Kind.HISTOGRAM,
    labels=_BY,
    help="From the decision to send a message to its delivery, pauses and earlier attempts included.",
)
SEND_SECONDS = Spec(
    name="watcher_delivery_send_seconds",
    kind=Kind.HISTOGRAM,
    labels=_BY,
    help="How long one attempt took, whatever became of it; adapters give up after 30 s.",
    do="Seconds instead of milliseconds: the receiver or the way to it is slow.",
)
CHANNEL_FAILURES = Spec(
    name="watcher_channel_failures",
    labels=_BY,
    unit="failures",
    help="Failures in a row; 0 once something arrived.",
)
CIRCUIT = Spec(
    name="watcher_channel_circuit_open",
    labels=_BY,
    help="1 from the fifth failure in a row on, until something arrives: one message at a time is tried, with pauses.",
    do="`GET /api/watcher/v1/channels` shows until when nothing is sent, and the last error.",
)
DEAD = Spec(
    name="watcher_dead_letters_total",
    kind=Kind.COUNTER,
    labels=_BY,
    unit="messages",
    help="Messages that were given up: refused, or not delivered within 24 h.",
    do="See WatcherDeadLetters.",
)


def delivery_metrics(parts: Parts) -> Iterator[Metric]:
    stats, now = parts.dispatcher.stats, parts.clock.now()
    queued = list(parts.dispatcher.queued())
    yield LENGTH.many({name: count for name, count, _ in queued})
    yield OLDEST.many({name: _age(oldest, now) for name, _, oldest in queued})
    yield ATTEMPTS.many(stats.by_integration)
    yield FAILURES.many({(*name, cause.value): count for (*name, cause), count in stats.failures.items()})
    yield SECONDS.times(stats.waited)
    yield SEND_SECONDS.times(stats.sending)
    channels = parts.writer.view.channels.rows
    known = {name: channels.get(name, _NONE) for name in parts.dead_letters}
    yield CHANNEL_FAILURES.many({name: channel.failures for name, channel in known.items()})
    yield CIRCUIT.many({name: channel.failures >= CIRCUIT_OPENS_AT for name, channel in known.items()})
    yield DEAD.many(parts.dead_letters)


_NONE = Channel(receiver="", integration="")


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
