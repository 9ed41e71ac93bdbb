"""Decisions that only count up: one equal to the last of its (group, receiver, integration, alert) is no new line.

Both stores use it: the twin keeps the latest lines in memory, the SQL store reads those that a commit needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from watcher.model.identity import AlertKey
from watcher.model.state import Decision

Matter = tuple[str, str, str, AlertKey | None]
"""What a decision is about: (group, receiver, integration, alert)."""


class Line(msgspec.Struct, kw_only=True):
    """One line of the history of decisions. `id`: its stored row, None while it has none."""

    decision: Decision
    last_at: datetime
    count: int = 1
    latest: bool = True
    id: int | None = None


def matter(decision: Decision) -> Matter:
    return decision.group, decision.receiver, decision.integration, decision.alert


def count(decisions: Iterable[tuple[Matter, Decision]], latest: dict[Matter, Line]) -> list[Line]:
    """Count the decisions on the `latest` lines, replacing them where something else was decided: the new lines."""
    added = []
    for about, decision in decisions:
        line = latest.get(about)
        if line is not None and _same(line.decision, decision):
            line.count += 1
            line.last_at = decision.at
            continue
        if line is not None:
            line.latest = False
        latest[about] = line = Line(decision=decision, last_at=decision.at)
        added.append(line)
    return added


def _same(one: Decision, other: Decision) -> bool:
    return one.verdict == other.verdict and one.reason == other.reason and one.message == other.message
