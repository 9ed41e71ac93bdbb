"""Waiting for the first of several things, and giving up what takes too long for a process that is to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any


async def first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Until one of them ends; the others are cancelled. Raises what that one raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await ended(tasks)
    for task in done:
        task.result()


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel them, and wait until they are through with it."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def given_up(stop: asyncio.Event) -> AsyncIterator[None]:
    """What is inside is cancelled when `stop` is set, and the program goes on behind it: look at `stop` there."""
    scope = asyncio.timeout(None)

    async def watch() -> None:
        await stop.wait()
        scope.reschedule(asyncio.get_running_loop().time())

    watching = asyncio.create_task(watch())
    try:
        async with scope:
            yield
    except TimeoutError:
        if not scope.expired():
            raise
    finally:
        watching.cancel()
