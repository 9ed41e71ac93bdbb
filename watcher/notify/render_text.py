"""The words of messages: names, quoted texts, times, counts, commands.

Every text that comes from the cluster enters a message through `said`, `quoted_lines`, `name` or `safe`, and nowhere
else: there it is redacted, freed of control characters and cut (behaviours 88 to 90). Escaping is each channel's own.
Times are in the zone of the message, which is named once, in the line that says where (`since`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from watcher.lib.durations import in_words
from watcher.lib.redact import redact
from watcher.lib.text import clean, cut, cut_middle
from watcher.model.message import Span, Text

Part = str | Span

NAME_LIMIT: Final = 63
"""Longest name shown whole: a DNS label, which most names of Kubernetes are."""
TITLE_LIMIT: Final = 140
QUOTE_LIMIT: Final = 300
"""Of a text of the cluster (a registry's answer, a termination message); the whole stands in the pod's status."""
DESCRIPTION_LIMIT: Final = 800
LOG_LINE_LIMIT: Final = 240

_SHORT: Final = 200
_LONGEST_NAME: Final = 253
"""Kubernetes' longest name, a DNS subdomain."""
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PLAIN_ARGUMENT: Final = re.compile(r"[A-Za-z0-9._/:-]+")


def safe(text: str) -> str:
    """A text of the cluster, redacted and cleaned; its lines stay."""
    return _remembered(text) if len(text) <= _SHORT else clean(redact(text))


@lru_cache(maxsize=4096)
def _remembered(text: str) -> str:
    """Names, reasons and images come again and again, a thousand members of one alert at a time."""
    return clean(redact(text))


def said(text: str, limit: int = QUOTE_LIMIT) -> str:
    """A text of the cluster on one line: redacted, cleaned, cut at a word."""
    return cut(" ".join(safe(text).split()), limit)


def name(text: str, limit: int = NAME_LIMIT) -> str:
    """A name of the cluster; a long one keeps both ends."""
    return cut_middle(" ".join(safe(text).split()), limit)


def quoted_lines(lines: Iterable[str], limit: int = LOG_LINE_LIMIT) -> list[str]:
    """Log lines, redacted together (a private key spans several), each cut; leading spaces stay."""
    text = redact("\n".join(line.replace("\n", " ") for line in lines))
    return [cut(clean(line).rstrip(), limit) for line in text.split("\n")]


def code(text: str) -> Span:
    return Span(text, code=True)


def paragraph(parts: Sequence[Part]) -> Text:
    """One paragraph; pieces of plain text that touch become one span."""
    spans: list[Span] = []
    for part in parts:
        span = Span(part) if isinstance(part, str) else part
        if not span.text:
            continue
        if spans and not (spans[-1].code or spans[-1].bold or span.code or span.bold):
            spans[-1] = Span(spans[-1].text + span.text)
        else:
            spans.append(span)
    return Text(tuple(spans))


def plain(parts: Sequence[Part]) -> str:
    """The same pieces as one text, for places that know no markup (a title)."""
    return "".join(part if isinstance(part, str) else part.text for part in parts)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def many(count: int, one: str, several: str = "") -> str:
    """`1 pod`, `3 pods`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def listed(items: Sequence[str], at_most: int, between: str = ", ") -> str:
    """`a, b, c` and, where there are more than `at_most`, `and 7 more`."""
    more = f" and {len(items) - at_most:,} more" if len(items) > at_most else ""
    return between.join(items[:at_most]) + more


def span(seconds: float) -> str:
    return in_words(timedelta(seconds=seconds))


def clock(moment: datetime, at: datetime, seconds: bool = False) -> str:
    """`14:02`, `14:02 yesterday` or `14:02 on 17 Nov`, seen from `at` and in its zone."""
    moment = moment.astimezone(at.tzinfo)
    return f"{moment:%H:%M:%S}" + _day(moment, at) if seconds else f"{moment:%H:%M}" + _day(moment, at)


def clock_and_zone(moment: datetime, at: datetime) -> str:
    """The one time of a message that names its zone: `13:42 UTC yesterday`, `14:42 CET`, `10:42 UTC-03`."""
    moment = moment.astimezone(at.tzinfo)
    zone = moment.tzname() or ""
    # Half of the zones of the IANA database have no letters, only their distance from UTC.
    return f"{moment:%H:%M} {'UTC' if zone[:1] in ('+', '-') else ''}{zone}{_day(moment, at)}"


def _day(moment: datetime, at: datetime) -> str:
    days = (at.date() - moment.date()).days
    if days == 0:
        return ""
    if days == 1:
        return " yesterday"
    year = f" {moment.year}" if moment.year != at.year else ""
    return f" on {moment.day} {_MONTHS[moment.month - 1]}{year}"


def argument(text: str) -> str:
    """A name as an argument in a shell command: what is copied runs no second command."""
    text = name(text, _LONGEST_NAME)
    if _PLAIN_ARGUMENT.fullmatch(text) and not text.startswith("-"):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"
