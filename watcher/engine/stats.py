"""What the loops count, beyond what each counts of itself: times in buckets, the store, reloads, the leadership.

Metrics are made of these at a scrape (app/metrics). prometheus_client's own histograms take a lock and look up labels
for each observation; here one is a bisection and two additions, in the one thread that there is.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate
from typing import Final

import msgspec

QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds of what runs between two messages: a step of the core, a transaction."""

SENDING: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0)
"""Seconds of one attempt; adapters give up after 30. Alertmanager's 1, 5, 10, 15 and 20 are among them."""

WAITING: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
"""Seconds from the decision to the delivery; messages are tried for 24 h."""


class Buckets:
    """How often something took up to so many seconds."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.total = 0.0
        """Seconds, all together."""
        self._counts = [0] * (len(bounds) + 1)

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        return sum(self._counts)

    def cumulative(self, bounds: tuple[float, ...] | None = None) -> Iterator[tuple[float, int]]:
        """(upper bound, how many up to it), the last one infinite; of `bounds`, where only some of ours are wanted."""
        pairs = zip((*self.bounds, float("inf")), accumulate(self._counts), strict=True)
        wanted = None if bounds is None else {*bounds, float("inf")}
        return (pair for pair in pairs if wanted is None or pair[0] in wanted)

    @classmethod
    def joined(cls, bounds: tuple[float, ...], parts: Iterable[Buckets]) -> Buckets:
        """All `parts` as one; they have these bounds."""
        whole = cls(bounds)
        for part in parts:
            whole.total += part.total
            whole._counts = [one + other for one, other in zip(whole._counts, part._counts, strict=True)]
        return whole


class StoreStats:
    """Transactions, by what they do: commit, lease, load, prune."""

    def __init__(self) -> None:
        self.seconds: dict[str, Buckets] = {}
        """Of those that were done."""
        self.errors: dict[str, int] = {}

    def took(self, operation: str, seconds: float) -> None:
        found = self.seconds.get(operation)
        if found is None:
            found = self.seconds[operation] = Buckets(QUICK)
        found.add(seconds)

    def failed(self, operation: str) -> None:
        self.errors[operation] = self.errors.get(operation, 0) + 1


class ReloadStats(msgspec.Struct):
    """The configuration and rules in force, and what became of newer ones."""

    last_success: bool = True
    """What was read last is in force; the start counts."""
    last_success_at: datetime | None = None
    taken: int = 0
    """Reloads that came into force; the start is none."""
    refused: int = 0
    """Reloads that were refused, the old ones staying in force."""
    reason: str = ""
    """Why the last one was refused; empty when it was not."""
    hash: int = 0
    """`hash_of` what is in force; 0: not known."""


class LeaderStats(msgspec.Struct):
    """Who may write. Of a single replica without `leader_election` `is_leader` is true from the start."""

    is_leader: bool = False
    epoch: int = 0
    """The database's count of leaders, as of when this process led last; 0: it never did."""
    taken: int = 0
    """Times that this process became the leader."""
    lost: int = 0
    """Times that it had to stop leading without being asked to stop."""
    failures: int = 0
    """Calls about the Lease that failed or were not answered in time."""


def hash_of(*texts: bytes) -> int:
    """The first 48 bits of a hash, as Alertmanager does it: a metric's float holds that many exactly."""
    whole = hashlib.sha256()
    for text in texts:
        whole.update(len(text).to_bytes(8) + text)
    return int.from_bytes(whole.digest()[:6])
