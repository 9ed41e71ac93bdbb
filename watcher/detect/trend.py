"""Where a volume is heading: a straight line through its samples, by least squares.

Most volumes go up and down, or nowhere. A line means something only where it explains most of what the samples do
(R², below), and where the fill still goes on at their end: a volume that was filled this morning is not filling now.
Anything else has a slope and no time until full.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from watcher.model.state import Bucket

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


class Trend(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`span`: the seconds that the samples cover. `bytes_per_hour`: None where too little is known."""

    span: float = 0.0
    bytes_per_hour: float | None = None
    full_in: float | None = None
    """Seconds until nothing is available; None where it does not fill, or the line means nothing."""


def slot(at: datetime) -> int:
    """The bucket that a time falls into."""
    return int(at.timestamp() // BUCKET.total_seconds())


def with_sample(buckets: tuple[Bucket, ...], at: datetime, available: int) -> tuple[Bucket, ...]:
    """The buckets with a sample: one that begins a new bucket is added and what is too old leaves, others change
    nothing (so that a row is stored once in five minutes, not with every sample)."""
    if buckets and slot(at) <= slot(buckets[-1].at):
        return buckets
    kept = [bucket for bucket in buckets if bucket.at > at - WINDOW]
    return (*kept[-(MOST_BUCKETS - 1) :], Bucket(at=at, available=available))


def trend(buckets: Sequence[Bucket], at: datetime, available: int) -> Trend:
    """The line through the stored samples and the newest one."""
    points = [((bucket.at - at).total_seconds(), float(bucket.available)) for bucket in buckets if bucket.at < at]
    points.append((0.0, float(available)))
    span = -points[0][0]
    if len(points) < LEAST_POINTS or span < LEAST_SPAN.total_seconds():
        return Trend(span=span)
    slope, r2 = _line(points)
    full_in = None
    if slope < 0 and r2 >= LEAST_R2 and _still_falls(points, slope, span):
        full_in = available / -slope
    return Trend(span=span, bytes_per_hour=-slope * _HOUR, full_in=full_in)


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(slope, R²) of the least squares line; a line that does not move explains nothing. One pass, and from the last
    point, so that large volumes lose no digits: this runs for every reading."""
    count, last = len(points), points[-1][1]
    sum_x = sum_y = sum_xx = sum_yy = sum_xy = 0.0
    for x, y in points:
        y -= last
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


def _still_falls(points: Sequence[tuple[float, float]], slope: float, span: float) -> bool:
    before = [y for x, y in points if x <= -span / 3]
    return points[-1][1] - before[-1] <= LATE_SHARE * slope * span / 3
