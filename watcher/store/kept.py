"""The history of the store in memory read with filters, as `history.py` does in SQL. A line's number is its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from watcher.model.history import Asked, DecisionLine, TransitionLine
from watcher.model.state import Transition
from watcher.store.counting import Line


def transitions(kept: Sequence[Transition], asked: Asked, limit: int) -> list[TransitionLine]:
    found = (TransitionLine(number=number, transition=row) for number, row in _numbered(kept, asked))
    fitting = (
        one
        for one in found
        if (asked.begin is None or one.transition.at >= asked.begin)
        and (asked.end is None or one.transition.at <= asked.end)
        and asked.fits(one.transition.alert, one.transition.subject)
    )
    return list(islice(fitting, limit))


def decisions(kept: Sequence[Line], asked: Asked, limit: int) -> list[DecisionLine]:
    found = (
        DecisionLine(number=number, decision=line.decision, count=line.count, last_at=line.last_at)
        for number, line in _numbered(kept, asked)
    )
    fitting = (
        one
        for one in found
        if (asked.begin is None or one.last_at >= asked.begin)
        and (asked.end is None or one.decision.at <= asked.end)
        and asked.receiver in ("", one.decision.receiver)
        and asked.verdict in ("", one.decision.verdict)
        and asked.fits(one.decision.alert)
    )
    return list(islice(fitting, limit))


def _numbered(kept: Sequence[Any], asked: Asked) -> Iterator[tuple[int, Any]]:
    last = len(kept) if asked.before is None else min(len(kept), asked.before - 1)
    return ((number, kept[number - 1]) for number in range(last, 0, -1))
