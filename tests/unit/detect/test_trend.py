"""Where volumes are heading: the line through their samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.detect.trend import MOST_BUCKETS, Trend, points_of, trend, with_sample

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
GIB = 1024**3
HOUR = 3600.0


def line(available: Callable[[float], float], hours: float, every: float = 60.0) -> Trend:
    """The trend after a sample every minute; `available` of the hours since the first."""
    buckets = b""
    at, value = NOW, 0
    for step in range(int(hours * HOUR / every) + 1):
        at = NOW + timedelta(seconds=step * every)
        value = int(available(step * every / HOUR))
        buckets = with_sample(buckets, at, value)
    return trend(buckets, at, value)


def test_a_steady_fill_says_when_nothing_is_left() -> None:
    found = line(lambda hour: (20 - hour) * GIB, 4)
    assert found.bytes_per_hour == pytest.approx(GIB, rel=1e-3)
    assert found.full_in == pytest.approx(16 * HOUR, rel=1e-3)
    assert found.span == pytest.approx(4 * HOUR)


@pytest.mark.parametrize(
    ("available", "hours"),
    [
        pytest.param(lambda _: 5 * GIB, 6, id="flat"),
        pytest.param(lambda hour: (5 + hour) * GIB, 6, id="emptied"),
        pytest.param(lambda hour: (9 - hour % 1.5) * GIB, 6, id="sawtooth"),
        pytest.param(lambda hour: (20 - min(hour, 2)) * GIB, 6, id="filled for two hours of six"),
        pytest.param(lambda hour: (20 - hour) * GIB, 0.4, id="for less than half an hour"),
    ],
)
def test_what_does_not_fill_is_never_full(available: Callable[[float], float], hours: float) -> None:
    assert line(available, hours).full_in is None


def test_a_fill_in_hourly_steps_is_a_fill() -> None:
    found = line(lambda hour: (20 - int(hour)) * GIB, 6)
    assert found.full_in == pytest.approx(14 * HOUR, rel=0.1)


def test_the_slope_of_what_is_too_short_is_not_known() -> None:
    assert line(lambda hour: (20 - hour) * GIB, 0.4).bytes_per_hour is None


def test_one_sample_of_each_five_minutes_of_six_hours_is_kept() -> None:
    buckets = b""
    for second in range(0, int(9 * HOUR), 30):
        buckets = with_sample(buckets, NOW + timedelta(seconds=second), second)
    points = points_of(buckets)
    assert len(points) == MOST_BUCKETS
    assert len(buckets) == MOST_BUCKETS * 12
    assert [later[0] - earlier[0] for earlier, later in itertools.pairwise(points)] == [300] * 71
    assert points[0][1] % 300 == 0, "the first of its five minutes"


def test_after_a_gap_of_hours_the_trend_begins_anew() -> None:
    buckets = with_sample(with_sample(b"", NOW, 5), NOW + timedelta(hours=6), 4)
    assert [value for _, value in points_of(buckets)] == [4]


def test_a_sample_older_than_the_last_changes_nothing() -> None:
    buckets = with_sample(b"", NOW, 5)
    assert with_sample(buckets, NOW - timedelta(minutes=20), 9) is buckets


def test_eight_exbibytes_can_be_kept() -> None:
    assert points_of(with_sample(b"", NOW, 2**63)) == [(int(NOW.timestamp()), 2**63)]


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 2**63)), min_size=1, max_size=100))
def test_whatever_is_measured_a_trend_comes_of_it(samples: list[tuple[int, int]]) -> None:
    buckets = b""
    for second, available in samples:
        at = NOW + timedelta(seconds=second)
        buckets = with_sample(buckets, at, available)
        found = trend(buckets, at, available)
        assert found.full_in is None or found.full_in >= 0
        assert 0 <= found.span <= 6 * HOUR + 300
    points = points_of(buckets)
    assert points == sorted(points)
    assert len(points) <= MOST_BUCKETS


@given(st.integers(10, 400), st.integers(1, 50), st.integers(0, 20))
def test_a_line_with_a_little_noise_is_found(gib_left: int, gib_per_hour: int, noise: int) -> None:
    share = noise / 100
    found = line(lambda hour: 10_000 * GIB - (hour + share * (int(hour * 60) * 7 % 5 - 2) / 2) * gib_per_hour * GIB, 5)
    assert found.bytes_per_hour == pytest.approx(gib_per_hour * GIB, rel=0.05)
    assert found.full_in is not None
