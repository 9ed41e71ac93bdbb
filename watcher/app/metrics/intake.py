"""What comes in: the streams of the API server, the kubelets, evidence, and the queue in front of the core."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from watcher.app.metrics.parts import Parts
from watcher.app.metrics.spec import Kind, Spec

SYNCED = Spec(
    name="watcher_stream_synced",
    labels=("kind", "namespace"),
    help="1 once a list of that scope is complete.",
    more="`namespace` is empty where the whole cluster is watched.",
    do="0 for minutes: the API server does not answer the list, or refuses it; `/-/ready` and the log say why.",
)
FORBIDDEN = Spec(
    name="watcher_stream_forbidden",
    labels=("kind", "namespace"),
    help="1 while that scope may not be read (403).",
    do="Grant it, or live without what it is needed for (`What it may read` in operating.md).",
)
STALE = Spec(
    name="watcher_stream_stale_seconds",
    labels=("kind", "namespace"),
    help="Time since that stream was last heard.",
    more="The API server speaks about once a minute; after 90 s of silence Watcher connects anew; after 180 s the"
    " stream is blind.",
    do="See WatcherStreamStale.",
)
OFFSET = Spec(
    name="watcher_server_clock_offset_seconds",
    labels=("kind", "namespace"),
    help="How far the API server's clock is ahead of this machine's, as of the last answer (to whole seconds).",
    do="More than some seconds: set the clocks (NTP) of this node and of the control plane.",
)
EVENTS = Spec(
    name="watcher_stream_events_total",
    kind=Kind.COUNTER,
    labels=("kind", "namespace"),
    unit="objects",
    help="Objects delivered, by lists and watches.",
)
ERRORS = Spec(
    name="watcher_stream_errors_total",
    kind=Kind.COUNTER,
    labels=("kind", "namespace", "error"),
    unit="failures",
    help="Failures of a stream, by what it was.",
    do="Now and then is normal (`expired`, a connection that ends). Steadily: the log line `watch.…` has the words.",
)
SKIPPED = Spec(
    name="watcher_stream_skipped_total",
    kind=Kind.COUNTER,
    labels=("kind", "namespace", "reason"),
    unit="lines",
    help="Lines of a stream that were left out, as they could not be read.",
    do="Please report it with the log line; the stream goes on.",
)
NODES = Spec(name="watcher_sampled_nodes", unit="nodes", help="Nodes whose kubelets are asked how full volumes are.")
SAMPLES = Spec(name="watcher_samples_total", kind=Kind.COUNTER, unit="answers", help="Answers of kubelets.")
SAMPLE_ERRORS = Spec(
    name="watcher_sample_errors_total",
    kind=Kind.COUNTER,
    labels=("error",),
    unit="requests",
    help="Kubelets that gave no answer, by what it was.",
    more="unreachable, tls, unauthorized, forbidden, bad_answer.",
    do="`/-/ready` names the nodes; with `tls` set `volumes.source: apiserver` or the CA of the kubelets.",
)
IGNORED = Spec(
    name="watcher_sample_volumes_ignored_total",
    kind=Kind.COUNTER,
    labels=("reason",),
    unit="volumes",
    help="Volumes that were left out: of no claim, or in a namespace that is not watched.",
)
REFUSED_SAMPLES = Spec(
    name="watcher_samples_refused_total",
    kind=Kind.COUNTER,
    labels=("reason",),
    unit="volumes",
    help="Numbers of volumes that could not be used.",
    do="Some storage drivers report nothing, or impossible sizes: those volumes are not judged.",
)
FETCHED = Spec(
    name="watcher_evidence_fetched_total",
    kind=Kind.COUNTER,
    unit="requests",
    help="Log tails, events and rollouts that were asked for an alert.",
)
INCOMPLETE = Spec(
    name="watcher_evidence_incomplete_total",
    kind=Kind.COUNTER,
    unit="requests",
    help="Of these, with something missing.",
    do="The message says what. All of them: `pods/log` may not be read, or the API server is slow.",
)
REFUSED_EVIDENCE = Spec(
    name="watcher_evidence_refused_total",
    kind=Kind.COUNTER,
    unit="requests",
    help="Evidence that was not fetched, since too much was wanted at once (30, then one a second).",
)
EVIDENCE_SECONDS = Spec(
    name="watcher_evidence_seconds",
    kind=Kind.HISTOGRAM,
    help="How long fetching the evidence of one alert took.",
    more="A first message waits for it, within its `group_wait`; after 5 s it is told without.",
    do="Near 5 s: the API server or its way to the kubelets is slow.",
)
LENGTH = Spec(
    name="watcher_intake_queue_length",
    unit="observations",
    help="Observations that wait for the core; several versions of one object count once.",
    do="See WatcherQueueGrowing.",
)
CAPACITY = Spec(
    name="watcher_intake_queue_capacity",
    unit="observations",
    help="How many may wait; then the sources wait too, and nothing is lost.",
)
COALESCED = Spec(
    name="watcher_queue_coalesced_total",
    kind=Kind.COUNTER,
    unit="observations",
    help="Observations that took the place of an older one about the same object, which still waited.",
    more="The database or a burst is slow to judge; nothing is lost.",
)
REFUSED = Spec(
    name="watcher_queue_refused_total",
    kind=Kind.COUNTER,
    unit="times",
    help="Times that a source had to wait because the queue was full of distinct objects.",
    do="In the first list of a large cluster: nothing. Later: as for WatcherQueueGrowing.",
)

POSTED = Spec(
    name="watcher_posted_alerts_waiting",
    unit="alerts",
    help="Posted alerts that are stored, and not judged yet.",
    more="They are judged within a second, unless thousands come at once; at 20,000 whoever posts has to wait.",
    do="If it stays high: others post more than one core judges, or the database is slow.",
)


def intake_metrics(parts: Parts) -> Iterator[Metric]:
    yield from _streams(parts)
    yield from _volumes(parts)
    evidence = parts.evidence
    yield FETCHED.one(evidence.fetched)
    yield INCOMPLETE.one(evidence.incomplete)
    yield REFUSED_EVIDENCE.one(evidence.refused)
    yield EVIDENCE_SECONDS.times({(): evidence.seconds})
    yield LENGTH.one(len(parts.queue))
    yield CAPACITY.one(parts.queue.capacity)
    yield COALESCED.one(parts.queue.coalesced)
    yield REFUSED.one(parts.queue.refused)
    yield POSTED.one(parts.posts.waiting)


def _streams(parts: Parts) -> Iterator[Metric]:
    streams = {(each.scope.kind, each.scope.namespace): each for each in parts.streams}
    now = parts.clock.monotonic()
    yield SYNCED.many({name: each.synced for name, each in streams.items()})
    yield FORBIDDEN.many({name: each.forbidden for name, each in streams.items()})
    heard = {name: parts.began if each.last_heard is None else each.last_heard for name, each in streams.items()}
    yield STALE.many({name: max(0.0, now - last) for name, last in heard.items()})
    offsets = {name: each.server_offset for name, each in streams.items()}
    yield OFFSET.many({name: offset for name, offset in offsets.items() if offset is not None})
    yield EVENTS.many({name: each.events for name, each in streams.items()})
    errors = {(*name, str(what)): count for name, each in streams.items() for what, count in each.errors.items()}
    yield ERRORS.many(errors)
    skipped = {(*name, why): count for name, each in streams.items() for why, count in each.skipped.items()}
    yield SKIPPED.many(skipped)


def _volumes(parts: Parts) -> Iterator[Metric]:
    stats = parts.sampler
    yield NODES.one(stats.nodes)
    yield SAMPLES.one(stats.samples)
    yield SAMPLE_ERRORS.many({(str(error),): count for error, count in stats.errors.items()})
    yield IGNORED.many({(reason,): count for reason, count in stats.ignored.items()})
    yield REFUSED_SAMPLES.many({(reason,): count for reason, count in parts.writer.stats.refused.items()})
