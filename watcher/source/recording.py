"""Writing recordings: observations as lines of a file, each batch on disk before the next begins.

A kill can cut the last line and nothing before it. Because a file may be written on after that, opening it for more
takes the cut end off first; of a compressed file, whose stream then lacks its end, the whole lines are written anew.
The format of a line is in `lines`, reading in `reading`.
"""

from __future__ import annotations

import gzip
import logging
import os
import zlib
from collections.abc import Generator, Iterable
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from watcher.model.observations import Ended, EventType, Input, Seen
from watcher.ports import Clock
from watcher.source.lines import encode, encode_header

log = logging.getLogger(__name__)

_CHUNK = 1 << 20


class RecordingWriter:
    """Appends to `path`; `.gz` compresses. Not for use by several tasks at once; every method blocks for its I/O."""

    def __init__(self, path: Path, *, cluster: str = "") -> None:
        """OSError when the file cannot be written."""
        self.path = path
        self._cluster = cluster
        self._file: IO[bytes] | gzip.GzipFile
        if path.suffix == ".gz":
            self._empty = not _mend_compressed(path)
            self._file = gzip.GzipFile(path, "ab", compresslevel=6)
        else:
            self._empty = not _mend(path)
            self._file = path.open("ab")

    def write(self, batch: Iterable[Input], *, flush: bool = True) -> None:
        """Append, and hand it to the operating system unless `flush` is off."""
        for observation in batch:
            if self._empty:
                self._file.write(encode_header(self._cluster, observation.at))
                self._empty = False
            self._file.write(encode(observation))
        if flush:
            self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RecordingIntake:
    """An intake that stamps what it is given and writes it down: `watcher record`. It is never full."""

    def __init__(self, writer: RecordingWriter, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._last = clock.now()

    async def put(self, observation: Input) -> None:
        self.offer(observation)

    def offer(self, observation: Input) -> bool:
        """Blocks the loop for the write: a bare recording has nothing else to do. A list is flushed at its end."""
        listed = isinstance(observation, Seen) and observation.event is EventType.LISTED
        self._writer.write((msgspec.structs.replace(observation, at=self._now()),), flush=not listed)
        return True

    async def room(self) -> None:
        """At once."""

    def end(self) -> None:
        """Say until when nothing more happened, and close the file."""
        self._writer.write((Ended(at=self._now()),))
        self._writer.close()

    def _now(self) -> datetime:
        self._last = max(self._last, self._clock.now())
        return self._last


def _mend(path: Path) -> bool:
    """Take a cut last line off; whether anything is in the file."""
    if not path.exists():
        return False
    size = path.stat().st_size
    end = _end_of_lines(path, size)
    if end < size:
        log.warning("recording was cut off", extra={"event": "recording.mended", "bytes": size - end})
        os.truncate(path, end)
    return end > 0


def _end_of_lines(path: Path, size: int) -> int:
    """The position after the last newline."""
    with path.open("rb") as file:
        end = size
        while end > 0:
            begin = max(0, end - _CHUNK)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0


def _mend_compressed(path: Path) -> bool:
    """Write the whole lines of a compressed file that was cut anew; whether anything is in it."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    size, whole = _measure(path)
    if not whole:
        log.warning("recording was cut off", extra={"event": "recording.mended"})
        fresh = path.with_name(path.name + ".mending")
        with gzip.open(fresh, "wb", compresslevel=6) as target:
            left = size
            for chunk in _readable(path):
                target.write(chunk[:left])
                left -= min(left, len(chunk))
        fresh.replace(path)
    return size > 0


def _measure(path: Path) -> tuple[int, bool]:
    """(bytes up to the last newline, whether the file ends there and as a compressed file should)."""
    size = lines = 0
    chunks = _readable(path)
    try:
        while True:
            chunk = next(chunks)
            if (found := chunk.rfind(b"\n")) >= 0:
                lines = size + found + 1
            size += len(chunk)
    except StopIteration as stop:
        return lines, bool(stop.value) and lines == size


def _readable(path: Path) -> Generator[bytes, None, bool]:
    """What can be read of a compressed file; returns whether it ended as it should."""
    with gzip.open(path, "rb") as file:
        try:
            while chunk := file.read1(_CHUNK):
                yield chunk
        except (EOFError, OSError, zlib.error):
            return False
    return True
