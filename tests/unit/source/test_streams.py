"""The back-off of a stream."""

from __future__ import annotations

import random
from datetime import timedelta

from watcher.source.streams import Backoff, StreamSettings


class Highest(random.Random):
    """Draws the top of every range."""

    def uniform(self, a: float, b: float) -> float:
        return b


def ceilings(backoff: Backoff, count: int, now: float = 0.0) -> list[float]:
    return [backoff.failed(now) for _ in range(count)]


def test_the_ceiling_doubles_up_to_its_most() -> None:
    assert ceilings(Backoff(StreamSettings(), Highest()), 8) == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_thousands_of_failures_overflow_nothing() -> None:
    assert ceilings(Backoff(StreamSettings(), Highest()), 5000)[-1] == 30.0


def test_pauses_are_spread_over_all_of_the_range() -> None:
    settings = StreamSettings(backoff_first=timedelta(seconds=10), backoff_most=timedelta(seconds=10))
    backoff = Backoff(settings, random.Random(3))
    pauses = ceilings(backoff, 200)
    assert 0.0 <= min(pauses) < 1.0
    assert 9.0 < max(pauses) <= 10.0


def test_two_healthy_minutes_begin_it_anew() -> None:
    backoff = Backoff(StreamSettings(), Highest())
    ceilings(backoff, 5)
    backoff.healthy(100.0)
    assert backoff.failed(219.0) == 25.6
    backoff.healthy(300.0)
    assert backoff.failed(420.0) == 0.8


def test_health_counts_from_its_first_sign() -> None:
    backoff = Backoff(StreamSettings(), Highest())
    ceilings(backoff, 3)
    for now in range(0, 121, 30):
        backoff.healthy(float(now))
    assert backoff.failed(121.0) == 0.8


def test_an_outage_of_two_minutes_is_no_health() -> None:
    backoff = Backoff(StreamSettings(), Highest())
    ceilings(backoff, 3, now=0.0)
    assert backoff.failed(1000.0) == 6.4
