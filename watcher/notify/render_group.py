"""Several alerts in one message: a heading that counts and names, a section for each of the worst, the others in short.

`render_changes` makes the later messages of the same alerts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from watcher.model.message import Block, Heading, Mark, Message, Span, Text
from watcher.model.state import EndReason
from watcher.notify.render_case import Case
from watcher.notify.render_parts import body, cluster, heading, namespace, title
from watcher.notify.render_tally import ends, kinds
from watcher.notify.render_text import listed, many, name

FULL: Final = 5
"""Alerts told with all they have."""
LINES: Final = 10
"""Of further ones: a line each; where there are more of them they are counted by kind and named."""
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
    texts = titles(cases)
    place = common_place(cases)
    blocks: list[Block] = []
    for case, text in list(zip(cases, texts, strict=True))[:FULL]:
        own = heading(case).place
        blocks.append(Heading(case.mark, text, "" if own == place else own))
        blocks.extend(body(case))
    blocks.extend(further(cases[FULL:], texts[FULL:], place))
    return Message(heading=Heading(group_mark(cases), _group_title(cases, texts), place), blocks=tuple(blocks))


def further(cases: Sequence[Case], texts: Sequence[str], place: str) -> Iterator[Block]:
    """Those that are not told in full: a line each, or counted by kind."""
    if not cases:
        return
    yield Heading(cases[0].mark, many(len(cases), "more alert"))
    if len(cases) > LINES:
        yield from kinds([case for case in cases if case.firing])
        yield from ends([case for case in cases if not case.firing])
        return
    for case, text in zip(cases, texts, strict=True):
        yield Text((Span(f"{case.mark.symbol} {text}{elsewhere(case, place)}"),))


def elsewhere(case: Case, place: str) -> str:
    """` — billing, prod-eu`, unless the message's own place says it."""
    own = heading(case).place
    return f" — {own}" if own and own != place else ""


def group_mark(cases: Sequence[Case]) -> Mark:
    if cases[0].firing:
        return cases[0].mark
    recovered = all(case.alert.end_reason is EndReason.RECOVERED for case in cases)
    return Mark.RECOVERED if recovered else Mark.CLOSED


def titles(cases: Sequence[Case]) -> list[str]:
    """A title each; those that would read the same are told apart by their container."""
    texts = [title(case) for case in cases]
    counts = Counter(texts)
    return [
        f"{text} ({name(case.alert.key.container)})" if counts[text] > 1 and case.alert.key.container else text
        for case, text in zip(cases, texts, strict=True)
    ]


def _group_title(cases: Sequence[Case], texts: Sequence[str]) -> str:
    firing = [text for case, text in zip(cases, texts, strict=True) if case.firing]
    if not firing:
        return f"{many(len(cases), 'alert')} have ended: {named_titles(cases, texts)}"
    if len(firing) == len(cases):
        return f"{many(len(cases), 'alert')}: {named_titles(cases, firing)}"
    verb = "fires" if len(firing) == 1 else "fire"
    return f"{len(firing):,} of {many(len(cases), 'alert')} still {verb}: {named_titles(cases, firing)}"


def named_titles(cases: Sequence[Case], texts: Sequence[str]) -> str:
    """The worst by title; a name that all begin with is said once."""
    first = f"{cases[0].name} "
    if all(text.startswith(first) for text in texts):
        texts = [texts[0], *(text.removeprefix(first) for text in texts[1:])]
    return listed(texts, NAMED, "; ")


def common_place(cases: Sequence[Case]) -> str:
    """What all have in common; `5 namespaces` where there are several."""
    spaces = sorted({namespace(case.alert) for case in cases} - {""})
    clusters = sorted({cluster(case.alert) for case in cases} - {""})
    where = " and ".join(spaces) if len(spaces) <= 2 else f"{len(spaces)} namespaces"
    return ", ".join(part for part in (where, ", ".join(clusters[:2])) if part)
