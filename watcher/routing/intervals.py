"""Time intervals: whether a route may speak at an instant, and when that changes next.

They mean what they mean in Alertmanager: the fields of one interval are ANDed, the entries of a field and the
intervals of one name are ORed; ends of times are exclusive, all other ends inclusive; a day below zero counts from the
end of its month. An hour that a time zone's clocks skip does not exist, one that they repeat exists twice.
What changes is found by boundaries, not minute by minute: a zone's offset is constant but for its transitions, and
between two boundaries of a local day nothing can change.
Source: timeinterval/timeinterval.go, timeinterval.Intervener. Different here: a month in which clocks change has all of
its days (there the hours are divided by 24, so that 31 March is not in `31` and not in `-1` in Berlin).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

import msgspec

from watcher.routing.route import Route

HORIZON: Final = timedelta(days=5 * 366)
"""How far ahead a change is looked for."""

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_MINUTES: Final = 1440

Spans = tuple[tuple[int, int], ...]
"""First and last of each range."""


class TimeInterval(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a named list. A field that is None takes everything, an empty one nothing."""

    times: Spans | None = None
    """Minutes of the day, the last one exclusive."""
    weekdays: Spans | None = None
    """Sunday is 0."""
    days_of_month: Spans | None = None
    months: Spans | None = None
    years: Spans | None = None
    zone: tzinfo = UTC


Intervals = Mapping[str, tuple[TimeInterval, ...]]
"""All of the configuration, by name."""


def is_in(intervals: tuple[TimeInterval, ...], at: datetime) -> bool:
    """Whether one of them holds."""
    return any(_holds(interval, at) for interval in intervals)


def next_change(intervals: tuple[TimeInterval, ...], at: datetime) -> datetime | None:
    """The first instant after `at` at which `is_in` is another; None: not within five years."""
    until = at + HORIZON
    if not is_in(intervals, at):
        starts = [start for each in intervals if (start := _flip(each, at, until)) is not None]
        return min(starts, default=None)
    now: datetime | None = at
    while now is not None and is_in(intervals, now):
        now = _flip(next(each for each in intervals if _holds(each, now)), now, until)
    return now


def muted_by(route: Route, intervals: Intervals, at: datetime) -> tuple[str, ...]:
    """The names of what keeps the route quiet: mute intervals that hold, or the active ones while none of them does."""
    holding = tuple(name for name in route.mute_time_intervals if is_in(intervals.get(name, ()), at))
    active = route.active_time_intervals
    if holding or any(is_in(intervals.get(name, ()), at) for name in active):
        return holding
    return active


def unmuted_at(route: Route, intervals: Intervals, at: datetime) -> datetime | None:
    """The first instant from `at` on at which nothing keeps the route quiet; None: not within five years."""
    names = dict.fromkeys((*route.mute_time_intervals, *route.active_time_intervals))
    named = [intervals.get(name, ()) for name in names]
    changes: list[datetime | None] = [at] * len(named)
    now, until = at, at + HORIZON
    while muted_by(route, intervals, now):
        changes = [
            next_change(each, now) if change is not None and change <= now else change
            for each, change in zip(named, changes, strict=True)
        ]
        now = min((change for change in changes if change is not None), default=until)
        if now >= until:
            return None
    return now


def _holds(interval: TimeInterval, at: datetime) -> bool:
    local = at.astimezone(interval.zone)
    minute = local.hour * 60 + local.minute
    if interval.times is not None and not any(first <= minute < last for first, last in interval.times):
        return False
    return _on(interval, local.date())


def _on(interval: TimeInterval, day: date) -> bool:
    return (
        _within(interval.years, day.year)
        and _within(interval.months, day.month)
        and _within(interval.weekdays, day.isoweekday() % 7)
        and _in_month(interval.days_of_month, day)
    )


def _within(spans: Spans | None, value: int) -> bool:
    return spans is None or any(first <= value <= last for first, last in spans)


def _in_month(spans: Spans | None, day: date) -> bool:
    if spans is None:
        return True
    length = monthrange(day.year, day.month)[1]
    counted = ((_from_start(first, length), _from_start(last, length)) for first, last in spans)
    return any(first <= day.day <= last for first, last in counted)


def _from_start(day: int, length: int) -> int:
    return day if day > 0 else length + day + 1


def _flip(interval: TimeInterval, at: datetime, until: datetime) -> datetime | None:
    """The first instant after `at` and before `until` at which the one interval begins or ceases to hold."""
    held = _holds(interval, at)
    for edge in _edges(interval, at, until, held):
        if edge > at and _holds(interval, edge) is not held:
            return edge
    return None


def _edges(interval: TimeInterval, at: datetime, until: datetime, held: bool) -> Iterator[datetime]:
    """In order, every instant at which `held` can become untrue."""
    times = interval.times or ()
    bounds = sorted({0, *(bound for span in times for bound in span if bound < _MINUTES)})
    before: timedelta | None = None
    for start, end, offset in _stretches(interval.zone, at, until):
        if offset != before:
            yield start
        before = offset
        midnight = datetime.combine((start + offset).date(), time(), UTC)
        while midnight - offset < end:
            on = _on(interval, midnight.date())
            if on is not held or (on and interval.times is not None):
                edges = (midnight + timedelta(minutes=bound) - offset for bound in bounds)
                yield from (edge for edge in edges if start <= edge < end)
            midnight += _DAY


def _stretches(zone: tzinfo, at: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """From `at` to `until`, pieces of at most a day (start, end, offset from UTC) in which the offset is constant."""
    start = at.astimezone(UTC).replace(microsecond=0)
    offset = _offset(zone, start)
    while start < until:
        end = start + _DAY
        after = _offset(zone, end)
        if after != offset:
            end = _transition(zone, start, end)
            after = _offset(zone, end)
        yield start, end, offset
        start, offset = end, after


def _transition(zone: tzinfo, start: datetime, end: datetime) -> datetime:
    """When the offset of `start` ceases to be in force; at `end` another one is. It is a whole second."""
    offset = _offset(zone, start)
    while end - start > _SECOND:
        middle = start + (end - start) // _SECOND // 2 * _SECOND
        if _offset(zone, middle) == offset:
            start = middle
        else:
            end = middle
    return end


def _offset(zone: tzinfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
