"""Evidence: what fires asks for it; it is fetched beside the detection path and comes back as an input.

Every request is answered, since a first message waits for its evidence: what is too much for the API server at once
(a storm), or waited too long for its turn, is answered with the reason why there is none. The budget is a token bucket
over all requests, of which each costs at most seven GETs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta

import msgspec

from watcher.engine.stats import SENDING, Buckets
from watcher.model.evidence import Evidence, EvidenceRequest
from watcher.model.observations import EvidenceArrived
from watcher.ports import Clock, EvidenceFetcher, Intake

log = logging.getLogger("watcher.evidence")

WORKERS = 4
"""Fetched at once."""
WITHIN = timedelta(seconds=5)
"""Half of the default group_wait: a first message has its log lines in all but bad times."""
WAITING = 30
"""Requests that wait for a worker: in the worst case the last one has its turn after 40 s."""
BURST = 30
PER_MINUTE = 60

TOO_MANY = "too many alerts at once: not fetched"
BROKEN = "it could not be fetched: Watcher's log says more"


class EvidenceStats(msgspec.Struct):
    """Counters since the start."""

    fetched: int = 0
    incomplete: int = 0
    """Of these, with something missing."""
    refused: int = 0
    """Beyond the budget: answered without a fetch."""
    seconds: Buckets = msgspec.field(default_factory=lambda: Buckets(SENDING))
    """Of each fetch."""


class EvidenceLoop:
    def __init__(self, fetcher: EvidenceFetcher, intake: Intake, clock: Clock) -> None:
        self.stats = EvidenceStats()
        self._fetcher = fetcher
        self._intake = intake
        self._clock = clock
        self._queue: asyncio.Queue[EvidenceRequest] = asyncio.Queue(WAITING)
        self._refused: asyncio.Queue[EvidenceRequest] = asyncio.Queue()
        """One entry per alert that began, at most: as many as the core holds anyway."""
        self._tokens = float(BURST)
        self._filled_at = clock.monotonic()
        self._storm = False

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def ask(self, requests: Iterable[EvidenceRequest]) -> None:
        """Never waits."""
        for request in requests:
            if not self._queue.full() and self._afforded():
                self._storm = False
                self._queue.put_nowait(request)
                continue
            if not self._storm:
                log.warning("too many alerts at once: some go without evidence", extra={"event": "evidence.refused"})
            self._storm = True
            self.stats.refused += 1
            self._refused.put_nowait(request)

    def _afforded(self) -> bool:
        now = self._clock.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * PER_MINUTE / 60)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._refuse(), name="evidence/refused")
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"evidence/{number}")

    async def _work(self) -> None:
        while True:
            request = await self._queue.get()
            begun = self._clock.monotonic()
            found = await self._fetch(request)
            self.stats.seconds.add(self._clock.monotonic() - begun)
            self.stats.fetched += 1
            self.stats.incomplete += bool(found.missing)
            await self._intake.put(EvidenceArrived(at=self._clock.now(), evidence=found))

    async def _fetch(self, request: EvidenceRequest) -> Evidence:
        try:
            return await self._fetcher.fetch(request, WITHIN)
        except Exception:  # the guard of the loop: what a cluster's bytes did to a fetch must not end the service
            log.exception("evidence could not be fetched", extra={"event": "evidence.broken"})
            return unanswered(request, BROKEN)

    async def _refuse(self) -> None:
        while True:
            request = await self._refused.get()
            await self._intake.put(EvidenceArrived(at=self._clock.now(), evidence=unanswered(request, TOO_MANY)))


def unanswered(request: EvidenceRequest, why: str) -> Evidence:
    """What stands for evidence that was not fetched."""
    return Evidence(
        alert=request.alert,
        pod=request.pod,
        container=request.container,
        container_id=request.container_id,
        missing=why,
    )
