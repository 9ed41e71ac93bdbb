"""Retries as values: growing pauses with jitter, Retry-After honoured, and an end after a day."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.timeline import START
from watcher.model.delivery import TryLater
from watcher.notify.retry import GIVE_UP_AFTER, LONGEST_PAUSE, DeadLetter, Retry, after_failure

BUSY = TryLater(reason="503")


def pause(attempts: int, failure: TryLater = BUSY, message: str = "m", now: datetime = START) -> timedelta:
    answer = after_failure(message, START, attempts, failure, now)
    assert isinstance(answer, Retry)
    return answer.at - now


@given(attempts=st.integers(1, 10_000), message=st.text(max_size=8))
def test_a_pause_is_positive_and_never_longer_than_five_minutes(attempts: int, message: str) -> None:
    assert timedelta() < pause(attempts, message=message) <= LONGEST_PAUSE


def test_pauses_grow() -> None:
    mean = [sum((pause(n, message=str(m)).total_seconds() for m in range(200)), 0.0) / 200 for n in range(1, 10)]
    assert mean[0] <= 2
    assert all(later > sooner for sooner, later in itertools.pairwise(mean[1:]))


def test_two_messages_do_not_come_back_together_and_one_always_at_the_same_time() -> None:
    assert len({pause(8, message=f"m{number}") for number in range(50)}) > 40
    assert pause(8) == pause(8)


def test_a_pause_that_the_receiver_names_is_kept() -> None:
    assert pause(1, TryLater(reason="429", after=timedelta(minutes=20))) == timedelta(minutes=20)
    assert pause(9, TryLater(reason="429", after=timedelta(0))) > timedelta()


@pytest.mark.parametrize("after", [timedelta(days=30), timedelta.max], ids=["a month", "for ever"])
def test_a_pause_without_end_is_cut_at_the_last_try(after: timedelta) -> None:
    now = START + timedelta(hours=3)
    assert now + pause(4, TryLater(reason="429", after=after), now=now) == START + GIVE_UP_AFTER


def test_it_is_given_up_after_a_day_with_the_last_reason() -> None:
    last = after_failure("m", START, 300, BUSY, START + GIVE_UP_AFTER - timedelta(microseconds=1))
    assert isinstance(last, Retry)
    over = after_failure("m", START, 301, BUSY, START + GIVE_UP_AFTER)
    assert over == DeadLetter("given up after 24 h and 301 attempts, the last: 503")


def test_a_clock_that_was_set_back_does_not_end_it() -> None:
    assert isinstance(after_failure("m", START, 1, BUSY, START - timedelta(hours=5)), Retry)
