"""Alerts that were posted through a standby are seen there, though the leader judges them after its answer."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.clocks import BEGIN
from tests.unit.app import test_standby
from tests.unit.app.test_standby import World
from watcher.app import standby

world = test_standby.world


async def test_who_posted_alerts_here_sees_them_here_when_the_leader_has_judged_them(world: World) -> None:
    """The leader lets a reader wait for that."""
    await world.ask("GET", "/api/v2/alerts")
    world.store.last = BEGIN.replace(year=BEGIN.year + 1)
    assert (await world.ask("POST", "/api/v2/alerts"))[0] == 200
    await world.ask("GET", "/-/ready")
    assert [one.method for one in world.leader.seen] == ["POST"]
    world.store.last = BEGIN.replace(year=BEGIN.year + 2)
    await world.ask("GET", "/api/v2/alerts")
    assert world.store.loads == 3
    await world.ask("GET", "/api/v2/alerts")
    assert [one.method for one in world.leader.seen] == ["POST", "HEAD"]


async def test_a_leader_that_does_not_judge_is_not_waited_for_without_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "JUDGED_WITHIN", 0.1)
    assert (await world.ask("POST", "/api/v2/alerts"))[0] == 200
    end = asyncio.Event()

    async def never(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await end.wait()
        writer.close()

    silent = await asyncio.start_server(never, "127.0.0.1", 0)
    async with silent, asyncio.timeout(20):
        world.store.address = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        assert (await world.ask("GET", "/api/v2/alerts"))[0] == 200
        end.set()


@pytest.mark.parametrize("gone", ["the store", "the leader"])
async def test_where_nobody_can_say_whether_they_are_judged_the_answer_is_what_is_known(
    world: World, gone: str
) -> None:
    assert (await world.ask("POST", "/api/v2/alerts"))[0] == 200
    world.store.away, world.store.address = gone == "the store", None
    assert (await world.ask("GET", "/api/v2/alerts"))[0] == 200
