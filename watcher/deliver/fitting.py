"""A message within a channel's limits: what is shown whole, what is shortened, and a count of what is missing.

The worst alerts come first and stay whole as long as there is room, the others keep their first line, the rest is
counted. Inside of one alert the log gives way first (its oldest lines), then long paragraphs are cut, then the last
paragraphs are left out. Nothing goes without a count, and no channel has a reason to refuse (behaviour 88).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from watcher.model.message import Block, Heading, Log, Message
from watcher.notify.plain import skipped_words

Show = Callable[[Block, int], str]
"""A block in the channel's markup, in at most so many characters; the markup is closed where the text is cut."""

_FULL_SHARE: Final = 0.8
"""Of the room for whole alerts, where not all fit; the rest is for the first lines of the others."""
_NOTE: Final = 60
"""Room for a count."""
_SHORT_LOG: Final = 120
"""A log in less room tells nothing."""
_CAPS: Final = (600, 300, 150)


class Limits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`room`: characters of all together; `block`: of one block; `part`: of one alert; `full`: alerts shown whole."""

    room: int
    block: int
    part: int
    full: int = 10


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One alert as shown. `heading` is None where the message has a single alert: the message's own says it."""

    heading: Heading | None
    texts: tuple[str, ...] = ()


class Layout(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`parts` are whole or shortened; `others` are first lines of further alerts, with the count of what is missing."""

    parts: tuple[Part, ...]
    others: tuple[str, ...] = ()


def units(text: str) -> int:
    """Length in UTF-16 code units, as JavaScript counts: where a channel counts characters, this is never less."""
    return len(text) + sum(rune > "\uffff" for rune in text)


def shown(block: Block, limit: int, show: Show) -> str:
    """The block in at most `limit` units."""
    return within(limit, lambda room: show(block, room))


def within(limit: int, make: Callable[[int], str]) -> str:
    """What `make` gives for the largest number of characters that are no more than `limit` units."""
    room = limit
    text = make(room)
    while units(text) > limit and room > 1:
        room = min(room - 1, room * limit // units(text))
        text = make(max(room, 1))
    return text


def log_text(log: Log, limit: int, fence: Callable[[Sequence[str], int | None], str]) -> str:
    """Log lines between fences in `limit` characters, under the number of earlier lines that are left out."""
    whole = fence(log.lines, None)
    if not log.skipped and len(whole) <= limit:
        return whole
    total = log.skipped + len(log.lines)
    text = fence(log.lines, limit - len(f"({skipped_words(total)})\n"))
    skipped = total - max(text.count("\n") - 1, 0)
    return (f"({skipped_words(skipped)})\n" if skipped else "") + text


def lay_out(message: Message, show: Show, limits: Limits) -> Layout:
    sections = _sections(message.blocks)
    whole = [_part(heading, blocks, show, limits.part, limits) for heading, blocks in sections]
    costs = [_cost(part, show, limits) for part in whole]
    if len(whole) <= limits.full and sum(costs) <= limits.room:
        return Layout(parts=tuple(whole))
    left = limits.room if len(sections) == 1 else int(limits.room * _FULL_SHARE)
    parts: list[Part] = []
    for part, cost in zip(whole[: limits.full], costs, strict=False):
        if cost > left:
            break
        parts.append(part)
        left -= cost
    if not parts:
        heading, blocks = sections[0]
        parts = [_part(heading, blocks, show, left - _NOTE, limits)]
        left -= _cost(parts[0], show, limits)
    left += limits.room - int(limits.room * _FULL_SHARE)
    rest = [heading for heading, _ in sections[len(parts) :] if heading is not None]
    return Layout(parts=tuple(parts), others=_first_lines(rest, show, left, limits))


def _sections(blocks: Sequence[Block]) -> list[tuple[Heading | None, list[Block]]]:
    sections: list[tuple[Heading | None, list[Block]]] = []
    for block in blocks:
        if isinstance(block, Heading):
            sections.append((block, []))
        else:
            if not sections:
                sections.append((None, []))
            sections[-1][1].append(block)
    return sections or [(None, [])]


def _cost(part: Part, show: Show, limits: Limits) -> int:
    heading = units(shown(part.heading, limits.block, show)) + 1 if part.heading is not None else 0
    return heading + sum(units(text) + 1 for text in part.texts)


def _part(heading: Heading | None, blocks: Sequence[Block], show: Show, room: int, limits: Limits) -> Part:
    if heading is not None:
        room -= units(shown(heading, limits.block, show)) + 1
    return Part(heading=heading, texts=tuple(_texts(blocks, show, room, limits.block)))


def _texts(blocks: Sequence[Block], show: Show, room: int, limit: int) -> list[str]:
    """The blocks in `room` units, one of them for each newline between."""
    texts = [shown(block, limit, show) for block in blocks]
    over = _length(texts) - room
    if over <= 0:
        return texts
    for at, block in enumerate(blocks):
        if isinstance(block, Log):
            short = units(texts[at]) - over
            if short >= _SHORT_LOG:
                return [*texts[:at], shown(block, short, show), *texts[at + 1 :]]
            texts[at] = f"({len(block.lines) + block.skipped:,} log lines left out)"
    for cap in _CAPS:
        if _length(texts) <= room:
            return texts
        texts = [text if isinstance(b, Log) else shown(b, cap, show) for b, text in zip(blocks, texts, strict=True)]
    return texts if _length(texts) <= room else _first(texts, room)


def _first(texts: Sequence[str], room: int) -> list[str]:
    """As many as fit, and how many did not."""
    kept: list[str] = []
    left = room - _NOTE
    for text in texts:
        left -= units(text) + 1
        if left < 0:
            break
        kept.append(text)
    return [*kept, _missing(len(texts) - len(kept), "line")]


def _first_lines(headings: Sequence[Heading], show: Show, room: int, limits: Limits) -> tuple[str, ...]:
    lines = [shown(heading, limits.block, show) for heading in headings]
    if not lines or _length(lines) <= room:
        return tuple(lines)
    kept: list[str] = []
    left = room - _NOTE
    for line in lines:
        left -= units(line) + 1
        if left < 0:
            break
        kept.append(line)
    return (*kept, _missing(len(lines) - len(kept), "alert"))


def _missing(count: int, noun: str) -> str:
    return f"… and {count:,} more {noun}{'' if count == 1 else 's'}"


def _length(texts: Sequence[str]) -> int:
    return sum(units(text) + 1 for text in texts)
