"""The loops that read the configuration again outlive whatever happens to its files. (What they do when all goes well
is in tests/e2e/test_reload.py.)"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from watcher.app import reloading
from watcher.app.reloading import Reloader
from watcher.engine.clock import SystemClock
from watcher.settings.live import LiveConfig
from watcher.settings.records import Settings

CONFIG = "cluster: {}\nroute: {{receiver: one}}\nreceivers: [{{name: one}}]\n"


class FakeLive:
    def __init__(self) -> None:
        self.adopted: list[str] = []
        self.refused: list[str] = []
        self.trouble: Exception | None = None

    async def adopt(self, settings: Settings) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.adopted.append(settings.cluster)

    async def reject(self, errors: int, reason: str) -> None:
        self.refused.append(reason)


class World:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "there" / "config.yaml"
        self.file.parent.mkdir()
        self.live = FakeLive()
        self.write("one")
        config = LiveConfig(self.file)
        config.load()
        self.reloader = Reloader(config, self.live, SystemClock())

    def write(self, name: str) -> None:
        self.file.write_text(CONFIG.format(name))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reloader.run())
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, *adopted: str) -> None:
        async with asyncio.timeout(20):
            while tuple(self.live.adopted) != adopted:
                await asyncio.sleep(0.02)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_what_we_did_not_think_of_is_a_refusal_and_the_next_one_is_read(world: World) -> None:
    async with world.running():
        world.live.trouble = RuntimeError("a mistake of the program")
        assert await world.reloader.reload() == "a mistake of the program"
        assert not world.reloader.stats.last_success
        assert world.live.refused == ["a mistake of the program"]
        world.live.trouble = None
        world.write("two")
        await world.until("two")
        assert world.reloader.stats.last_success


async def test_a_directory_that_goes_away_is_read_again_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "LOOK_EVERY", 0.2)
    elsewhere = world.file.parent.with_name("elsewhere")
    async with world.running():
        world.file.parent.rename(elsewhere)
        async with asyncio.timeout(20):
            while not world.live.refused:
                await asyncio.sleep(0.02)
        elsewhere.rename(world.file.parent)
        await world.until("one")
        world.write("two")
        await world.until("one", "two")
    assert len(world.live.refused) == 1


async def test_where_the_system_tells_of_no_changes_they_are_looked_for_and_that_is_said_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = 0

    def no_more(*_: Path, **__: object) -> AsyncIterator[None]:
        nonlocal looks
        looks += 1
        raise OSError("OS file watch limit reached.")

    monkeypatch.setattr(reloading, "awatch", no_more)
    with caplog.at_level(logging.WARNING):
        async with world.running():
            world.write("two")
            await world.until("two")
            async with asyncio.timeout(20):
                while looks < 3:
                    await asyncio.sleep(0.02)
    assert [one.getMessage() for one in caplog.records] == ["changes of files are not told"]
