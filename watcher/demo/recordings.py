"""Plays a recording as changes of the emulated cluster.

Recordings are JSON lines, perhaps gzipped: a header, then one observation a line, in the order seen (the format is
written by Watcher's `record`). Objects are put, changed and deleted when their lines say so; a SYNCED removes what its
list did not name; summaries of kubelets are served as they were. Kinds that no API server serves (posted alerts,
silences, evidence) are counted and left out. Lines are read as they fall due, so a long recording needs no memory.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from watcher.demo.clock import parse_time
from watcher.demo.kubelet import Stats
from watcher.demo.model import Cluster, key_of
from watcher.demo.resources import JsonObject, Key


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a recording, header included."""

    recording: int = 0
    started_at: str = ""
    at: str = ""
    kind: str = ""
    event: str = ""
    node: str = ""
    scope: dict[str, str] = {}
    object: msgspec.Raw = msgspec.Raw(b"null")


class RecordingPlayer:
    """Plays one recording into one cluster."""

    def __init__(self, cluster: Cluster, stats: Stats, path: Path) -> None:
        self.skipped: Counter[str] = Counter()
        """Lines that have no meaning for an API server, by kind."""
        self.ended = False
        self._cluster = cluster
        self._stats = stats
        self._lines = _read(path)
        self._next = self._advance()
        if self._next is None:
            raise ValueError(f"{path} has no observation")
        self.started_at = parse_time(self._next.at)
        """The time of the first observation."""
        self._listed: dict[str, set[Key]] = {}

    def begin(self) -> None:
        """What is due at the cluster's time now happens now; the rest is planned, line after line."""
        self._due()

    def _due(self) -> None:
        now = self._cluster.timeline.now()
        while self._next is not None and _when(self._next) <= now:
            self._apply(self._next)
            self._next = self._advance()
        if self._next is None:
            self.ended = True
        else:
            self._cluster.timeline.at(_when(self._next), self._due)

    def _advance(self) -> Line | None:
        return next(self._lines, None)

    def _apply(self, line: Line) -> None:
        if line.kind == "StatsSummary":
            self._stats.recorded[line.node] = msgspec.json.decode(line.object, type=JsonObject)
        elif line.kind not in self._cluster.stores:
            self.skipped[line.kind or line.event] += 1
        elif line.event == "LISTING":
            self._listed[line.kind] = set()
        elif line.event == "SYNCED":
            self._synced(line)
        else:
            self._change(line)

    def _change(self, line: Line) -> None:
        store = self._cluster.store(line.kind)
        body = msgspec.json.decode(line.object, type=JsonObject)
        key = key_of(body, store.resource)
        if line.event == "DELETED":
            if key in store.objects:
                self._cluster.delete(line.kind, *key)
            return
        if line.event == "LISTED":
            self._listed.setdefault(line.kind, set()).add(key)
        known = {"kind": line.kind, "apiVersion": store.resource.api_version}
        self._cluster.put({**body, **known})

    def _synced(self, line: Line) -> None:
        namespace = line.scope.get("namespace", "")
        listed = self._listed.pop(line.kind, set())
        for key in list(self._cluster.store(line.kind).objects):
            if key not in listed and namespace in ("", key[0]):
                self._cluster.delete(line.kind, *key)


def _when(line: Line) -> datetime:
    return parse_time(line.at)


def _read(path: Path) -> Iterator[Line]:
    """The observations; ValueError names the line that cannot be read."""
    decoder = msgspec.json.Decoder(Line)
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            if not raw.strip():
                continue
            try:
                line = decoder.decode(raw)
            except msgspec.MsgspecError as error:
                raise ValueError(f"{path}:{number}: not a line of a recording: {error}") from error
            if number == 1 and line.recording != 1:
                raise ValueError(f'{path}:1: not a recording: the first line must be {{"recording":1,…}}')
            if line.at:
                yield line
