"""Alertmanager's `time_intervals` (and `mute_time_intervals`, as they were called before), into routing's records.

Ranges are `first:last` in small or capital letters, both ends inclusive; they do not wrap. What can never hold (an
empty list) is a warning; what Alertmanager refuses is an error, as is a month that there is not.
Source: timeinterval/timeinterval.go, config/config.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from typing import Any, Final

from pydantic import Field, ValidationError

from watcher.lib.shapes import Shape, nearest, shape_problems
from watcher.lib.yamlpos import Path
from watcher.routing.intervals import Spans, TimeInterval
from watcher.settings.configfile import ConfigFile
from watcher.settings.zones import read_zone

KEYS: Final = ("time_intervals", "mute_time_intervals")

_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,6}")
_TIME: Final = re.compile(r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
_SHORTEST_MONTH: Final = 28


class TimesShape(Shape):
    start_time: str
    end_time: str


class IntervalShape(Shape):
    times: list[TimesShape] | None = None
    weekdays: list[Any] | None = None
    days_of_month: list[Any] | None = None
    months: list[Any] | None = None
    years: list[Any] | None = None
    location: str = ""


class NamedShape(Shape):
    name: str = ""
    time_intervals: list[IntervalShape] = Field(default_factory=list)


def read_intervals(file: ConfigFile) -> dict[str, tuple[TimeInterval, ...]]:
    """All time intervals of the file by their names; what is wrong with one is in the file's problems."""
    found: dict[str, tuple[TimeInterval, ...]] = {}
    for key in KEYS:
        entries: Any = file.at((key,))
        if entries is None:
            continue
        if not isinstance(entries, list):
            file.error((key,), f"{key} must be a list")
            continue
        for index, entry in enumerate(entries):
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                file.error((key, index), "a time interval needs a name")
                continue
            if name in found:
                file.error((key, index, "name"), f"there is another time interval {name}")
            found.setdefault(name, _named(file, (key, index)))
    return found


def _named(file: ConfigFile, path: Path) -> tuple[TimeInterval, ...]:
    try:
        shape = NamedShape.model_validate(file.at(path))
    except ValidationError as error:
        file.problems.extend(shape_problems(error, file.document, NamedShape, path))
        return ()
    here = (*path, "time_intervals")
    if not shape.time_intervals:
        file.warn(path, f"the time interval {shape.name} is empty: it never holds")
    return tuple(_interval(file, (*here, index), each) for index, each in enumerate(shape.time_intervals))


def _interval(file: ConfigFile, path: Path, shape: IntervalShape) -> TimeInterval:
    for key in ("times", "weekdays", "days_of_month", "months", "years"):
        if getattr(shape, key) == []:
            file.warn((*path, key), f"{key} is empty: this time interval never holds; leave the key out", key=True)
    return TimeInterval(
        times=_times(file, (*path, "times"), shape.times),
        weekdays=_ranges(file, (*path, "weekdays"), _weekday),
        days_of_month=_ranges(file, (*path, "days_of_month"), _day_of_month),
        months=_ranges(file, (*path, "months"), _month),
        years=_ranges(file, (*path, "years"), _year),
        zone=_zone(file, (*path, "location"), shape.location),
    )


def _times(file: ConfigFile, path: Path, shapes: list[TimesShape] | None) -> Spans | None:
    if shapes is None:
        return None
    spans: list[tuple[int, int]] = []
    for index, each in enumerate(shapes):
        minutes = []
        for key, text in (("start_time", each.start_time), ("end_time", each.end_time)):
            if _TIME.fullmatch(text):
                minutes.append(int(text[:2]) * 60 + int(text[3:]))
            else:
                file.error((*path, index, key), f"{key} must be a time such as 09:00, up to 24:00")
        if len(minutes) == 2 and minutes[0] >= minutes[1]:
            file.error(
                (*path, index), "start_time must be before end_time: over midnight write two entries, up to 24:00"
            )
        elif len(minutes) == 2:
            spans.append((minutes[0], minutes[1]))
    return tuple(spans)


def _ranges(file: ConfigFile, path: Path, member: Callable[[str], int]) -> Spans | None:
    """The ranges of the list at `path`, whose members `member` reads (ValueError: with a sentence)."""
    return tuple(_read(file, path, member)) if isinstance(file.at(path), list) else None


def _read(file: ConfigFile, path: Path, member: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    for index, _ in enumerate(file.at(path)):
        here = (*path, index)
        words = (file.document.source(here) or "").lower().split(":")
        try:
            if len(words) > 2:
                raise ValueError("write one value, or a range first:last")
            first, last = member(words[0]), member(words[-1])
            _in_order(first, last, words, negative=member is _day_of_month)
        except ValueError as error:
            file.error(here, f"{path[-1]}: {error}")
        else:
            yield first, last


def _in_order(first: int, last: int, words: list[str], negative: bool) -> None:
    """As Alertmanager checks it: what a day below zero is depends on the month, so that only the sure is refused."""
    if first < 0 < last:
        raise ValueError(f"{words[-1]} must count from the month's end, as {words[0]} does")
    from_start = [day + _SHORTEST_MONTH if day < 0 and negative else day for day in (first, last)]
    if from_start[0] > from_start[1]:
        raise ValueError(f"{words[-1]} comes before {words[0]}: write two ranges")


def _weekday(word: str) -> int:
    if word not in _DAYS:
        raise ValueError(f"{_quoted(word)} is no day of the week{_advice(word, _DAYS)}")
    return _DAYS.index(word)


def _month(word: str) -> int:
    if word in _MONTHS:
        return _MONTHS.index(word) + 1
    if not _NUMBER.fullmatch(word) or not 1 <= int(word) <= 12:
        raise ValueError(f"{_quoted(word)} is no month{_advice(word, _MONTHS)}")
    return int(word)


def _day_of_month(word: str) -> int:
    if not _NUMBER.fullmatch(word) or int(word) == 0 or abs(int(word)) > 31:
        raise ValueError(f"{_quoted(word)} is no day of a month: write 1 to 31, or -1 (the last) to -31")
    return int(word)


def _year(word: str) -> int:
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"{_quoted(word)} is no year")
    return int(word)


def _quoted(word: str) -> str:
    return f"'{word[:30]}'"


def _advice(word: str, known: tuple[str, ...]) -> str:
    close = nearest(word, known)
    return f": did you mean {close}?" if close else f": write a name such as {known[1]}"


def _zone(file: ConfigFile, path: Path, name: str) -> tzinfo:
    if name == "Local":
        file.error(
            path, "location: this machine's own zone may be another one tomorrow: write its name, or leave it out"
        )
        return UTC
    try:
        return read_zone(name)
    except ValueError as error:
        file.error(path, f"location: {error}")
        return UTC
