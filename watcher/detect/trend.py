"""Where a volume is heading: a straight line through its samples, by least squares.

Most volumes go up and down, or nowhere. A line means something only where it explains most of what the samples do
(R², below), and where the fill still goes on at their end: a volume that was filled this morning is not filling now.
Anything else has a slope and no time until full.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

BUCKET = timedelta(minutes=5)
WINDOW = timedelta(hours=6)
MOST_BUCKETS = 72
"""Those of the window."""

LEAST_SPAN = timedelta(minutes=30)
LEAST_POINTS = 6
"""Under both a line is a guess: log rotations and compactions take minutes."""

LEAST_R2 = 0.75
"""Share of the samples' variance that the line has to explain. A steady fill has 0.99, an hourly backup that is kept
0.9, a sawtooth or noise on a flat line less than 0.5."""

LATE_SHARE = 0.25
"""The last third of the window has to fall at least by this share of what the line says of it. An hourly job that
fills in steps has one of them in any third that is long enough for a rule."""

_HOUR = 3600.0
_POINT = struct.Struct("<IQ")
"""Seconds since the epoch, bytes available (a network filesystem may tell of 8 EiB)."""

Point = tuple[float, float]
"""(seconds, bytes available)"""


class Trend(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`span`: the seconds that the samples cover. `bytes_per_hour`: None where too little is known."""

    span: float = 0.0
    bytes_per_hour: float | None = None
    full_in: float | None = None
    """Seconds until nothing is available; None where it does not fill, or the line means nothing."""


def slot(at: datetime) -> int:
    """The five minutes that a time falls into."""
    return int(at.timestamp()) // int(BUCKET.total_seconds())


def points_of(buckets: bytes) -> list[tuple[int, int]]:
    """(seconds since the epoch, bytes available) of each, oldest first."""
    return list(_POINT.iter_unpack(buckets))


def with_sample(buckets: bytes, at: datetime, available: int) -> bytes:
    """The buckets with a sample: one that begins a new bucket is added and what is too old leaves, others change
    nothing (so that a row is stored once in five minutes, not with every sample)."""
    now = int(at.timestamp())
    if buckets:
        last, _ = _POINT.unpack_from(buckets, len(buckets) - _POINT.size)
        if slot(at) <= last // int(BUCKET.total_seconds()):
            return buckets
    too_old = sum(1 for second, _ in _POINT.iter_unpack(buckets) if second <= now - WINDOW.total_seconds())
    kept = buckets[too_old * _POINT.size :][-(MOST_BUCKETS - 1) * _POINT.size :]
    return kept + _POINT.pack(now, available)


def trend(buckets: bytes, at: datetime, available: int) -> Trend:
    """The line through the stored samples and the newest one."""
    now = at.timestamp()
    points: list[Point] = [point for point in _POINT.iter_unpack(buckets) if point[0] < int(now)]
    points.append((now, available))
    span = now - points[0][0]
    if len(points) < LEAST_POINTS or span < LEAST_SPAN.total_seconds():
        return Trend(span=span)
    slope, r2 = _line(points)
    full_in = None
    if slope < 0 and r2 >= LEAST_R2 and _still_falls(points, slope, span):
        full_in = available / -slope
    return Trend(span=span, bytes_per_hour=-slope * _HOUR, full_in=full_in)


def _line(points: Sequence[Point]) -> tuple[float, float]:
    """(slope, R²) of the least squares line; a line that does not move explains nothing. One pass, and from the last
    point, so that large volumes lose no digits: this runs for every reading."""
    count = len(points)
    last_x, last_y = points[-1]
    sum_x = sum_y = sum_xx = sum_yy = sum_xy = 0.0
    for second, value in points:
        x, y = second - last_x, value - last_y
        sum_x += x
        sum_y += y
        sum_xx += x * x
        sum_yy += y * y
        sum_xy += x * y
    xx = sum_xx - sum_x * sum_x / count
    yy = sum_yy - sum_y * sum_y / count
    xy = sum_xy - sum_x * sum_y / count
    if xx <= 0 or yy <= 0:
        return 0.0, 0.0
    return xy / xx, xy * xy / (xx * yy)


def _still_falls(points: Sequence[Point], slope: float, span: float) -> bool:
    now, available = points[-1]
    before = next(y for x, y in reversed(points) if x <= now - span / 3)
    return available - before <= LATE_SHARE * slope * span / 3
