"""Fixtures: an emulated cluster, a client of it, and streams that end with the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.integration.source.harness import SHORT, Memory, SystemClock
from watcher.demo import DemoCluster
from watcher.model.observations import Scope
from watcher.source.client import KubeClient, connect
from watcher.source.kube import ListWatch
from watcher.source.streams import StreamSettings

Watching = Callable[..., ListWatch]


@pytest.fixture
async def demo() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as cluster:
        yield cluster


@pytest.fixture
async def client(demo: DemoCluster, tmp_path: Path) -> AsyncIterator[KubeClient]:
    made = await connect(SystemClock(), str(demo.kubeconfig(tmp_path / "kubeconfig")))
    yield made
    await made.close()


@pytest.fixture
def intake() -> Memory:
    return Memory()


@pytest.fixture
async def watching(client: KubeClient, intake: Memory) -> AsyncIterator[Watching]:
    """Starts streams: `watching()`, `watching(Scope(...), settings)`; they end with the test."""
    tasks: list[asyncio.Task[None]] = []

    def start(scope: Scope | None = None, settings: StreamSettings = SHORT) -> ListWatch:
        stream = ListWatch(client, scope or Scope(kind="Pod"), intake, SystemClock(), settings)
        tasks.append(asyncio.create_task(stream.run()))
        return stream

    yield start
    for task in tasks:
        assert not task.done(), "a stream ended unasked"
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
