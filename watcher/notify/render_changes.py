"""What is new since the last message about the same alerts, for whoever reads a chat from top to bottom.

Problem: a group of many alerts changes often, and a message that tells all of it again buries the news. Choice: what
is new stands in full, what grew says what it was and is, what ended has a line with its reason, what goes on has a
line without its logs. Channels that edit their first message show that one as a whole again (`Notification.whole`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from watcher.lib.durations import in_words
from watcher.model.message import Block, Heading, Mark, Message, SendReason, Span, Text
from watcher.notify.render_case import Case, pods_of
from watcher.notify.render_ends import UNHEARD, end_line, unheard_line
from watcher.notify.render_group import (
    FULL,
    LINES,
    common_place,
    elsewhere,
    further,
    group_mark,
    named_titles,
    titles,
)
from watcher.notify.render_parts import again, body, heading, title
from watcher.notify.render_signals import words_of
from watcher.notify.render_tally import ends, kinds
from watcher.notify.render_text import Part, clock, clock_and_zone, many, paragraph, times

REASONS: Final = frozenset(
    (SendReason.NEW_ALERTS, SendReason.GREW, SendReason.SOME_ENDED, SendReason.ALL_ENDED, SendReason.REPEAT)
)
"""Of messages to somebody who was told of these alerts before."""


class _Sorted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The alerts of the message by what is to be said of them, each in the order of `render_group.by_weight`."""

    new: list[Case]
    grown: list[Case]
    still: list[Case]
    ended: list[Case]
    unheard: list[Case]

    @property
    def news(self) -> list[Case]:
        return [*self.new, *self.grown]

    @property
    def over(self) -> list[Case]:
        return [*self.ended, *self.unheard]


def change_message(cases: Sequence[Case]) -> Message:
    """`cases` in the order of `render_group.by_weight`."""
    if len(cases) == 1:
        return _one(cases[0])
    found = _sorted(cases)
    place = common_place(cases)
    text, mark = _title(found), _mark(found, cases)
    return Message(heading=Heading(mark, text, place), blocks=tuple(_blocks(found, place)))


def _one(case: Case) -> Message:
    first = heading(case)
    if not case.firing or case.facts.told_members is None:
        return Message(heading=first, blocks=body(case))
    if not case.grew:
        first = Heading(first.mark, f"Still: {first.title}", first.place)
    return Message(heading=first, blocks=tuple(again(case)))


def _sorted(cases: Sequence[Case]) -> _Sorted:
    firing = [case for case in cases if case.firing]
    told = [case for case in firing if case.facts.told_members is not None]
    over = [case for case in cases if not case.firing]
    return _Sorted(
        new=[case for case in firing if case.facts.told_members is None],
        grown=[case for case in told if case.grew],
        still=[case for case in told if not case.grew],
        ended=[case for case in over if not case.facts.unheard],
        unheard=[case for case in over if case.facts.unheard],
    )


# ---- the first line ----------------------------------------------------------------------------------------------


def _mark(found: _Sorted, cases: Sequence[Case]) -> Mark:
    """That of the news; where something ended, that of the worst which goes on."""
    return found.news[0].mark if found.news else group_mark(cases)


def _title(found: _Sorted) -> str:
    """`2 new alerts: …; 3 others go on`, `api is no longer OOM-killed; still: checkout crash-loops`"""
    over = found.over
    if found.new:
        lead, count = _count(found.new, "new alert", ""), len(found.new)
    elif found.grown:
        lead, count = _count(found.grown, "alert", " grew"), len(found.grown)
    elif over:
        lead, count = _count(over, "alert", " have ended"), len(over)
    else:
        return f"Still: {_count(found.still, 'alert', '')}"
    firing = len(found.new) + len(found.grown) + len(found.still)
    others = firing - (count if found.news else 0)
    tail = [_others(found, others, count)] if others else []
    if found.news and over:
        tail.append(f"{len(over):,} {'has' if len(over) == 1 else 'have'} ended")
    return "; ".join([lead, *tail])


def _count(cases: Sequence[Case], noun: str, verb: str) -> str:
    texts = titles(cases)
    return texts[0] if len(cases) == 1 else f"{many(len(cases), noun)}{verb}: {named_titles(cases, texts)}"


def _others(found: _Sorted, others: int, leads: int) -> str:
    if others == 1 and leads == 1 and found.still:
        return f"still: {title(found.still[0])}"
    return f"{others:,} {'other goes' if others == 1 else 'others go'} on"


# ---- what stands below it ----------------------------------------------------------------------------------------


def _blocks(found: _Sorted, place: str) -> Iterator[Block]:
    news = found.news
    texts = titles(news)
    alone = len(news) == 1
    for case, text in list(zip(news, texts, strict=True))[:FULL]:
        if not alone:
            yield Heading(case.mark, text, elsewhere(case, place).removeprefix(" — "))
        yield from again(case) if case.grew else body(case)
    yield from further(news[FULL:], texts[FULL:], place)
    several = len(news) > 1
    if found.over and several:
        yield Heading(group_mark(found.over), f"Ended: {many(len(found.over), 'alert')}")
    yield from _ended(found.ended, place)
    yield from _unheard(found.unheard, place)
    if found.still and several:
        yield Heading(found.still[0].mark, f"Still: {many(len(found.still), 'alert')}")
    said = several or not (news or found.over)
    yield from _still(found.still, place, "" if said else "still: ")


def _still(cases: Sequence[Case], place: str, still: str) -> Iterator[Text]:
    """`still`: said on each line where nothing above says it."""
    if len(cases) > LINES:
        yield from kinds(cases, still)
        return
    for case, text in zip(cases, titles(cases), strict=True):
        title_ = Span(text, bold=True)
        yield paragraph([f"{case.mark.symbol} {still}", title_, _going_on(case), elsewhere(case, place)])


def _going_on(case: Case) -> str:
    """`, since 13:50 UTC (12 min), 7 times, 1 of 12 pods`"""
    alert, words = case.alert, words_of(case.alert.lead)
    parts = [
        f"since {clock_and_zone(alert.since, case.at)} ({in_words(case.lasted)})",
        times(alert.count) if words.counted and alert.count > 1 else "",
        words.pods(case) and pods_of(case),
        f"not seen since {clock(alert.unseen_since, case.at)}" if alert.unseen_since is not None else "",
    ]
    return "".join(f", {part}" for part in parts if part)


def _ended(cases: Sequence[Case], place: str) -> Iterator[Text]:
    if len(cases) > LINES:
        yield from ends(cases)
        return
    for case in cases:
        yield paragraph([f"{case.mark.symbol} ", *end_line(case), elsewhere(case, place)])


def _unheard(cases: Sequence[Case], place: str) -> Iterator[Text]:
    if len(cases) > LINES:
        yield paragraph([f"{many(len(cases), 'alert')} began and ended unheard. {UNHEARD}"])
        yield from ends(cases)
        return
    for case in cases:
        line: list[Part] = [f"{case.mark.symbol} ", *unheard_line(case)]
        late = f"; {UNHEARD[:1].lower()}{UNHEARD[1:].rstrip('.')}" if len(cases) == 1 else ""
        yield paragraph([*line, f"{late}.", elsewhere(case, place)])
    if len(cases) > 1:
        yield paragraph([UNHEARD])
