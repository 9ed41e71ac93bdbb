"""What keeps an alert from being told now, in words: silences, other alerts, time intervals, hints, or nobody to tell.

The core decides; this only looks at what it has decided, and at the silences and intervals as they are at this moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from watcher.api.answers import Time, plain
from watcher.api.inside import Inside
from watcher.api.v2alerts import Muting
from watcher.model.changes import Draft
from watcher.model.message import HoldReason
from watcher.model.state import Alert
from watcher.pipeline.core import Step
from watcher.pipeline.settling import hold_reason, targets
from watcher.routing.intervals import muted_by, unmuted_at


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why nobody is told of an alert now, or not by one route."""

    reason: str
    """In the words of the decisions."""
    what: str
    """Which silence, alert or interval; empty where there is no more to say."""
    receiver: str = ""
    """Empty: all of them."""
    until: Time | None = None
    """null: until it changes."""


def holds(inside: Inside, alert: Alert) -> tuple[Hold, ...]:
    now = inside.clock.now()
    found = [*_silences(inside, alert, now), *_others(inside, alert, now)]
    held = hold_reason(Step(inside.core(), Draft(inside.view), now), alert)
    if held is not None and held.value not in {each.reason for each in found}:
        found.append(Hold(reason=held.value, what=""))
    told = inside.view.told.keys_by("alert", alert.key)
    if alert.unseen_since is not None and held is None and told:
        found.append(Hold(reason=HoldReason.UNSEEN.value, what=f"not seen since {_time(alert.unseen_since)}"))
    return (*found, *_routes(inside, alert, now))


def _silences(inside: Inside, alert: Alert, now: datetime) -> Iterator[Hold]:
    for id in Muting(inside.view, now).by(alert.labels):
        silence = inside.view.silences.rows[id]
        what = plain(f"silence {id} by {silence.created_by or 'nobody'}: {silence.comment}")
        yield Hold(reason=HoldReason.SILENCED.value, what=what, until=silence.ends_at)


def _others(inside: Inside, alert: Alert, now: datetime) -> Iterator[Hold]:
    if alert.ends_at is not None:
        return
    above = ((HoldReason.EXPLAINED, alert.explained_by), (HoldReason.INHIBITED, alert.held_by))
    for reason, key in above:
        other = inside.view.alerts.rows.get(key) if key is not None else None
        if key is not None:
            name = key.alertname if other is None else f"{key.alertname} {other.fingerprint}"
            yield Hold(reason=reason.value, what=plain(name))
    if alert.muted_until is not None and alert.muted_until > now:
        what = next((plain(hint) for hint in alert.hints if "mute-until" in hint), "")
        yield Hold(reason=HoldReason.MUTED_BY_HINT.value, what=what, until=alert.muted_until)


def _routes(inside: Inside, alert: Alert, now: datetime) -> Iterator[Hold]:
    core = inside.core()
    found = targets(core, alert)
    if not found:
        yield Hold(reason=HoldReason.NO_RECEIVER.value, what="")
    for route, receiver in found:
        for name in muted_by(route, core.intervals, now):
            until = unmuted_at(route, core.intervals, now)
            what = f"time interval {name} of the route {route.key}"
            yield Hold(reason=HoldReason.MUTED.value, what=what, receiver=receiver, until=until)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
