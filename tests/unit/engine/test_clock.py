"""The steady clock: it never goes back, follows the wall, and knows a jump from time that passed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from watcher.engine.clock import FastClock, Jump, SteadyClock, SystemClock

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class Machine:
    """A machine whose clock is set by hand."""

    def __init__(self) -> None:
        self.wall = START
        self.awake = 1000.0

    def now(self) -> datetime:
        return self.wall

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.wall).total_seconds())

    def monotonic(self) -> float:
        return self.awake

    def steady(self) -> float:
        return self.awake

    def runs(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.awake += seconds

    def is_set(self, seconds: float) -> None:
        """The wall clock is moved; a suspended machine looks the same (CLOCK_MONOTONIC does not count it)."""
        self.wall += timedelta(seconds=seconds)


def test_it_is_the_wall_clock_while_nobody_touches_that() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.runs(3600)
    assert clock.now() == machine.wall
    assert clock.jumped() == []
    assert clock.behind == timedelta()


@pytest.mark.parametrize("seconds", [0.5, 59, 60], ids=str)
def test_it_follows_a_wall_clock_that_is_a_little_ahead(seconds: float) -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.runs(10)
    machine.is_set(seconds)
    assert clock.now() == machine.wall
    assert clock.jumped() == []


@pytest.mark.parametrize("seconds", [60.1, 3600, 86400 * 30], ids=str)
def test_a_wall_clock_that_is_far_ahead_is_a_jump_from_the_time_that_passed(seconds: float) -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.runs(10)
    machine.is_set(seconds)
    machine.runs(5)
    expected = START + timedelta(seconds=15)
    assert clock.jumped() == [Jump(since=expected, at=expected + timedelta(seconds=seconds))]
    assert clock.jumped() == []
    assert clock.now() == machine.wall


def test_a_long_sleep_is_no_jump() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.runs(86400)
    assert clock.jumped() == []


def test_a_jump_that_another_reader_noticed_is_still_told() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.is_set(3600)
    clock.now()
    machine.runs(20)
    assert clock.jumped() == [Jump(since=START, at=START + timedelta(hours=1))]


def test_a_wall_clock_that_is_set_back_does_not_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.is_set(-3600)
    with caplog.at_level(logging.WARNING, "watcher.clock"):
        for minute in range(1, 6):
            machine.runs(60)
            assert clock.now() == START + timedelta(minutes=minute)
    assert clock.behind == timedelta(hours=1)
    assert len(caplog.records) == 1, "it is said once"
    assert clock.until(START + timedelta(minutes=6)) == 60


def test_a_wall_clock_that_comes_back_after_it_was_set_back_is_no_jump() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.is_set(-3600)
    machine.runs(60)
    clock.now()
    machine.is_set(3600)
    assert clock.jumped() == []
    assert clock.now() == START + timedelta(minutes=1)
    assert clock.behind == timedelta()


def test_a_stored_time_is_gone_on_from() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    clock.not_before(START + timedelta(hours=1))
    machine.runs(30)
    assert clock.now() == START + timedelta(hours=1, seconds=30)
    assert clock.behind == timedelta(hours=1)
    clock.not_before(START)
    assert clock.now() == START + timedelta(hours=1, seconds=30)


def test_it_never_goes_back() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    seen = []
    for step in (5, -3, 0, 100, -100, 59, -1, -86400, 86400):
        machine.is_set(step)
        machine.runs(1)
        seen.append(clock.now())
    assert seen == sorted(seen)


def test_a_fast_clock_does_not_jump() -> None:
    fast = FastClock(START, 100_000)
    clock = SteadyClock(fast)
    due = clock.now() + timedelta(days=1)
    assert 0 < clock.until(due) <= 0.864
    while clock.now() < START + timedelta(minutes=10):
        pass
    assert clock.jumped() == []


def test_the_machines_clock_agrees_with_itself() -> None:
    wall = SystemClock()
    clock = SteadyClock(wall)
    assert abs(clock.now() - wall.now()) < timedelta(seconds=1)
    assert clock.monotonic() <= wall.monotonic()
