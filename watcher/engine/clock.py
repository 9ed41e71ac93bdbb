"""The one home of the time: everybody else is handed it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.now()).total_seconds())

    def monotonic(self) -> float:
        return time.monotonic()


class FastClock:
    """Runs `speed` times faster than the machine's, from `start` on: for the demo, whose cluster does the same."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = start
        self._speed = speed
        self._begun = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._begun) * self._speed)

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.now()).total_seconds() / self._speed)

    def monotonic(self) -> float:
        return time.monotonic()
