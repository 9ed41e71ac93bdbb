"""A slow database, receiver or connection: reading goes on, and in the end everything is known and told once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.integration.faults.story import begin, change, end
from tests.integration.faults.world import START, World
from tests.integration.source.harness import SystemClock
from watcher.demo import DemoCluster, DemoOptions
from watcher.demo.faults import Clear, DropWatches, Slow
from watcher.source.client import connect

MANY = 4000


async def churn(world: World, count: int = MANY, pods: int = 20) -> None:
    """Many changes of a few pods."""
    for number in range(count):
        patch = {"metadata": {"labels": {"turn": str(number)}}}
        world.demo.cluster.apply("Pod", "shop", f"busy-{number % pods}", patch)
        if number % 200 == 0:
            await asyncio.sleep(0)


async def test_a_database_that_does_not_answer_never_closes_the_watch(world: World) -> None:
    for number in range(20):
        world.put(f"busy-{number}")
    await begin(world)
    events = world.watcher.stream.stats.events
    world.store.gate.clear()
    world.put("loop-1", loops=True, restarts=7)
    await world.until(lambda: world.watcher.writer.busy)

    await churn(world)
    await world.until(lambda: world.watcher.stream.stats.events >= events + MANY)
    assert world.watcher.writer.busy, "it still waits for the database"
    assert len(world.watcher.queue) <= 25, "one version of each pod waits"
    assert world.watcher.queue.coalesced >= MANY - 25

    change(world)
    world.store.gate.set()
    await end(world)
    assert world.requests("watch") == 1
    assert world.errors() == {}


async def test_a_receiver_that_does_not_answer_never_closes_the_watch(world: World) -> None:
    for number in range(20):
        world.put(f"busy-{number}")
    await begin(world)
    world.inbox.gate.clear()
    change(world)
    await churn(world)
    await world.seen()
    world.hand.move(11)
    await world.until(lambda: world.watcher.dispatcher.waiting() > 0)
    assert world.watcher.pods() == world.server()
    world.inbox.gate.set()
    await end(world)
    assert world.requests("watch") == 1


async def test_a_queue_that_is_full_of_other_objects(world: World) -> None:
    """The database is away while more pods change than may wait: they are listed once there is room."""
    world.capacity = 12
    await begin(world)
    world.store.gate.clear()
    world.put("loop-1", loops=True, restarts=7)
    await world.until(lambda: world.watcher.writer.busy)
    for number in range(40):
        world.put(f"more-{number}")
    await world.until(lambda: world.watcher.queue.refused > 0)
    assert len(world.watcher.queue) <= 12
    change(world)
    world.store.gate.set()
    await end(world)


async def test_a_consumer_that_is_too_slow_for_the_server(tmp_path: Path) -> None:
    """The API server closes a watch that falls out of its history with a clean end (cacher.go); then that is gone."""
    async with DemoCluster(DemoOptions(manual=True, start=START, window=20)) as demo:
        client = await connect(SystemClock(), str(demo.kubeconfig(tmp_path / "narrow")))
        narrow = World(demo, client)
        demo.faults.apply(Slow(verb="watch", bytes_per_second=10_000))
        await begin(narrow)
        lists = narrow.watcher.stream.stats.lists
        for number in range(20):
            narrow.put(f"busy-{number}")
        await churn(narrow, count=600)
        change(narrow)
        demo.faults.apply(Clear())
        await narrow.until(lambda: narrow.watcher.stream.stats.lists > lists, within=20)
        await end(narrow)
        assert narrow.errors()["expired"] >= 1
        await narrow.watcher.kill()
        await client.close()


async def test_a_process_that_is_killed_and_begins_again(world: World) -> None:
    await begin(world)
    await world.watcher.kill()
    change(world)
    await world.start()
    await end(world)


async def test_a_process_that_is_killed_while_it_lists(world: World) -> None:
    await begin(world)
    await world.watcher.kill()
    change(world)
    world.demo.faults.apply(Slow(verb="list", delay=0.05, times=2))
    await world.start()
    await world.until(lambda: any(state.listing for state in world.watcher.writer.view.scopes.rows.values()))
    world.demo.faults.apply(DropWatches(abrupt=True))
    await world.restart()
    world.demo.faults.apply(Clear())
    await end(world)
