"""core/v1 Events, recorded as client-go's recorder does.

The same source, object, type, reason and message make one Event whose count grows. An object may cause 25 at once and
one more in five minutes; what is beyond that is dropped in silence (client-go tools/record/events_cache.go). They live
for an hour. The scheduler writes the new style: an eventTime, and null for first, last and count.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.demo.clock import parse_time, rfc3339, rfc3339_micro
from watcher.demo.model import Cluster
from watcher.demo.resources import JsonObject

_BURST = 25.0
_REFILL = timedelta(minutes=5)
_LIFETIME = timedelta(hours=1)
_SWEEP = timedelta(minutes=10)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded. `path` is a fieldPath such as `spec.containers{app}`."""

    reason: str
    message: str
    warning: bool = False
    component: str = "kubelet"
    host: str = ""
    path: str = ""


class Recorder:
    """Writes the Events of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._names: dict[tuple[str, ...], str] = {}
        self._buckets: dict[tuple[str, str], tuple[float, datetime]] = {}
        self._sweeping = False

    def record(self, about: JsonObject, note: Note) -> None:
        """Record `note` about an object (only its kind, apiVersion and metadata are looked at)."""
        now = self._cluster.timeline.now()
        metadata = about["metadata"]
        if not self._admit((note.component, metadata["uid"]), now):
            return
        self._plan_sweep()
        namespace = metadata.get("namespace") or "default"
        key = (namespace, metadata["uid"], note.component, note.reason, note.message, note.path)
        known = self._cluster.get("Event", namespace, self._names.get(key, ""))
        if known is not None and note.component != "default-scheduler":
            known |= {"count": known["count"] + 1, "lastTimestamp": rfc3339(now)}
            self._cluster.put(known)
            return
        event = _event(about, note, now)
        event["metadata"]["name"] = (
            f"{metadata['name']}.{self._cluster.version + int(now.timestamp() * 1_000_000_000):x}"
        )
        event["metadata"]["namespace"] = namespace
        self._names[key] = event["metadata"]["name"]
        self._cluster.put(event)

    def _admit(self, bucket: tuple[str, str], now: datetime) -> bool:
        left, since = self._buckets.get(bucket, (_BURST, now))
        left = min(_BURST, left + (now - since) / _REFILL)
        if left < 1:
            self._buckets[bucket] = (left, now)
            return False
        self._buckets[bucket] = (left - 1, now)
        return True

    def _plan_sweep(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._cluster.timeline.after(_SWEEP, self._sweep)

    def _sweep(self) -> None:
        """Events end an hour after their last change (--event-ttl)."""
        self._sweeping = False
        limit = self._cluster.timeline.now() - _LIFETIME
        stored = self._cluster.store("Event").current()
        for one in stored:
            last = one.item.get("lastTimestamp") or one.item.get("eventTime")
            if last and parse_time(last) < limit:
                self._cluster.delete("Event", *one.key)
        alive = {key[1] for key in self._cluster.store("Event").objects}
        self._names = {key: name for key, name in self._names.items() if name in alive}
        if alive:
            self._plan_sweep()


def _event(about: JsonObject, note: Note, now: datetime) -> JsonObject:
    metadata = about["metadata"]
    involved: JsonObject = {"kind": about["kind"]}
    if metadata.get("namespace"):
        involved["namespace"] = metadata["namespace"]
    involved |= {"name": metadata["name"], "uid": metadata["uid"], "apiVersion": about.get("apiVersion", "v1")}
    if note.path:
        involved["fieldPath"] = note.path
    scheduler = note.component == "default-scheduler"
    stamp = None if scheduler else rfc3339(now)
    event: JsonObject = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {},
        "involvedObject": involved,
        "reason": note.reason,
        "message": note.message,
        "source": {} if scheduler else {"component": note.component} | ({"host": note.host} if note.host else {}),
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
    }
    if not scheduler:
        event["count"] = 1
    return event | {
        "type": "Warning" if note.warning else "Normal",
        "eventTime": rfc3339_micro(now) if scheduler else None,
        "reportingComponent": note.component,
        "reportingInstance": "default-scheduler-control-plane" if scheduler else note.host,
    }
