"""A clock that is set by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class StandingClock:
    """Stands until it is moved."""

    def __init__(self, start: datetime = BEGIN) -> None:
        self.time = start

    def move(self, by: timedelta) -> None:
        self.time += by

    def now(self) -> datetime:
        return self.time

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.time).total_seconds())

    def monotonic(self) -> float:
        return (self.time - BEGIN).total_seconds()

    def steady(self) -> float:
        return self.monotonic()
