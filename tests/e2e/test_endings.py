"""How the process ends: with exit code 0 and in ten seconds when it is told to, whatever hangs; with 1 and one sentence
when it cannot go on."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pair import ELECTION, Pair, Replica
from tests.support.postgres import PostgresServer
from watcher.demo import DemoCluster
from watcher.demo.faults import Hang
from watcher.engine.worker import LEASE
from watcher.settings.shipped import directory
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.postgres

WITHIN = 10.0
SOON = {"group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}


class World:
    def __init__(self, demo: DemoCluster, server: PostgresServer, folder: Path) -> None:
        self.demo = demo
        self.server = server
        self.pair = Pair(folder, demo, server)
        self.one, self.other = self.pair.replicas

    def configure(self, election: dict[str, Any], *integrations: dict[str, Any], **keys: Any) -> None:
        receiver: dict[str, Any] = {"name": "r"}
        for one in integrations:
            receiver |= one
        self.pair.configure(
            election, route={"receiver": "r", **SOON}, receivers=[receiver], http={"open_writes": True}, **keys
        )

    async def posted(self, replica: Replica, name: str) -> int:
        return (await replica.ask("POST", "/api/v2/alerts", [{"labels": {"alertname": name}}])).status


@pytest.fixture
async def world(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[World]:
    async with DemoCluster() as demo:
        demo.world.add_node("node-1")
        found = World(demo, postgres, tmp_path)
        yield found
        for replica in (found.one, found.other):
            if hasattr(replica, "process"):
                await replica.removed()


async def ends(replica: Replica, number: signal.Signals = signal.SIGTERM) -> None:
    now = asyncio.get_running_loop().time
    begun = now()
    assert await replica.ended(number) == 0, replica.log[-3000:]
    assert now() - begun < WITHIN, replica.log[-3000:]
    raised = [line for line in replica.lines() if "error.stack_trace" in line]
    # SQLAlchemy says so of a connection that it closes while the database hangs.
    assert all(line["log.logger"].startswith("sqlalchemy.pool") for line in raised), raised


@contextlib.asynccontextmanager
async def mute() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """(port, somebody came) of a server that takes connections and never says a word."""
    came, over = asyncio.Event(), asyncio.Event()

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_server(taken, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came
        over.set()


async def test_a_leader_whose_database_hangs(world: World) -> None:
    world.configure(ELECTION)
    await world.one.begin()
    await world.one.until("/metrics", lambda answer: b"watcher_is_leader 1.0" in answer.body)
    with world.server.frozen():
        waiting = asyncio.create_task(world.posted(world.one, "Waiting"))
        await asyncio.sleep(0.5)
        await ends(world.one)
        (status,) = await asyncio.gather(waiting, return_exceptions=True)
        assert status == 503


async def test_with_a_database_that_hangs_at_the_start(world: World) -> None:
    world.configure({})
    with world.server.frozen():
        await world.one.begin()
        await asyncio.sleep(1.5)
        assert world.one.process.returncode is None
        await ends(world.one)


async def test_a_standby_whose_database_and_api_server_hang(world: World) -> None:
    world.configure(ELECTION)
    async with world.pair.running() as (_, standby):
        world.demo.faults.apply(Hang())
        with world.server.frozen():
            asking = asyncio.create_task(standby.ask("GET", "/-/ready"))
            await asyncio.sleep(0.5)
            await ends(standby)
            await asyncio.gather(asking, return_exceptions=True)


async def test_by_the_keyboard_with_a_mail_server_that_hangs_in_a_thread(world: World) -> None:
    async with mute() as (port, came):
        mail = {
            "to": "ops@example.com",
            "from": "w@example.com",
            "smarthost": f"127.0.0.1:{port}",
            "require_tls": False,
        }
        world.configure({}, {"email_configs": [mail]})
        await world.one.begin()
        await world.one.ready()
        assert await world.posted(world.one, "Mailed") == 200
        await asyncio.wait_for(came.wait(), 30)
        await ends(world.one, signal.SIGINT)


async def test_who_is_alone_ends_with_one_sentence_when_another_has_taken_over_its_store(world: World) -> None:
    world.configure({})
    await world.one.begin()
    await world.one.ready()
    url = world.server.url(world.pair.database)
    store = SqlStore(url, directory("alembic"), owner="other", lease_for=LEASE)
    await store.open()
    await store.take_over("other/1", "")
    await store.close()
    with contextlib.suppress(OSError):
        assert await world.posted(world.one, "Late") == 503
    async with asyncio.timeout(WITHIN):
        assert await world.one.process.wait() == 1
    (said,) = [line for line in world.one.log.splitlines() if not line.startswith("{")]
    assert said.startswith("watcher: ")
    assert "other/1 (epoch 2)" in said
    assert "leader_election" in said
