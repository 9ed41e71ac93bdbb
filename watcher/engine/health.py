"""Whether we still hear of each stream: told to the core when it changes, so that silence becomes an alert.

A stream is blind when nothing was heard of it for too long, when it is not listed in time, when it can neither list
nor watch, or when it may no longer be read. What was forbidden from the start is no blindness: that is how the access
was given (readiness names it). The core makes an alert of it (`WatcherBlind`); the heartbeat stops for it too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from watcher.model.observations import Scope, StreamHealth
from watcher.ports import Clock, Intake

log = logging.getLogger("watcher.health")

LIMIT = timedelta(minutes=3)
"""Twice the silence (90 s) after which a stream connects anew: one connection that died is no blindness."""
EVERY = timedelta(seconds=5)


class Heard(Protocol):
    """What a stream says of itself; source/streams.py's StreamStats."""

    @property
    def scope(self) -> Scope: ...
    @property
    def lists(self) -> int: ...
    @property
    def watches(self) -> int: ...
    @property
    def watching(self) -> bool: ...
    @property
    def synced(self) -> bool: ...
    @property
    def forbidden(self) -> bool: ...
    @property
    def last_heard(self) -> float | None: ...


class _Look:
    """One stream and what was made of it so far. All times are monotonic seconds."""

    def __init__(self, stats: Heard, now: float) -> None:
        self.stats = stats
        self.told = ""
        """The reason that the core was told last; empty: all is well."""
        self._begun = now
        self._progress = (-1, -1)
        self._moved = now
        """When it last watched, or ended a list, or began a watch."""

    def blind(self, now: float, limit: float) -> tuple[str, float]:
        """(why, since when); an empty reason when it is heard."""
        stats = self.stats
        progress = (stats.lists, stats.watches)
        if stats.watching or progress != self._progress:
            self._progress, self._moved = progress, now
        heard = self._begun if stats.last_heard is None else stats.last_heard
        if not stats.synced:
            late = now - self._begun >= limit and not stats.forbidden
            return ("it has not been listed since the start", heard) if late else ("", now)
        if now - heard >= limit:
            # A 403 or two may be an API server that starts: its roles are read after it answers.
            return "it may not be read any more (403)" if stats.forbidden else "nothing was heard of it", heard
        if now - self._moved >= limit:
            return "it can be neither listed nor watched", self._moved
        return "", now


class HealthLoop:
    """`blind` may be read at any time: why not, by scope."""

    def __init__(self, streams: Sequence[Heard], intake: Intake, clock: Clock, limit: timedelta = LIMIT) -> None:
        self.blind: dict[Scope, str] = {}
        self._intake = intake
        self._clock = clock
        self._limit = limit.total_seconds()
        self._looks = [_Look(stats, clock.monotonic()) for stats in streams]

    async def run(self) -> None:
        while True:
            await self.step()
            await asyncio.sleep(EVERY.total_seconds())

    async def step(self) -> None:
        for look in self._looks:
            now = self._clock.monotonic()
            reason, since = look.blind(now, self._limit)
            scope = look.stats.scope
            if reason == look.told:
                continue
            if reason:
                self.blind[scope] = reason
            else:
                self.blind.pop(scope, None)
            _log(scope, reason)
            await self._tell(scope, reason, self._clock.now() - timedelta(seconds=now - since))
            look.told = reason

    async def _tell(self, scope: Scope, reason: str, since: datetime) -> None:
        stale = StreamHealth(at=self._clock.now(), scope=scope, stale_since=since if reason else None, reason=reason)
        await self._intake.put(stale)


def _log(scope: Scope, reason: str) -> None:
    fields = {"kind": scope.kind, "namespace": scope.namespace}
    if reason:
        log.error("a stream is blind", extra={"event": "stream.stale", "reason": reason, **fields})
    else:
        log.info("a stream is heard again", extra={"event": "stream.alive", **fields})
