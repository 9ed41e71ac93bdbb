"""Reading recordings, and what people have instead: files to observations, in order, without holding them in memory.

What a file is shows in its first line, not in its name: a recording (`lines`), kubectl's JSON or YAML (`documents`).
`.gz` too. A recording that was cut off by a kill is read up to there, with a warning; any other disorder is a
RecordingError that names the place.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from watcher.model.observations import Ended, Input, Scope
from watcher.source import lines, lineshapes
from watcher.source.decode import BROKEN
from watcher.source.documents import json_documents, observe, yaml_documents
from watcher.source.kinds import KINDS
from watcher.source.readstate import ReadReport, ReadState, RecordingError, own_time

_BUFFER = 1 << 20
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


def read(paths: Iterable[Path], *, complete: bool = False, report: ReadReport | None = None) -> Iterator[Input]:
    """The observations of all files, one file after the other; RecordingError.

    `complete`: a list that kubectl printed shows all there is, so that what it lacks is gone.
    """
    state = ReadState(report or ReadReport(), complete=complete)
    ended: Ended | None = None
    for path in paths:
        for observation in _file(path, state):
            if isinstance(observation, Ended):
                ended = observation  # only the last line of all files says that nothing more happened
            else:
                yield observation
                ended = None
    if ended is not None:
        yield ended


def head(path: Path) -> tuple[str, bool]:
    """(the cluster it names, whether a service recorded itself, evidence and all); ("", False) of others."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            first, second = file.readline(), file.readline()
        header = msgspec.json.decode(first, type=lineshapes.Header)
    except (OSError, EOFError, zlib.error, *BROKEN):
        return "", False
    return header.cluster, b'"kind":"Downtime"' in second


def _file(path: Path, state: ReadState) -> Iterator[Input]:
    try:
        with path.open("rb", buffering=_BUFFER) as plain:
            yield from _content(path, plain, state)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from error


def _content(path: Path, plain: IO[bytes], state: ReadState) -> Iterator[Input]:
    def source() -> Iterator[bytes]:
        """The lines from the beginning; a watch of kubectl is read twice."""
        plain.seek(0)
        packed = plain.read(2) == _GZIP
        plain.seek(0)
        return _without_mark(_unpacked(path, plain, state) if packed else plain)

    first = next((line.lstrip() for line in source() if not line.isspace()), b"")
    if not first:
        raise RecordingError(f"{path}: the file is empty")
    if first.startswith(_UTF16):
        raise RecordingError(f"{path}:1: the file is UTF-16, as PowerShell writes it; save it as UTF-8")
    probe = lines.probe(first)
    if probe is not None and probe.is_line:
        yield from _lines(path, source(), state)
    elif first.startswith((b"{", b"[")):
        yield from observe(lambda: json_documents(str(path), source(), state), state)
    else:
        documents = list(yaml_documents(str(path), b"".join(source())))
        yield from observe(lambda: iter(documents), state)


def _without_mark(source: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without the byte order mark that some editors put first.

    A chain, since a generator that is abandoned half way would close the file under the second reading.
    """
    rest = iter(source)
    return itertools.chain((next(rest, b"").removeprefix(_BOM),), rest)


def _unpacked(path: Path, plain: IO[bytes], state: ReadState) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=plain, mode="rb") as packed:
        try:
            yield from packed
        except EOFError:
            state.warn(f"{path}: the compressed file was cut off, and is read up to there")
        except (zlib.error, gzip.BadGzipFile) as error:
            raise RecordingError(f"{path}: the compressed file is damaged: {error}") from error


# ---- the lines of a recording ----


class _Scopes:
    """Whose list an object belongs to. Our own recordings say so on each line; others may say it only of the list."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Scope]] = {kind: {"": Scope(kind=kind)} for kind in KINDS}
        self._told: set[str] = set()
        """Kinds of which the lines of objects name their scope."""

    def of(self, line: lineshapes.ObjectLine) -> Scope:
        """The line's own scope; else the object's namespace where that was listed by itself; else the cluster."""
        kind = line.kind
        known = self._known[kind]
        if line.scope is not None:
            namespace = line.scope.namespace
            if line.object is not None:
                self._told.add(kind)
            if namespace not in known:
                known[namespace] = Scope(kind=kind, namespace=namespace)
            return known[namespace]
        if len(known) > 1 and kind not in self._told and line.object is not None:
            return known.get(line.object.metadata.namespace, known[""])
        return known[""]


def _lines(path: Path, source: Iterable[bytes], state: ReadState) -> Iterator[Input]:
    scopes = _Scopes()
    for number, raw in enumerate(source, 1):
        try:
            line = lines.decode(raw)
        except BROKEN as error:
            observation = _other_line(f"{path}:{number}", raw, error, state)
        else:
            observation = _observation((path, number), line, scopes, raw, state)
        if observation is not None:
            yield observation


def _observation(
    place: tuple[Path, int], line: lineshapes.Line, scopes: _Scopes, raw: bytes, state: ReadState
) -> Input | None:
    try:
        if isinstance(line, lineshapes.OBJECT_LINES):
            at = state.time(line.at or own_time(line.object))
            observation = lines.object_observation(line, at, scopes.of(line), raw)
        elif isinstance(line, lineshapes.StatsLine):
            observation = lines.sample_of(line, state.time(line.at or lines.measured_at(line.object)))
        else:
            state.time(line.at)
            observation = lines.observation_of(line)
    except lines.LineError as error:
        raise RecordingError(f"{_where(place)}: {error}") from error
    if observation is None:
        probe = lines.probe(raw) or lineshapes.Probe()
        state.report.skipped[f"{probe.kind} {probe.event}"] += 1
    return observation


def _where(place: tuple[Path, int]) -> str:
    return f"{place[0]}:{place[1]}"


def _other_line(where: str, raw: bytes, error: Exception, state: ReadState) -> Input | None:
    """A line that is about nothing we know: the header, the end, another kind, an end that was cut off; or broken."""
    if raw.isspace():
        return None
    probe = lines.probe(raw)
    if probe is None and not raw.endswith(b"\n"):
        state.warn(f"{where}: the last line is cut off, and left out")
        return None
    if probe is not None:
        if probe.recording is not None:
            _check_header(where, probe.recording)
            return None
        if not probe.kind and probe.event == "ENDED":
            return Ended(at=state.time(probe.at))
        if probe.kind and probe.kind not in lineshapes.READABLE:
            state.report.skipped[probe.kind] += 1
            return None
    raise RecordingError(f"{where}: this line of the recording cannot be read: {error}") from error


def _check_header(where: str, version: int) -> None:
    if version > lineshapes.FORMAT:
        raise RecordingError(f"{where}: a newer Watcher wrote this recording (format {version}); use that one")
