"""Another configuration at an unhappy moment: before the loops run, at the end, while nobody leads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clocks import BEGIN
from watcher.app import RunOptions
from watcher.app.process import Process, prepared
from watcher.app.service import Service
from watcher.model.observations import SilenceExpireAsked
from watcher.settings.load import load
from watcher.settings.records import Settings

CONFIG = """\
cluster: NAME
first_start: alert
heartbeat: {url: "http://127.0.0.1:9/"}
route: {receiver: one, group_by: [NAME]}
receivers: [{name: one, webhook_configs: [{url: "http://127.0.0.1:9/"}]}]
"""


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: Process

    def settings(self, name: str) -> Settings:
        (self.folder / "config.yaml").write_text(CONFIG.replace("NAME", name))
        return load(self.folder / "config.yaml").with_overrides(data=self.folder, listen="127.0.0.1:0")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    found = World(tmp_path)
    async with prepared(found.settings("before"), RunOptions(watch=False)) as found.process:
        yield found


@contextlib.asynccontextmanager
async def running(service: Service) -> AsyncIterator[asyncio.Event]:
    """It has to end by itself when it is told to."""
    stop = asyncio.Event()
    task = asyncio.create_task(service.run(stop))
    try:
        yield stop
        stop.set()
        await asyncio.wait_for(task, 15)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_that_comes_before_the_loops_run_waits_for_them(world: World) -> None:
    process = world.process
    async with process.working(process.outside) as service:
        adopting = asyncio.create_task(process.adopt(world.settings("after")))
        await asyncio.sleep(0.05)
        assert not adopting.done()
        async with running(service):
            await asyncio.wait_for(adopting, 10)
            assert service.settings.cluster == service.writer.core.cluster == "after"


async def test_one_that_comes_with_the_end_does_not_hold_it_up(world: World) -> None:
    process = world.process
    async with process.working(process.outside) as service, running(service) as stop:
        await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(process.adopt(world.settings("after")), 10)
    assert process.settings.cluster == "after"


async def test_one_that_comes_when_all_is_over_is_that_of_the_next_turn(world: World) -> None:
    process = world.process
    async with process.working(process.outside) as service:
        async with running(service):
            await asyncio.sleep(0.05)
        await asyncio.wait_for(process.adopt(world.settings("after")), 10)
    async with process.working(process.outside) as service:
        assert service.writer.core.cluster == "after"


async def test_one_that_comes_to_a_standby_whose_store_is_away_is_in_force(world: World) -> None:
    process = world.process
    await process._stand_by()
    await process._store.close()
    await process.adopt(world.settings("after"))
    assert process.settings.cluster == "after"
    assert process._service is not None
    assert process._service.writer.core.cluster == "after"
    await process._store.open()
    async with process.working(process.outside) as service:
        assert service.writer.core.cluster == "after"


async def test_one_that_comes_while_nobody_answers_and_the_store_is_away_is_that_of_the_next_turn(world: World) -> None:
    process = world.process
    await process._store.close()
    await process.adopt(world.settings("after"))
    await process._store.open()
    await process._stand_by()
    assert process._service is not None
    assert process._service.writer.core.cluster == "after"


async def test_one_that_was_refused_while_standing_by_is_an_alert_of_who_leads_then(world: World) -> None:
    process = world.process
    await process._stand_by()
    await process.reject(2, "config.yaml:6: wrong")
    async with process.working(process.outside) as service, running(service):
        async with asyncio.timeout(20):
            while not any(key.alertname == "WatcherConfigRefused" for key in service.writer.view.alerts.rows):
                await asyncio.sleep(0.01)
    await process.adopt(world.settings("after"))
    async with process.working(process.outside) as service, running(service):
        async with asyncio.timeout(20):
            while any(alert.ends_at is None for alert in service.writer.view.alerts.rows.values()):
                await asyncio.sleep(0.01)


async def test_who_waits_for_an_answer_of_one_that_leads_no_more_hears_so_at_once(world: World) -> None:
    process = world.process
    asked = SilenceExpireAsked(at=BEGIN, request="r", id="x")
    async with process.working(process.outside) as service:
        waiting = asyncio.create_task(service.outcomes.ask(service.queue, asked, timedelta(minutes=5)))
        task = asyncio.create_task(service.run(asyncio.Event()))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await asyncio.wait_for(waiting, 10) is None
    assert await asyncio.wait_for(service.outcomes.ask(service.queue, asked, timedelta(minutes=5)), 10) is None
