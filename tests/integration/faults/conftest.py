"""Fixtures: an emulated cluster whose time stands still, a client of it, and Watchers that end with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.faults.world import START, World
from tests.integration.source.harness import SystemClock
from watcher.demo import DemoCluster, DemoOptions
from watcher.source.client import connect


@pytest.fixture
async def demo() -> AsyncIterator[DemoCluster]:
    async with DemoCluster(DemoOptions(manual=True, start=START)) as cluster:
        yield cluster


@pytest.fixture
async def world(demo: DemoCluster, tmp_path: Path) -> AsyncIterator[World]:
    client = await connect(SystemClock(), str(demo.kubeconfig(tmp_path / "kubeconfig")))
    made = World(demo, client)
    yield made
    if hasattr(made, "watcher"):
        made.watcher.check()
        await made.watcher.kill()
    await made.client.close()
