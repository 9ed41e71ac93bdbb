"""The queue between sources and the writer: bounded, so that a slow store slows the sources and not the memory."""

from __future__ import annotations

import asyncio

from watcher.model.observations import Input

CAPACITY = 10_000
"""About ten seconds of the busiest cluster's updates (1,000/s), some 40 MB of decoded pods at the worst."""


class IntakeQueue:
    """The engine's `Intake`."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._queue: asyncio.Queue[Input] = asyncio.Queue(capacity)

    def __len__(self) -> int:
        return self._queue.qsize()

    async def put(self, observation: Input) -> None:
        if self._queue.full():
            await self._queue.put(observation)
        else:
            self._queue.put_nowait(observation)

    async def take(self, limit: int, within: float | None) -> list[Input]:
        """What is there, at least one unless `within` seconds pass first; at most `limit`."""
        batch: list[Input] = []
        if self._queue.empty():
            try:
                async with asyncio.timeout(within):
                    batch.append(await self._queue.get())
            except TimeoutError:
                return batch
        while len(batch) < limit and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch
