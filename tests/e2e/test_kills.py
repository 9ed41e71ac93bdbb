"""`kill -9` at any instant, and receivers that fail: what was decided is delivered, at most repeated once per kill."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.kills import SHORT, run
from benchmarks.moody import Heard, Piece, Receiver
from benchmarks.verdict import Book

FIRST = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SECOND = FIRST + timedelta(minutes=1)


async def test_twenty_kills_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = await run(SHORT)
    with capsys.disabled():
        print(f"\n{outcome}")
    assert outcome.good, outcome


# ---- the counts can be other than 0 ----


def book(*messages: tuple[str, datetime, bool, float], kills: tuple[float, ...] = ()) -> Book:
    """What one receiver heard: message, since when the alert fires, whether it ended, at which second."""
    receiver = Receiver(0, random.Random(0), 1.0)
    for key, began, ended, at in messages:
        receiver.heard.append(Heard(key, "{}", [Piece("w1", began, ended)], at, at + 0.1))
    return Book(receiver, [(time, time) for time in kills])


def test_an_end_that_nobody_heard_is_lost() -> None:
    assert book(("a", FIRST, False, 1)).fate("w1", FIRST, ended=True) == "lost"


def test_what_a_later_alert_took_the_place_of_is_not_lost() -> None:
    assert book(("a", SECOND, False, 1)).fate("w1", FIRST, ended=True) == "gave way"


def test_an_end_says_that_it_fired() -> None:
    assert book(("a", FIRST, True, 1)).fate("w1", FIRST, ended=False) == "heard"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [((FIRST, True), (FIRST, False)), ((SECOND, False), (FIRST, True))],
    ids=["firing after its end", "an older alert after a newer one"],
)
def test_what_comes_too_late_is_out_of_order(earlier: tuple[datetime, bool], later: tuple[datetime, bool]) -> None:
    assert book(("a", *earlier, 1), ("b", *later, 2)).out_of_order == 1


def test_a_repeat_is_explained_by_a_kill_before_its_record_only() -> None:
    messages = (("a", FIRST, False, 1.0), ("a", FIRST, False, 9.0))
    killed, later = book(*messages, kills=(1.5,)), book(*messages, kills=(8.0,))
    assert (sum(killed.by_kill.values()), killed.unexplained) == (1, 0)
    assert (sum(later.by_kill.values()), later.unexplained) == (0, 1)


def test_an_end_in_two_messages_is_told_again() -> None:
    assert book(("a", FIRST, True, 1), ("b", FIRST, True, 9)).told_again == 1
