"""Alertmanager's `/alerts` and `/alerts/groups`, of the alerts that fire in the view.

What mutes an alert is looked up when somebody asks: a silence counts as soon as it is stored. An alert of ours has no
end that is known beforehand: `endsAt` is what it would be for one that was posted now. `inhibitedBy` also names the
cause of an alert that is explained, and `mutedBy` the hint of a workload that wants no messages for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from watcher.api import v2shapes
from watcher.api.answers import plain
from watcher.api.inside import Inside
from watcher.api.v2requests import filters, flag, receiver_filter
from watcher.api.v2shapes import AlertGroup, AlertStatus, GettableAlert, Named
from watcher.lib.matchers import Matcher, matches_all
from watcher.lib.regexes import Regex
from watcher.model.changes import View, place_of
from watcher.model.state import Alert
from watcher.pipeline.settling import targets
from watcher.routing.intervals import muted_by
from watcher.routing.route import group_labels
from watcher.routing.silences import ANYWHERE, compiled, places

HINT: Final = "watcher.io/mute-until"
_GroupKey = tuple[tuple[tuple[str, str], ...], str, str]

SLICE: Final = 200
"""Alerts that are looked at before others get their turn: nobody waits for a reader of ten thousand."""
LOOKS: Final = 10_000
"""Of these alerts at silences that can only be held against each alert; some 20 ms."""

_plain = lru_cache(maxsize=4096)(plain)


class _Wanted(msgspec.Struct, frozen=True):
    """What the parameters of a request ask for."""

    filters: tuple[Matcher, ...]
    receiver: Regex | None
    active: bool
    silenced: bool
    inhibited: bool
    muted: bool

    @classmethod
    def of(cls, query: QueryParams) -> _Wanted:
        flags = (flag(query, name) for name in ("active", "silenced", "inhibited", "muted"))
        return cls(filters(query), receiver_filter(query), *flags)

    def takes(self, status: AlertStatus) -> bool:
        return not (
            (not self.active and status.state == "active")
            or (not self.silenced and status.silencedBy)
            or (not self.inhibited and status.inhibitedBy)
            or (not self.muted and status.mutedBy)
        )

    def hears(self, receiver: str) -> bool:
        return self.receiver is None or self.receiver.found_in(receiver)


class Alerts:
    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    async def listed(self, request: Request) -> Response:
        wanted, now = _Wanted.of(request.query_params), self._inside.clock.now()
        return v2shapes.many(self._listed(wanted, Muting(self._inside.view, now), now))

    async def _listed(self, wanted: _Wanted, muting: Muting, now: datetime) -> AsyncIterator[GettableAlert]:
        async for alert in self._firing(wanted, muting):
            receivers = list(dict.fromkeys(receiver for _, receiver in targets(self._inside.core(), alert)))
            if wanted.receiver is not None and not any(map(wanted.hears, receivers)):
                continue
            status = _status(self._inside.view, alert, muting)
            if wanted.takes(status):
                yield self._shown(alert, status, receivers, now)

    async def groups(self, request: Request) -> Response:
        wanted, now = _Wanted.of(request.query_params), self._inside.clock.now()
        intervals = self._inside.core().intervals
        quiet = {route.id: muted_by(route, intervals, now) for route in self._inside.core().route.walk()}
        groups: dict[_GroupKey, list[GettableAlert]] = {}
        muting = Muting(self._inside.view, now)
        async for alert in self._firing(wanted, muting):
            heard = [each for each in targets(self._inside.core(), alert) if wanted.hears(each[1])]
            receivers = list(dict.fromkeys(receiver for _, receiver in heard))
            status = _status(self._inside.view, alert, muting)
            for route, receiver in heard:
                own = _muted(status, quiet[route.id])
                if wanted.takes(own):
                    key = (tuple(group_labels(route, alert.labels).items()), receiver, route.id)
                    groups.setdefault(key, []).append(self._shown(alert, own, receivers, now))
        shown = [
            AlertGroup(alerts=tuple(sorted(alerts, key=_place)), labels=dict(labels), receiver=Named(receiver))
            for (labels, receiver, _), alerts in sorted(groups.items(), key=lambda item: item[0])
        ]
        return v2shapes.body(shown)

    async def _firing(self, wanted: _Wanted, muting: Muting) -> AsyncIterator[Alert]:
        """In the order of their fingerprints."""
        alerts = self._inside.view.alerts
        step = max(1, min(SLICE, LOOKS // (1 + muting.everywhere)))
        firing = sorted((alerts.rows[key].fingerprint, key) for key in alerts.keys_by("firing", True))
        for number, (_, key) in enumerate(firing):
            if number % step == step - 1:
                await asyncio.sleep(0)
            alert = alerts.rows.get(key)
            if alert is not None and alert.ends_at is None and matches_all(wanted.filters, alert.labels):
                yield alert

    def _shown(self, alert: Alert, status: AlertStatus, receivers: list[str], now: datetime) -> GettableAlert:
        posted = alert.posted
        return GettableAlert(
            annotations={name: _plain(text) for name, text in sorted(alert.annotations.items())},
            endsAt=v2shapes.time(posted.ends_at if posted else now + self._inside.resolve_timeout()),
            fingerprint=alert.fingerprint,
            receivers=tuple(map(Named, receivers)),
            startsAt=v2shapes.time(posted.starts_at if posted else alert.starts_at),
            status=status,
            updatedAt=v2shapes.time(posted.updated_at if posted else alert.starts_at),
            generatorURL=posted.generator_url if posted and posted.generator_url else msgspec.UNSET,
            labels=v2shapes.sorted_labels(alert.labels),
        )


class Muting:
    """The silences that are active at a time, ready to be held against many alerts."""

    def __init__(self, view: View, now: datetime) -> None:
        self.now = now
        self._found: dict[tuple[str, str], list[tuple[str, tuple[Matcher, ...]]]] = {}
        for one in view.silences.rows.values():
            if one.state(now) == "active":
                self._found.setdefault(place_of(one), []).append((one.id, compiled(one.matchers)))

    @property
    def everywhere(self) -> int:
        """How many have no label by which they could be looked up."""
        return len(self._found.get(ANYWHERE, ()))

    def by(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Ids of those that mute an alert with these labels."""
        found = (each for place in places(labels) for each in self._found.get(place, ()))
        return tuple(sorted({id for id, matchers in found if matches_all(matchers, labels)}))


def _status(view: View, alert: Alert, muting: Muting) -> AlertStatus:
    above = (view.alerts.rows.get(key) for key in (alert.held_by, alert.explained_by) if key is not None)
    inhibited = tuple(sorted({each.fingerprint for each in above if each is not None}))
    silenced = muting.by(alert.labels)
    hinted = (HINT,) if alert.muted_until is not None and alert.muted_until > muting.now else ()
    return AlertStatus(
        inhibitedBy=inhibited,
        mutedBy=hinted,
        silencedBy=silenced,
        state="suppressed" if inhibited or silenced or hinted else "active",
    )


def _muted(status: AlertStatus, names: tuple[str, ...]) -> AlertStatus:
    if not names:
        return status
    return msgspec.structs.replace(status, mutedBy=(*status.mutedBy, *names), state="suppressed")


def _place(alert: GettableAlert) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return alert.labels.get("job", ""), alert.labels.get("instance", ""), tuple(alert.labels.items())
