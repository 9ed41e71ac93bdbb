"""How Watcher itself does: readiness, configuration, leadership, the heartbeat, and its process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric

from watcher import __version__
from watcher.app.metrics.parts import Replica
from watcher.app.metrics.spec import Kind, Spec

BUILD = Spec(name="watcher_build_info", labels=("version",), help="1, with the version that runs.")
READY = Spec(
    name="watcher_ready",
    help="1 while `/-/ready` answers 200.",
    do="See WatcherNotReady.",
)
RELOADED = Spec(
    name="watcher_config_last_reload_successful",
    help="1 while the configuration and rules that were read last are in force; 0 after a reload that was refused.",
    do="See WatcherReloadRefused.",
)
RELOADED_AT = Spec(
    name="watcher_config_last_reload_success_timestamp_seconds",
    help="When the configuration in force was read.",
)
RELOADS = Spec(
    name="watcher_config_reloads_total",
    kind=Kind.COUNTER,
    labels=("outcome",),
    unit="reloads",
    help="Reloads that came into force (taken) and that did not (refused).",
)
HASH = Spec(
    name="watcher_config_hash",
    help="A number made of the configuration and rules in force: replicas that differ in it differ in these.",
)
LEADER = Spec(
    name="watcher_is_leader",
    help="1 on the replica that watches, writes and delivers; of a single replica always.",
    do="See WatcherNoLeader and WatcherTwoLeaders.",
)
EPOCH = Spec(
    name="watcher_leader_epoch",
    unit="epochs",
    help="The database's count of leaders, as of when this replica led last; 0: it never did.",
)
TERMS = Spec(
    name="watcher_leader_changes_total",
    kind=Kind.COUNTER,
    labels=("change",),
    unit="changes",
    help="Times that this replica became the leader (taken) and had to stop though nobody asked it to (lost).",
    do="Lost now and then: the API server or the database was away. Often: they are too slow for the Lease's times.",
)
LEASE_FAILURES = Spec(
    name="watcher_leader_lease_failures_total",
    kind=Kind.COUNTER,
    unit="calls",
    help="Calls about the Lease that failed or were not answered in time.",
)
CALLS = Spec(
    name="watcher_heartbeat_calls_total", kind=Kind.COUNTER, unit="calls", help="Calls of the heartbeat's URL."
)
FAILURES = Spec(
    name="watcher_heartbeat_failures_total",
    kind=Kind.COUNTER,
    unit="calls",
    help="Calls that were not answered with 2xx.",
    do="See WatcherHeartbeatWithheld.",
)
WITHHELD = Spec(
    name="watcher_heartbeat_withheld_total",
    kind=Kind.COUNTER,
    unit="minutes",
    help="Minutes without a call, as something was not alive.",
    do="See WatcherHeartbeatWithheld.",
)
LAST_CALL = Spec(
    name="watcher_heartbeat_last_success_timestamp_seconds",
    help="When a call was last answered well; 0: never.",
)
MEMORY_LIMIT = Spec(
    name="watcher_memory_limit_bytes",
    help="The limit of this container's memory; no sample where there is none.",
    do="See WatcherMemoryNearLimit.",
)

# The library's own collectors expose these; they stand here for the page.
RESIDENT = Spec(name="process_resident_memory_bytes", help="Memory in use (resident).")
VIRTUAL = Spec(name="process_virtual_memory_bytes", help="Address space; not memory in use.")
CPU = Spec(name="process_cpu_seconds_total", kind=Kind.COUNTER, help="Time of CPUs spent, user and system.")
STARTED = Spec(name="process_start_time_seconds", help="When the process began, in seconds since 1970.")
OPEN_FILES = Spec(name="process_open_fds", unit="descriptors", help="Open file descriptors.")
MOST_FILES = Spec(name="process_max_fds", unit="descriptors", help="How many it may open.")
GC_RUNS = Spec(
    name="python_gc_collections_total",
    kind=Kind.COUNTER,
    labels=("generation",),
    unit="runs",
    help="Runs of Python's garbage collector.",
)
GC_FOUND = Spec(
    name="python_gc_objects_collected_total",
    kind=Kind.COUNTER,
    labels=("generation",),
    unit="objects",
    help="Objects that it freed.",
)
GC_LEFT = Spec(
    name="python_gc_objects_uncollectable_total",
    kind=Kind.COUNTER,
    labels=("generation",),
    unit="objects",
    help="Objects that it could not free.",
)
PYTHON = Spec(
    name="python_info",
    labels=("implementation", "major", "minor", "patchlevel", "version"),
    help="1, with the version of Python.",
)

CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Of cgroup v2 and v1, as a container sees its own."""
_NO_LIMIT = 1 << 60
"""v1 says "none" by a number near 2^63, v2 by "max"."""

_UNUSED = CollectorRegistry()
_COLLECTORS = (ProcessCollector(registry=_UNUSED), GCCollector(registry=_UNUSED), PlatformCollector(registry=_UNUSED))


def running_metrics(parts: Replica) -> Iterator[Metric]:
    yield BUILD.many({(__version__,): 1})
    yield READY.one(parts.ready)
    yield from _reloads(parts)
    leader = parts.leader
    yield LEADER.one(leader.is_leader)
    yield EPOCH.one(leader.epoch)
    yield TERMS.many({("taken",): leader.taken, ("lost",): leader.lost})
    yield LEASE_FAILURES.one(leader.failures)
    heartbeat = parts.heartbeat
    yield CALLS.one(heartbeat.calls)
    yield FAILURES.one(heartbeat.failures)
    yield WITHHELD.one(heartbeat.withheld)
    yield LAST_CALL.one(heartbeat.last_success or 0.0)
    limit = memory_limit()
    yield MEMORY_LIMIT.many({} if limit is None else {(): limit})
    for collector in _COLLECTORS:
        yield from collector.collect()


def _reloads(parts: Replica) -> Iterator[Metric]:
    reload = parts.reload
    yield RELOADED.one(reload.last_success)
    yield RELOADED_AT.one(reload.last_success_at.timestamp() if reload.last_success_at is not None else 0.0)
    yield RELOADS.many({("taken",): reload.taken, ("refused",): reload.refused})
    yield HASH.one(reload.hash)


def memory_limit(files: tuple[Path, ...] = CGROUPS) -> int | None:
    """Bytes; None: there is no limit, or none that can be read. Asked at each scrape: a pod may be resized."""
    for file in files:
        try:
            text = file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None
    return None
