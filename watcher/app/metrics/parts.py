"""Whose counters are shown: what the composition root hands to the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from watcher.api.inside import PostStats
from watcher.engine.dispatch import Dispatcher
from watcher.engine.evidence import EvidenceStats
from watcher.engine.heartbeat import HeartbeatStats
from watcher.engine.queue import IntakeQueue
from watcher.engine.stats import LeaderStats, ReloadStats, StoreStats
from watcher.engine.writer import Writer
from watcher.ports import Clock
from watcher.source.kubelet import SamplerStats
from watcher.source.streams import StreamStats


@dataclass(frozen=True, kw_only=True)
class Replica:
    """What every process has, also one that stands by."""

    ready: bool = True
    """Whether `/-/ready` answers 200."""
    reload: ReloadStats = field(default_factory=ReloadStats)
    leader: LeaderStats = field(default_factory=lambda: LeaderStats(is_leader=True))
    heartbeat: HeartbeatStats = field(default_factory=HeartbeatStats)


@dataclass(frozen=True, kw_only=True)
class Parts(Replica):
    """What has not been made (no cluster is watched, no heartbeat is configured) is left at its default: zeros."""

    writer: Writer
    dispatcher: Dispatcher
    queue: IntakeQueue
    clock: Clock
    dead_letters: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By receiver and integration, since the process began."""
    streams: Sequence[StreamStats] = ()
    sampler: SamplerStats = field(default_factory=SamplerStats)
    evidence: EvidenceStats = field(default_factory=EvidenceStats)
    posts: PostStats = field(default_factory=PostStats)
    store: Sequence[StoreStats] = ()
    """Of transactions that neither the writer nor the dispatcher counts: the load at the start, retention."""
    began: float = 0.0
    """Monotonic seconds when the process began to watch."""
