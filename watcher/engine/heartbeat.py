"""The heartbeat: a URL of somebody else's is called every minute while Watcher does its work.

Whoever keeps that URL (healthchecks.io, Dead Man's Snitch, …) tells people when the calls stop. That is the only way to
hear of a Watcher that is gone, hangs, or cannot deliver. So it is called only while streams, writer and deliveries are
alive, and not for the process' being there. The call itself is deliver/heartbeat.py's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import msgspec

from watcher.ports import Clock

log = logging.getLogger("watcher.heartbeat")

EVERY = timedelta(minutes=1)

Vital = Callable[[], Sequence[str]]
"""Why Watcher does not do its work, one sentence each; nothing when it does."""

Ping = Callable[[], Awaitable[str]]
"""Calls the URL; why that failed, without the URL; empty when it was answered."""


class HeartbeatStats(msgspec.Struct):
    calls: int = 0
    failures: int = 0
    """Calls that were not answered well."""
    withheld: int = 0
    """Minutes without a call, since something was not alive."""
    last_success: float | None = None
    """Seconds since 1970."""


class Heartbeat:
    def __init__(self, ping: Ping, vital: Vital, clock: Clock) -> None:
        self.stats = HeartbeatStats()
        self._ping = ping
        self._vital = vital
        self._clock = clock
        self._said: tuple[str, ...] = ()

    async def run(self) -> None:
        """The pause is in the machine's time, not in the demo's: it is people who wait at the other end."""
        while True:
            await self.step()
            await asyncio.sleep(EVERY.total_seconds())

    async def step(self) -> None:
        reasons = tuple(self._vital())
        if reasons:
            self.stats.withheld += 1
            self._say(reasons, "heartbeat.withheld")
            return
        self.stats.calls += 1
        if failure := await self._ping():
            self.stats.failures += 1
            self._say((failure,), "heartbeat.failed")
            return
        self.stats.last_success = self._clock.now().timestamp()
        self._say((), "heartbeat.sent")

    def _say(self, reasons: tuple[str, ...], event: str) -> None:
        """On change only: a minute is short."""
        if reasons == self._said:
            return
        self._said = reasons
        if reasons:
            log.warning("no heartbeat", extra={"event": event, "reason": "; ".join(reasons)})
        else:
            log.info("the heartbeat goes again", extra={"event": event})
