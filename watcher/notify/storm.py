"""Storms: too many groups that begin at once for people to read.

From the 11th group whose first message falls due within a minute on, a chat or e-mail channel gets them as one digest
for each `group_interval`; critical ones stay single, up to as many again (design.md section 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watcher.model.config import StormConfig


def late(firsts: Sequence[datetime], storm: StormConfig, at: datetime) -> tuple[datetime, ...]:
    """Those of the first messages that still count."""
    return tuple(time for time in firsts if time > at - storm.within)


def is_storm(firsts: Sequence[datetime], storm: StormConfig) -> bool:
    """Whether one more is too many. `firsts`: of this channel, of late, single ones only."""
    return len(firsts) >= storm.groups
