"""A Lease on an emulated API server, and what it says of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

from tests.support.cutting import Cutter
from watcher.demo import DemoCluster
from watcher.engine.clock import SystemClock
from watcher.model.config import LeaderElectionConfig
from watcher.source.client import KubeClient
from watcher.source.lease import Lease

QUICK = LeaderElectionConfig(
    enabled=True,
    namespace="watcher",
    lease_duration=timedelta(seconds=15),
    renew_deadline=timedelta(seconds=10),
    retry_period=timedelta(milliseconds=20),
)
CREATED, READ, RENEWED = ("create", "leases"), ("get", "leases"), ("update", "leases")


class HandClock(SystemClock):
    """Its monotonic seconds are moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed


class Place:
    """An API server, and what it says of the Lease."""

    def __init__(self, demo: DemoCluster, client: KubeClient, cutter: Cutter) -> None:
        self.demo = demo
        self.cutter = cutter
        self._client = client

    def lease(self, identity: str = "a", config: LeaderElectionConfig = QUICK, clock: Any = None) -> Lease:
        return Lease(self._client, config, identity, clock or HandClock())

    @property
    def found(self) -> dict[str, Any]:
        found = self.demo.cluster.get("Lease", "watcher", "watcher")
        assert found is not None
        return found

    @property
    def holder(self) -> str:
        found = self.demo.cluster.get("Lease", "watcher", "watcher")
        return "" if found is None else str(found["spec"].get("holderIdentity", ""))

    def put(self, holder: str, seconds: int | None = 15, renewed: str = "2026-11-21T10:00:00.000000Z") -> None:
        spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": renewed, "leaseTransitions": 4}
        self.demo.cluster.put(
            {
                "kind": "Lease",
                "apiVersion": "coordination.k8s.io/v1",
                "metadata": {"name": "watcher", "namespace": "watcher"},
                "spec": {key: value for key, value in spec.items() if value is not None},
            }
        )

    async def asked(self, what: tuple[str, str], times: int = 2) -> None:
        """Until so many more such requests have come: the one before the last has been judged."""
        wanted = self.demo.counts[what] + times
        await until(lambda: self.demo.counts[what] >= wanted)


async def until(condition: Callable[[], object], within: float = 20.0) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def meanwhile(lease: Lease, what: str = "acquire") -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(getattr(lease, what)())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def got(lease: Lease, within: float = 20.0) -> None:
    async with asyncio.timeout(within):
        await lease.acquire()
