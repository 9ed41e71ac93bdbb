"""What is stored: whether the database answers, and how long it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import Metric

from watcher.app.metrics.parts import Parts
from watcher.app.metrics.spec import Kind, Spec
from watcher.engine.stats import QUICK, Buckets, StoreStats

OPERATIONS = ("commit", "lease")
"""Shown from the start on; load and prune once they were done."""

UP = Spec(
    name="watcher_store_up",
    help="0 while the database does not answer; then nothing is decided.",
    do="See WatcherStoreFailing.",
)
SECONDS = Spec(
    name="watcher_store_seconds",
    kind=Kind.HISTOGRAM,
    labels=("operation",),
    help="How long a transaction took that was done.",
    more="`operation`: commit (the writer's), lease (messages that are to be sent), load (everything, at a start),"
    " prune (a slice of old history).",
    do="See WatcherStoreSlow.",
)
ERRORS = Spec(
    name="watcher_store_errors_total",
    kind=Kind.COUNTER,
    labels=("operation",),
    unit="transactions",
    help="Transactions that failed; they are tried again.",
    do="See WatcherStoreFailing.",
)


def store_metrics(parts: Parts) -> Iterator[Metric]:
    yield UP.one(not parts.writer.stats.store_failing)
    counted = [parts.writer.stats.store, parts.dispatcher.stats.store, *parts.store]
    yield SECONDS.times({(name,): _seconds(name, counted) for name in _names(counted)})
    errors: Counter[tuple[str, ...]] = Counter({(name,): 0 for name in OPERATIONS})
    for each in counted:
        errors.update({(name,): count for name, count in each.errors.items()})
    yield ERRORS.many(errors)


def _names(counted: list[StoreStats]) -> set[str]:
    return {*OPERATIONS, *(name for each in counted for name in each.seconds)}


def _seconds(name: str, counted: list[StoreStats]) -> Buckets:
    return Buckets.joined(QUICK, (each.seconds[name] for each in counted if name in each.seconds))
