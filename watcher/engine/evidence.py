"""Evidence: what fires asks for its log tail; it is fetched beside the detection path and comes back as an input."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta

from watcher.model.evidence import EvidenceRequest
from watcher.model.observations import EvidenceArrived
from watcher.ports import Clock, EvidenceFetcher, Intake

log = logging.getLogger("watcher.evidence")

WORKERS = 4
WITHIN = timedelta(seconds=5)
"""Half of the default group_wait: a first message has its log lines in all but bad times."""
WAITING = 1000
"""More requests than this at once are dropped: the alerts are told without log lines."""


class EvidenceLoop:
    def __init__(self, fetcher: EvidenceFetcher, intake: Intake, clock: Clock) -> None:
        self._fetcher = fetcher
        self._intake = intake
        self._clock = clock
        self._queue: asyncio.Queue[EvidenceRequest] = asyncio.Queue(WAITING)

    def ask(self, requests: Iterable[EvidenceRequest]) -> None:
        for request in requests:
            try:
                self._queue.put_nowait(request)
            except asyncio.QueueFull:
                log.warning("too much evidence is wanted at once", extra={"event": "evidence.dropped"})

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"evidence/{number}")

    async def _work(self) -> None:
        while True:
            request = await self._queue.get()
            found = await self._fetcher.fetch(request, WITHIN)
            await self._intake.put(EvidenceArrived(at=self._clock.now(), evidence=found))
