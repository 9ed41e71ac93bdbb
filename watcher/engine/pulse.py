"""Whether the store answers, and is still ours, while nothing has to be written: an idle Watcher would not notice."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from watcher.ports import Fenced, Store, StoreError

log = logging.getLogger("watcher.store")

EVERY = timedelta(seconds=5)


class Pulse:
    """`away` may be read at any time. `epoch`: ours; what is written is checked by the store itself."""

    def __init__(self, store: Store, epoch: int) -> None:
        self.away = False
        self._store = store
        self._epoch = epoch

    async def run(self) -> None:
        """Until somebody else has taken over: Fenced."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            await self.feel()

    async def feel(self) -> None:
        try:
            leader = await self._store.leader()
        except StoreError as error:
            if not self.away:
                log.error("the store does not answer", extra={"event": "store.away", "error": str(error)})
            self.away = True
            return
        self.away = False
        if leader is not None and leader.epoch != self._epoch:
            raise Fenced(f"{leader.holder} has taken over the store (epoch {leader.epoch}; ours was {self._epoch}).")
