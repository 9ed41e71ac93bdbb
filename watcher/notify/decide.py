"""Send or hold: what one integration hears of a group at a flush, with the reason either way.

Told is what was recorded: an alert that was told is not told again, but for growth, its end, and a repeat. An end is
never held back by what holds a firing alert; whoever was told that something fires is told once that it ended. What is
not seen (its node is silent, its stream is stale) is not repeated: nobody knows whether it goes on. It stands beside
what is new in its group, and its end is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from watcher.model.identity import AlertKey
from watcher.model.message import HoldReason, SendReason
from watcher.model.state import Alert, Told
from watcher.notify.growth import grew

_HOLDS_ENDS = frozenset({HoldReason.SILENCED, HoldReason.MUTED})


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An alert of the group with its present size."""

    alert: Alert
    members: int
    pods: int
    held: HoldReason | None = None
    """Why it may not be told (explained, inhibited, …); of one that has ended: why its end may not (silenced)."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to do for one integration."""

    reason: SendReason | None
    """None: nothing is sent."""
    firing: tuple[AlertKey, ...] = ()
    ended: tuple[AlertKey, ...] = ()
    held: tuple[tuple[AlertKey, HoldReason], ...] = ()
    """Alerts of which nothing is said, each with its reason."""
    forget: tuple[AlertKey, ...] = ()
    """Ended ones that this integration was told of and does not want to hear the end of."""


def decide(
    candidates: Sequence[Candidate],
    told: Mapping[AlertKey, Told],
    last_sent: datetime | None,
    repeat_interval: timedelta,
    send_resolved: bool,
    now: datetime,
) -> Plan:
    """`told`: this integration's rows for the group's alerts; `last_sent`: when the group was last sent to it."""
    firing = [c for c in candidates if c.alert.ends_at is None and c.held is None]
    held = [(c.alert.key, c.held) for c in candidates if c.held is not None and _is_held(c)]
    over = [c.alert.key for c in candidates if c.alert.ends_at is not None and not _is_held(c)]
    held.extend((key, HoldReason.NEVER_TOLD) for key in over if key not in told)
    ended = [key for key in over if key in told]
    forget: list[AlertKey] = []
    if not send_resolved:
        held.extend((key, HoldReason.NO_END_WANTED) for key in ended)
        ended, forget = [], ended
    reason = _reason(firing, ended, told, last_sent, repeat_interval, now)
    if reason is None:
        held.extend((c.alert.key, HoldReason.UNSEEN if _unseen(c) else HoldReason.NOTHING_NEW) for c in firing)
        return Plan(reason=None, held=tuple(held), forget=tuple(forget))
    if reason is SendReason.REPEAT:
        unseen = [c.alert.key for c in firing if _unseen(c) and not told[c.alert.key].lost]
        held.extend((key, HoldReason.UNSEEN) for key in unseen)
        firing = [c for c in firing if c.alert.key not in unseen]
    return Plan(
        reason=reason,
        firing=tuple(c.alert.key for c in firing),
        ended=tuple(ended),
        held=tuple(held),
        forget=tuple(forget),
    )


def _reason(
    firing: Sequence[Candidate],
    ended: Sequence[AlertKey],
    told: Mapping[AlertKey, Told],
    last_sent: datetime | None,
    repeat_interval: timedelta,
    now: datetime,
) -> SendReason | None:
    if any(c.alert.key not in told for c in firing):
        return SendReason.NEW_ALERTS if told else SendReason.FIRST
    if any(_has_grown(c, told[c.alert.key]) for c in firing):
        return SendReason.GREW
    if ended:
        return SendReason.SOME_ENDED if firing else SendReason.ALL_ENDED
    if any(told[c.alert.key].lost for c in firing):
        return SendReason.REPEAT
    repeats = [c for c in firing if not told[c.alert.key].baseline and not _unseen(c)]
    if repeats and last_sent is not None and now >= last_sent + repeat_interval:
        return SendReason.REPEAT
    return None


def _is_held(candidate: Candidate) -> bool:
    """An end is held back by nothing but a silence or a time interval."""
    return candidate.held is not None and (candidate.alert.ends_at is None or candidate.held in _HOLDS_ENDS)


def _unseen(candidate: Candidate) -> bool:
    return candidate.alert.unseen_since is not None


def _has_grown(candidate: Candidate, row: Told) -> bool:
    return grew(row.members, row.all_members, candidate.members, candidate.pods)
