"""The cluster's time, and what is due in it.

Everything that happens in the emulated cluster is a plain function on one timeline, and runs with `now` standing at
the time it was due, however late the loop woke: so a scenario writes the same timestamps at every speed, and a test
moves the time by hand. The wall clock is read in `wall_time` alone; Watcher's own clock is engine/clock.py, which this
package does not use because the emulated cluster may run faster than the machine.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Action = Callable[[], None]


def wall_time() -> datetime:
    """Now, by the machine."""
    return datetime.now(UTC)  # noqa: TID251 -- the emulated cluster's own clock begins at the machine's time


def rfc3339(when: datetime) -> str:
    """A metav1.Time: UTC, whole seconds."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(when: datetime) -> str:
    """A metav1.MicroTime."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Any RFC 3339 time, as an aware UTC datetime; fractions beyond microseconds are cut by fromisoformat."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


class Handle:
    """A scheduled action; `cancel` makes it do nothing."""

    __slots__ = ("action", "cancelled")

    def __init__(self, action: Action) -> None:
        self.action: Action | None = action
        self.cancelled = False

    def cancel(self) -> None:
        self.action = None
        self.cancelled = True


class Timeline:
    """Actions in order of (due, scheduled). Stands still unless advanced, by hand or by a `Driver`."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or wall_time()
        self._heap: list[tuple[datetime, int, Handle]] = []
        self._order = itertools.count()
        self._source: Callable[[], datetime] | None = None
        self._on_schedule: Action | None = None
        self._running = False

    def now(self) -> datetime:
        """The due time of what runs now; else the time the driver gives, or the one advanced to."""
        if self._running or self._source is None:
            return self._now
        return max(self._now, self._source())

    @property
    def reached(self) -> datetime:
        """Everything due until then has happened."""
        return self._now

    def at(self, when: datetime, action: Action) -> Handle:
        """Run `action` at `when`; a time that has passed means as soon as possible."""
        handle = Handle(action)
        heapq.heappush(self._heap, (max(when, self._now), next(self._order), handle))
        if self._on_schedule is not None:
            self._on_schedule()
        return handle

    def after(self, delay: timedelta, action: Action) -> Handle:
        return self.at(self.now() + delay, action)

    def next_due(self) -> datetime | None:
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def advance(self, by: timedelta) -> None:
        """Move the time on, running what falls due on the way, in order."""
        self.advance_to(self.now() + by)

    def advance_to(self, when: datetime) -> None:
        """Move the time on to `when`; a driver goes on from there."""
        self.run_until(when)
        if self._source is not None and self._on_schedule is not None:
            self._source()
            self._on_schedule()

    def run_until(self, when: datetime) -> None:
        """What a driver does: run what is due, in order."""
        if self._running:
            raise RuntimeError("an action cannot move the time it runs in")
        self._running = True
        try:
            while (due := self.next_due()) is not None and due <= when:
                _, _, handle = heapq.heappop(self._heap)
                self._now = max(self._now, due)
                action, handle.action = handle.action, None
                if action is not None:
                    action()
            self._now = max(self._now, when)
        finally:
            self._running = False

    def restart(self, when: datetime) -> None:
        """Begin at another time, earlier perhaps. Only while nothing is planned and nobody drives."""
        if when != self._now and (self.next_due() is not None or self._source is not None):
            raise RuntimeError("the time can be set only before anything is planned: play one thing in one cluster")
        self._now = when

    def drive(self, source: Callable[[], datetime] | None, on_schedule: Action | None) -> None:
        """Take the time from `source`; `on_schedule` is called whenever something new is planned."""
        self._source = source
        self._on_schedule = on_schedule


class Driver:
    """Moves a timeline with the event loop's clock, `speed` cluster seconds in each real one."""

    def __init__(self, timeline: Timeline, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._timeline = timeline

    async def run(self) -> None:
        """Runs until cancelled; an action that raises ends it, because the scenario is then broken."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        origin, begun = self._timeline.now(), loop.time()

        def source() -> datetime:
            nonlocal origin, begun
            here = origin + timedelta(seconds=(loop.time() - begun) * self.speed)
            if here < self._timeline.reached:  # it was advanced by hand: the time goes on from there
                here = self._timeline.reached
                origin, begun = here, loop.time()
            return here

        self._timeline.drive(source, woken.set)
        try:
            while True:
                woken.clear()
                self._timeline.run_until(source())
                due = self._timeline.next_due()
                delay = None if due is None else max(0.0, (due - source()).total_seconds() / self.speed)
                await _sleep(woken, delay)
        finally:
            self._timeline.run_until(source())
            self._timeline.drive(None, None)


async def _sleep(woken: asyncio.Event, delay: float | None) -> None:
    try:
        await asyncio.wait_for(woken.wait(), delay)
    except TimeoutError:
        return
