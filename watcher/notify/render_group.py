"""Several alerts in one message: a heading that counts and names, then a section each, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from watcher.model.message import Block, Heading, Mark, Message, Span, Text
from watcher.model.state import EndReason
from watcher.notify.render_case import Case
from watcher.notify.render_parts import body, cluster, heading, namespace, title
from watcher.notify.render_text import listed, many, name

FULL: Final = 10
"""Alerts told with all they have; the others get a line each."""
LINES: Final = 200
NAMED: Final = 3
"""Titles in the heading."""

_ORDER: Final = (Mark.CRITICAL, Mark.WARNING, Mark.INFO, Mark.RECOVERED, Mark.CLOSED)


def by_weight(case: Case) -> tuple[int, int, str]:
    """Firing before ended, severe before mild, many members before few."""
    return (_ORDER.index(case.mark), -len(case.members), case.alert.key.id)


def log_lines(alerts: int) -> int:
    """How long a log may be where `alerts` share one message."""
    if alerts == 1:
        return 12
    return 6 if alerts <= 3 else 3


def group_message(cases: Sequence[Case]) -> Message:
    """`cases` in the order of `by_weight`."""
    titles = _titles(cases)
    place = _place(cases)
    blocks: list[Block] = []
    for case, text in list(zip(cases, titles, strict=True))[:FULL]:
        own = heading(case).place
        blocks.append(Heading(case.mark, text, "" if own == place else own))
        blocks.extend(body(case))
    rest = list(zip(cases, titles, strict=True))[FULL:]
    if rest:
        blocks.append(Heading(rest[0][0].mark, many(len(rest), "more alert")))
    for case, text in rest[:LINES]:
        own = heading(case).place
        blocks.append(Text((Span(f"{case.mark.symbol} {text}" + (f" — {own}" if own and own != place else "")),)))
    if len(rest) > LINES:
        blocks.append(Text((Span(f"and {len(rest) - LINES:,} more alerts"),)))
    return Message(heading=Heading(_mark(cases), _group_title(cases, titles), place), blocks=tuple(blocks))


def _mark(cases: Sequence[Case]) -> Mark:
    if cases[0].firing:
        return cases[0].mark
    recovered = all(case.alert.end_reason is EndReason.RECOVERED for case in cases)
    return Mark.RECOVERED if recovered else Mark.CLOSED


def _titles(cases: Sequence[Case]) -> list[str]:
    """A title each; those that would read the same are told apart by their container."""
    titles = [title(case) for case in cases]
    return [
        f"{text} ({name(case.alert.key.container)})" if titles.count(text) > 1 and case.alert.key.container else text
        for case, text in zip(cases, titles, strict=True)
    ]


def _group_title(cases: Sequence[Case], titles: Sequence[str]) -> str:
    firing = [text for case, text in zip(cases, titles, strict=True) if case.firing]
    if not firing:
        return f"{many(len(cases), 'alert')} have ended: {_named(cases, titles)}"
    if len(firing) == len(cases):
        return f"{many(len(cases), 'alert')}: {_named(cases, firing)}"
    verb = "fires" if len(firing) == 1 else "fire"
    return f"{len(firing):,} of {many(len(cases), 'alert')} still {verb}: {_named(cases[: len(firing)], firing)}"


def _named(cases: Sequence[Case], titles: Sequence[str]) -> str:
    """The worst by title; a name that all begin with is said once."""
    first = f"{cases[0].name} "
    if all(text.startswith(first) for text in titles):
        titles = [titles[0], *(text.removeprefix(first) for text in titles[1:])]
    return listed(titles, NAMED, "; ")


def _place(cases: Sequence[Case]) -> str:
    """What all have in common; `5 namespaces` where there are several."""
    spaces = sorted({namespace(case.alert) for case in cases} - {""})
    clusters = sorted({cluster(case.alert) for case in cases} - {""})
    where = " and ".join(spaces) if len(spaces) <= 2 else f"{len(spaces)} namespaces"
    return ", ".join(part for part in (where, ", ".join(clusters[:2])) if part)
