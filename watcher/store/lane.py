"""Transactions in threads of their own, for a driver that is synchronous: each runs whole, from BEGIN to COMMIT.

A thread and not the event loop waits for the disk, and the two meet once for a transaction. Who is cancelled stops
waiting, no more: what runs goes on to its end, and what comes next comes after it; only what had not begun never
happens. So a transaction whose waiter was cancelled may have happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")


class Lane:
    """Runs at most `width` transactions at once, begun in their order; the engine has as many connections."""

    def __init__(self, engine: Engine, width: int, name: str) -> None:
        self.engine = engine
        self._threads = ThreadPoolExecutor(width, thread_name_prefix=name)

    async def run(self, function: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._threads.submit(self._transaction, function))

    def end(self) -> None:
        """Let what was given to it end, and close the connections. Blocks: not for the event loop."""
        self._threads.shutdown()
        self.engine.dispose()

    def _transaction(self, function: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return function(connection)
