"""What waits for a process that may be told to end at any moment."""

from __future__ import annotations

import asyncio

import pytest

from watcher.app.waiting import first, given_up


async def test_what_takes_too_long_is_given_up_when_told_to_stop() -> None:
    stop, over = asyncio.Event(), False
    asyncio.get_running_loop().call_later(0.02, stop.set)
    async with asyncio.timeout(10), given_up(stop):
        try:
            await asyncio.Event().wait()
        finally:
            over = True
    assert over


async def test_what_ends_in_time_ends_as_it_would() -> None:
    stop, done = asyncio.Event(), False
    async with given_up(stop):
        await asyncio.sleep(0)
        done = True
    assert done
    stop.set()
    await asyncio.sleep(0.01)


async def test_it_is_given_up_at_once_where_it_was_told_before() -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(10), given_up(stop):
        await asyncio.Event().wait()


@pytest.mark.parametrize("error", [TimeoutError("its own"), ValueError("wrong")], ids=["a time limit", "another"])
async def test_an_error_of_what_is_inside_is_its_own(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        async with given_up(asyncio.Event()):
            raise error
    assert raised.value is error


async def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    async def waits() -> None:
        async with given_up(asyncio.Event()):
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_first_that_ends_ends_all_and_its_error_counts() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("other")

    async def fails() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await first(waits(), fails())
    assert ended == ["other"]
