"""Retention: history older than `store.retention` is deleted in small slices, between the writer's commits."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from watcher.engine.stats import StoreStats
from watcher.ports import Clock, Store, StoreError

log = logging.getLogger("watcher.retention")

SLICE = 1_000
"""Rows a table and transaction: a few milliseconds in which the writer waits."""
PAUSE_BETWEEN = 0.1
EVERY = timedelta(hours=1)


class Retention:
    def __init__(self, store: Store, clock: Clock, keep: timedelta, stats: StoreStats | None = None) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._stats = stats or StoreStats()

    async def run(self) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(self._clock.until(self._clock.now() + EVERY))

    async def sweep(self) -> int:
        """Delete all that is too old; how many rows went."""
        gone = 0
        try:
            while slice_gone := await self._slice():
                gone += slice_gone
                await asyncio.sleep(PAUSE_BETWEEN)
        except StoreError as error:
            self._stats.failed("prune")
            log.warning("old history could not be deleted", extra={"event": "retention.failed", "error": str(error)})
        if gone:
            log.info("old history deleted", extra={"event": "retention.done", "rows": gone})
        return gone

    async def _slice(self) -> int:
        begun = self._clock.monotonic()
        gone = await self._store.prune(self._clock.now() - self._keep, SLICE)
        self._stats.took("prune", self._clock.monotonic() - begun)
        return gone
