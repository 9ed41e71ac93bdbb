"""When a group is due: after `group_wait` for the first time, then on the grid of `group_interval`.

The grid starts at the first flush. A group with nothing new has no timer but its repeat.
"""

from __future__ import annotations

from datetime import datetime, timedelta


def next_tick(origin: datetime, interval: timedelta, now: datetime) -> datetime:
    """The first point of the grid after `now`."""
    passed = (now - origin) // interval
    return origin + (passed + 1) * interval


def group_id(receiver: str, route_id: str, labels: dict[str, str]) -> str:
    """One line that names a group in the store; the labels are sorted by name."""
    inner = ", ".join(f"{name}={value!r}" for name, value in sorted(labels.items()))
    return f"{route_id or 'root'}/{receiver}:{{{inner}}}"
