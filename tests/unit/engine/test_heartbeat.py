"""The heartbeat goes while everything is alive, and says nothing of its URL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from tests.support.clocks import StandingClock
from tests.support.keeper import Keeper
from watcher.deliver.heartbeat import HeartbeatUrl
from watcher.engine.heartbeat import Heartbeat
from watcher.model.config import Secret

TOKEN = "5ECRET-in-the-path"


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    made = Keeper()
    await made.start()
    yield made
    await made.stop()


class Stage:
    def __init__(self, session: ClientSession, port: int) -> None:
        self.trouble: list[str] = []
        url = Secret(f"http://127.0.0.1:{port}/ping/{TOKEN}")
        self.clock = StandingClock()
        self.heartbeat = Heartbeat(HeartbeatUrl(session, url), lambda: self.trouble, self.clock)


@pytest.fixture
async def stage(keeper: Keeper) -> AsyncIterator[Stage]:
    async with ClientSession() as session:
        yield Stage(session, keeper.port)


async def test_the_url_is_called_while_everything_is_alive(keeper: Keeper, stage: Stage) -> None:
    await stage.heartbeat.step()
    await stage.heartbeat.step()
    assert keeper.calls == [("GET", f"/ping/{TOKEN}")] * 2
    assert stage.heartbeat.stats.last_success == stage.clock.now().timestamp()


async def test_the_loop_calls_at_once_and_then_waits(keeper: Keeper, stage: Stage) -> None:
    loop = asyncio.create_task(stage.heartbeat.run())
    async with asyncio.timeout(10):
        while stage.heartbeat.stats.last_success is None:
            await asyncio.sleep(0.005)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert len(keeper.calls) == 1


async def test_nothing_is_called_while_something_is_not_alive_and_the_reason_is_logged_once(
    keeper: Keeper, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stage.trouble = ["pods of the cluster: nothing was heard of it"]
    await stage.heartbeat.step()
    await stage.heartbeat.step()
    assert keeper.calls == []
    assert stage.heartbeat.stats.withheld == 2
    assert [(record.levelname, record.__dict__["reason"]) for record in caplog.records] == [
        ("WARNING", "pods of the cluster: nothing was heard of it")
    ]
    stage.trouble = []
    await stage.heartbeat.step()
    assert len(keeper.calls) == 1
    assert caplog.records[-1].__dict__["event"] == "heartbeat.sent"


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_an_answer_that_is_not_2xx_is_a_failure_and_no_redirect_is_followed(
    keeper: Keeper, stage: Stage, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    keeper.status = status
    await stage.heartbeat.step()
    assert len(keeper.calls) == 1
    assert (stage.heartbeat.stats.failures, stage.heartbeat.stats.last_success) == (1, None)
    assert f"answered {status}" in caplog.records[-1].__dict__["reason"]


async def test_the_url_stands_in_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ClientSession() as session:
        stage = Stage(session, 1)
        await stage.heartbeat.step()
    assert stage.heartbeat.stats.failures == 1
    assert caplog.records
    assert TOKEN not in "".join(str(record.__dict__) for record in caplog.records)
