"""What a kubelet's sample says of claims: which of them it measured, and how full they are.

Numbers that cannot be used are refused by a reason that is counted, and nothing is made of them: a volume without
numbers is unknown, not empty. What is remembered of a volume from sample to sample is here too, as a pure step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.detect.trend import trend, with_sample
from watcher.model.kubelet import FsStats, Summary
from watcher.model.observations import StatsSampled
from watcher.model.remembered import Reading, VolumeHistory
from watcher.model.signals import VolumeUsage

Claim = tuple[str, str]
"""(namespace, name)"""

STALE_AFTER = timedelta(minutes=5)
"""Kubelets measure volumes in the background, every minute to two; a call to a storage driver that hangs (a dead NFS
server) leaves the last numbers standing (kubernetes-facts.md, "Usage sources")."""

DRIFT = 0.01
"""Part of the capacity by which two measurements of one filesystem may differ: they are up to minutes apart."""

STICKY_DRIFT = 0.05
"""The same for a claim that was on the node's disk before: a burst of writes between the two is no other disk."""

RESIZED = 0.01
"""A capacity that changed by more is another filesystem (ZFS and btrfs change theirs a little all the time)."""

MOST_PODS = 20

NO_CLAIM, NO_CAPACITY, NO_AVAILABLE, STALE = "no_claim", "no_capacity", "no_available", "stale"


class Mount(msgspec.Struct):
    """A claim in a sample. `reading` None: a pod mounts it, and its numbers are not to be had."""

    reading: Reading | None = None
    pods: tuple[str, ...] = ()


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What can be used of a kubelet's summary."""

    node: str
    mounts: dict[Claim, Mount]
    pods: frozenset[tuple[str, str]]
    """Every pod that it lists, by namespace and name."""
    disk: Reading | None
    """The node's own filesystem."""
    refused: dict[str, int]


def sample_of(one: StatsSampled, at: datetime) -> Sample:
    """Several pods of the node may mount one claim: the newest reading counts."""
    refused: Counter[str] = Counter()
    mounts: dict[Claim, Mount] = {}
    pods = []
    for pod in one.summary.pods or ():
        reference = pod.pod_ref
        pods.append((reference.namespace, reference.name))
        for volume in pod.volume or ():
            if volume.pvc_ref is None:
                refused[NO_CLAIM] += 1
                continue
            claim = (volume.pvc_ref.namespace or reference.namespace, volume.pvc_ref.name)
            mount = mounts.setdefault(claim, Mount())
            if reference.name not in mount.pods:
                mount.pods = (*mount.pods, reference.name)
            reading = reading_of(volume, one.node, at)
            if isinstance(reading, str):
                refused[reading] += 1
            elif mount.reading is None or _order(reading) < _order(mount.reading):
                mount.reading = reading
    return Sample(
        node=one.node, mounts=mounts, pods=frozenset(pods), disk=_disk(one.summary, one.node, at), refused=dict(refused)
    )


def _disk(summary: Summary, node: str, at: datetime) -> Reading | None:
    reading = reading_of(summary.node.fs, node, at) if summary.node.fs is not None else STALE
    return None if isinstance(reading, str) else reading


def reading_of(stats: FsStats, node: str, at: datetime) -> Reading | str:
    """A reading, or why there is none. The node's clock may be ahead of ours: nothing was measured in the future."""
    if stats.capacity_bytes is None or stats.capacity_bytes <= 0:
        return NO_CAPACITY
    if stats.available_bytes is None:
        return NO_AVAILABLE
    measured = min(stats.time or at, at)
    if at - measured > STALE_AFTER:
        return STALE
    return Reading(
        node=node,
        at=measured,
        capacity=stats.capacity_bytes,
        available=max(0, min(stats.available_bytes, stats.capacity_bytes)),
        used=stats.used_bytes,
        inodes=stats.inodes,
        inodes_free=stats.inodes_free,
    )


def _order(reading: Reading) -> tuple[float, int, str]:
    """The newest first; on a tie the larger use."""
    return (-reading.at.timestamp(), reading.available, reading.node)


def on_disk(reading: Reading, disk: Reading | None, known: bool) -> bool:
    """Whether a claim is a folder of its node's own disk (local-path, hostPath). `known`: it was before."""
    if disk is None or reading.capacity != disk.capacity:
        return False
    if None not in (reading.inodes, disk.inodes) and reading.inodes != disk.inodes:
        return False
    drift = (STICKY_DRIFT if known else DRIFT) * disk.capacity
    return abs(reading.available - disk.available) <= drift


def newest(readings: Iterable[Reading]) -> Reading | None:
    return min(readings, key=_order, default=None)


def measured(row: VolumeHistory, reading: Reading, at: datetime) -> VolumeHistory:
    """What is remembered with one more reading; of several nodes' readings the newest leads."""
    others = [r for r in row.readings if r.node != reading.node and at - r.at <= STALE_AFTER]
    same = [r for r in row.readings if r.node == reading.node and _order(r) < _order(reading)]
    readings = tuple(sorted((*others, same[0] if same else reading), key=_order))
    lead = readings[0]
    buckets = row.buckets
    if row.readings and abs(lead.capacity - row.readings[0].capacity) > RESIZED * row.readings[0].capacity:
        buckets = b""
    return msgspec.structs.replace(
        row, readings=readings, buckets=with_sample(buckets, lead.at, lead.available), idle_since=None
    )


def usage(row: VolumeHistory, about: Mapping[str, Any], at: datetime) -> VolumeUsage:
    """The signal of a volume of which there is a reading. `about`: cluster, pods, storage_class, labels, …"""
    lead = row.readings[0]
    line = trend(row.buckets, lead.at, lead.available)
    return VolumeUsage(
        **about,
        uid=volume_uid(row.key),
        namespace=row.namespace,
        claim=row.claim,
        node=lead.node,
        claims=row.claims,
        since=at,
        sampled_at=lead.at,
        capacity_bytes=lead.capacity,
        available_bytes=lead.available,
        used_bytes=lead.used,
        used_percent=(lead.capacity - lead.available) / lead.capacity * 100,
        inodes=lead.inodes,
        inodes_free=lead.inodes_free,
        inodes_used_percent=_inodes_used(lead),
        full_in_seconds=line.full_in,
        trend_seconds=line.span,
        bytes_per_hour=line.bytes_per_hour,
    )


def _inodes_used(reading: Reading) -> float | None:
    if not reading.inodes or reading.inodes < 0 or reading.inodes_free is None:
        return None
    return (reading.inodes - reading.inodes_free) / reading.inodes * 100


def volume_uid(key: tuple[str, str, str]) -> str:
    """Distinct from the claim's own uid, under which other things are said of it."""
    namespace, claim, node = key
    return f"volume/{namespace}/{claim}" if claim else f"node-disk/{node}"
