"""What one reading of recordings carries along: the time it has come to, and what it left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from watcher.model.kube import KubeObject
from watcher.source.kinds import newest_time

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class RecordingError(Exception):
    """A file that cannot be read: `file:line: what is wrong`."""


@dataclass(slots=True)
class ReadReport:
    """What reading left out. Complete when the reading is over."""

    skipped: Counter[str] = field(default_factory=Counter)
    """Lines or objects by kind: what this version does not understand."""
    warnings: list[str] = field(default_factory=list)


class ReadState:
    """One reading, over all its files."""

    def __init__(self, report: ReadReport, *, complete: bool) -> None:
        self.report = report
        self.complete = complete
        """Whether a list that kubectl printed is taken for all there is."""
        self._at: datetime | None = None

    def time(self, told: datetime | None) -> datetime:
        """`told`, or the time reached where that is later or nothing is told: observations never go back."""
        if told is not None and (self._at is None or told > self._at):
            self._at = told
        if self._at is None:
            self.warn("nothing tells a time, so the first observation is put at 1970-01-01")
            self._at = _NO_TIME
        return self._at

    def warn(self, text: str) -> None:
        """Once for each text: some files are read twice."""
        if text not in self.report.warnings:
            self.report.warnings.append(text)


def own_time(item: KubeObject | None) -> datetime | None:
    """The newest time inside an object."""
    return None if item is None else newest_time(item)
