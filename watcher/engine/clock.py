"""The one home of the time, and of ids that are drawn: everybody else is handed them.

The wall clock may be set, forwards or back, and stands still for the processes of a suspended machine. `SteadyClock`
makes of it a time that never goes back: it goes on by the monotonic clock, follows the wall clock where that is a
little ahead, and takes a wall clock that is far ahead for a jump, which the writer tells the core as downtime.
"""

from __future__ import annotations

import logging
import time
import uuid
from datetime import UTC, datetime, timedelta

import msgspec

from watcher.ports import Clock

log = logging.getLogger("watcher.clock")

LARGEST_STEP = timedelta(seconds=60)
"""A clock that is further ahead than that of what it should show has jumped (design.md section 2)."""

SAID_FROM = timedelta(seconds=2)
"""A clock that is set back by less is corrected, not wrong."""


def new_id() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.now()).total_seconds())

    def monotonic(self) -> float:
        return time.monotonic()

    def steady(self) -> float:
        return time.monotonic()


class FastClock:
    """Runs `speed` times faster than the machine's, from `start` on: for the demo, whose cluster does the same."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = start
        self._speed = speed
        self._begun = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.steady())

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.now()).total_seconds() / self._speed)

    def monotonic(self) -> float:
        return time.monotonic()

    def steady(self) -> float:
        return (time.monotonic() - self._begun) * self._speed


class Jump(msgspec.Struct, frozen=True, kw_only=True):
    """The clock went from `since` to `at` without that time passing."""

    since: datetime
    at: datetime


class SteadyClock:
    """A clock over another one (`wall`). Every part of the service is to use the same one."""

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._last = wall.now()
        self._passed = wall.steady()
        self._behind = timedelta()
        self._said = False
        self._jumps: list[Jump] = []

    @property
    def behind(self) -> timedelta:
        """How far the wall clock was behind this one when it was last read."""
        return self._behind

    def now(self) -> datetime:
        # The wall clock first: were this thread held up between the two, the other order would count that time twice.
        here, passed = self._wall.now(), self._wall.steady()
        expected = self._last + timedelta(seconds=max(0.0, passed - self._passed))
        if here - expected > LARGEST_STEP:
            self._jumps.append(Jump(since=expected, at=here))
            log.warning("the clock jumped", extra={"event": "clock.jumped", "since": expected, "to": here})
        self._last, self._passed = max(here, expected), passed
        self._compare(here)
        return self._last

    def not_before(self, time: datetime) -> None:
        """That time was already stored: where the wall clock was set back since, the time goes on from it."""
        self._last = max(self.now(), time)
        self._compare(self._wall.now())

    def until(self, due: datetime) -> float:
        now = self.now()
        return self._wall.until(due - now + self._wall.now())

    def monotonic(self) -> float:
        return self._wall.monotonic()

    def steady(self) -> float:
        return self._wall.steady()

    def jumped(self) -> list[Jump]:
        """The jumps that were noticed since this was last asked."""
        self.now()
        jumps, self._jumps = self._jumps, []
        return jumps

    def _compare(self, here: datetime) -> None:
        self._behind = self._last - here
        if self._behind < SAID_FROM:
            self._said = False
        elif not self._said:
            self._said = True
            log.warning(
                "the machine's clock was set back; the time goes on without it",
                extra={"event": "clock.behind", "seconds": self._behind.total_seconds()},
            )
