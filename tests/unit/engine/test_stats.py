"""Counting in buckets, and numbers that stand for a configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.engine.stats import QUICK, SENDING, WAITING, Buckets, StoreStats, hash_of

TIMES = st.lists(st.floats(min_value=0, max_value=200_000, allow_nan=False), max_size=50)


@given(TIMES)
def test_each_time_counts_in_every_bucket_that_it_fits_into(times: list[float]) -> None:
    found = Buckets(WAITING)
    for seconds in times:
        found.add(seconds)
    expected = [(bound, sum(seconds <= bound for seconds in times)) for bound in (*WAITING, float("inf"))]
    assert list(found.cumulative()) == expected
    assert found.count == len(times)
    assert found.total == pytest.approx(sum(times))


@given(TIMES, TIMES)
def test_two_histograms_are_joined_as_if_they_had_been_one(one: list[float], other: list[float]) -> None:
    parts, whole = (Buckets(SENDING), Buckets(SENDING)), Buckets(SENDING)
    for part, times in zip(parts, (one, other), strict=True):
        for seconds in times:
            part.add(seconds)
            whole.add(seconds)
    joined = Buckets.joined(SENDING, parts)
    assert list(joined.cumulative()) == list(whole.cumulative())
    assert joined.total == pytest.approx(whole.total)


def test_fewer_buckets_may_be_shown_than_are_counted() -> None:
    found = Buckets(SENDING)
    for seconds in (0.2, 3, 12, 60):
        found.add(seconds)
    assert list(found.cumulative((1.0, 5.0))) == [(1.0, 1), (5.0, 2), (float("inf"), 4)]


@pytest.mark.parametrize("bounds", [QUICK, SENDING, WAITING], ids=["quick", "sending", "waiting"])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))


def test_transactions_are_counted_by_what_they_do() -> None:
    stats = StoreStats()
    stats.took("commit", 0.002)
    stats.took("commit", 0.2)
    stats.failed("lease")
    stats.failed("lease")
    assert stats.seconds["commit"].count == 2
    assert stats.errors == {"lease": 2}


def test_a_configuration_has_a_number_that_a_float_holds_exactly() -> None:
    number = hash_of(b"route: {receiver: a}", b"groups: []")
    assert 0 < number < 1 << 48
    assert int(float(number)) == number
    assert number == hash_of(b"route: {receiver: a}", b"groups: []")
    assert number != hash_of(b"route: {receiver: a}groups: []", b"")
