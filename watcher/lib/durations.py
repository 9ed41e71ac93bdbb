"""Spans of time as text: Prometheus' for configuration, Go's in the kubelet's messages, and words for people.

Prometheus' grammar is `ParseDuration` of prometheus/common/model: whole numbers with the units y, w, d, h,
m, s and ms in that order, each at most once; `0` alone needs no unit; a year is 365 days, a week 7 days.
Go's grammar (`time.ParseDuration`) knows fractions and smaller units and no days; the kubelet prints it in
`back-off 2m40s restarting failed container`. Python's timedelta ends at microseconds: what is smaller is
cut off.
"""

import re
from datetime import timedelta
from typing import Final

_LONGEST: Final = timedelta(days=106_751)
"""Go's time.Duration is an int64 of nanoseconds: about 292 years. Prometheus refuses more."""

_UNITS: Final = (
    ("y", 365 * 24 * 3600 * 1000),
    ("w", 7 * 24 * 3600 * 1000),
    ("d", 24 * 3600 * 1000),
    ("h", 3600 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
)
_PROMETHEUS: Final = re.compile("".join(f"(?:([0-9]+){unit})?" for unit, _ in _UNITS))
_MAX_DIGITS: Final = 20
_GO_PART: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_GO_MICROSECONDS: Final = {
    "ns": 0.001,
    "us": 1,
    "µs": 1,
    "μs": 1,
    "ms": 1000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
}


class DurationError(ValueError):
    """A text that is no duration; the message is one sentence that says what is expected."""


def parse_duration(text: str) -> timedelta:
    """Read a duration as Prometheus writes it: `90s`, `5m`, `1h30m`, `7d`, `1w`, `1y`, `100ms`, `0`.

    Raises DurationError for anything else, signs, fractions, spaces and more than 292 years included.
    """
    if text == "0":
        return timedelta()
    if not text:
        raise DurationError("empty duration: write a number with a unit, such as 30s, 5m or 1h30m")
    shown = _shown(text)
    match = _PROMETHEUS.fullmatch(text)
    if match is None:
        raise DurationError(_why_not(text, shown))
    numbers = match.groups()
    if any(number is not None and len(number) > _MAX_DIGITS for number in numbers):
        raise DurationError(f"duration {shown} is out of range: the longest is 292 years")
    milliseconds = sum(
        int(number) * size for number, (_, size) in zip(numbers, _UNITS, strict=True) if number is not None
    )
    if milliseconds > _LONGEST // timedelta(milliseconds=1):
        raise DurationError(f"duration {shown} is out of range: the longest is 292 years")
    return timedelta(milliseconds=milliseconds)


def format_duration(span: timedelta) -> str:
    """The shortest text of Prometheus' grammar: `1h30m`, `7d`, `0s`; `parse_duration` reads it back.

    Years and weeks are used only where they divide the span without rest, as Prometheus does (`8d`, not
    `1w1d`). What is below a millisecond is cut off. Raises DurationError for a negative span, which the
    grammar lacks.
    """
    if span < timedelta():
        raise DurationError("a duration cannot be negative")
    rest = span // timedelta(milliseconds=1)
    if rest == 0:
        return "0s"
    parts = []
    for unit, size in _UNITS:
        if unit in ("y", "w") and rest % size:
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def in_words(span: timedelta) -> str:
    """A span as people say it: `40 s`, `20 min`, `1 h 12 min`, `3 d 4 h`.

    At most two units, the rest is cut off. Below a minute whole seconds, below a second `less than 1 s`
    (and `0 s` for nothing); a negative span is read as its length, since clocks of two machines may differ.
    """
    span = abs(span)
    seconds = span // timedelta(seconds=1)
    if seconds == 0:
        return "less than 1 s" if span else "0 s"
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 3 and seconds % 60:
        return f"{minutes} min {seconds % 60} s"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    days = hours // 24
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def parse_go_duration(text: str) -> timedelta:
    """Read what Go's `Duration.String` prints: `2m40s`, `10s`, `1h0m0s`, `1.5s`, `0s`, `-3s`.

    Raises DurationError for anything else; units may come in any order, as Go's own parser allows.
    """
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return timedelta()
    at = 0
    microseconds = 0.0
    while at < len(body) and (part := _GO_PART.match(body, at)) and len(part[1]) <= _MAX_DIGITS:
        microseconds += float(part[1]) * _GO_MICROSECONDS[part[2]]
        at = part.end()
    if at < len(body) or not body:
        raise DurationError(f"{_shown(text)} is not a Go duration such as 2m40s")
    span = _microseconds(microseconds)
    return -span if text.startswith("-") else span


def _microseconds(count: float) -> timedelta:
    """`count` microseconds, cut to whole ones; raises DurationError beyond Go's 292 years."""
    if count > _LONGEST / timedelta(microseconds=1):
        raise DurationError("the duration is out of range: the longest is 292 years")
    return timedelta(microseconds=int(count))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _why_not(text: str, shown: str) -> str:
    if re.fullmatch(r"[0-9]+", text):
        example = text if len(text) <= 6 else "30"
        return f"duration {shown} has no unit: write {example}s for seconds, {example}m for minutes"
    if re.fullmatch(r"(?:[0-9]+(?:y|w|d|h|ms|m|s))+", text):
        return f"duration {shown} must name each unit once, in the order y, w, d, h, m, s, ms"
    return f"{shown} is not a duration: write whole numbers with y, w, d, h, m, s or ms, such as 90s or 1h30m"
