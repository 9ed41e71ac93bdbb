"""Retries as values: after a failure, when to try again, or why to give up.

Exponential from 1 s to 5 min with full jitter, for 24 h. The jitter is drawn from the message's id and the number
of attempts, so that a replay gives the same times and two messages different ones.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from watcher.lib.jitter import share
from watcher.model.delivery import TryLater

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(hours=24)


class Retry(msgspec.Struct, frozen=True, gc=False):
    at: datetime


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    reason: str


def after_failure(
    message: str, created_at: datetime, attempts: int, failure: TryLater, now: datetime
) -> Retry | DeadLetter:
    """`attempts`: how many have failed, this one included."""
    if now - created_at >= GIVE_UP_AFTER:
        return DeadLetter(f"given up after 24 h and {attempts} attempts, the last: {failure.reason}")
    ceiling = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSE)
    drawn = ceiling * share(f"{message}/{attempts}")
    pause = max(drawn, FIRST_PAUSE, failure.after or timedelta())
    return Retry(now + min(pause, created_at + GIVE_UP_AFTER - now))
