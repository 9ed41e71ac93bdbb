"""What the tests of the sources share: a clock, an intake that remembers, short waiting times, small pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from watcher.demo import DemoCluster
from watcher.model.kube import KubeObject
from watcher.model.observations import EventType, Forbidden, Input, Listing, Seen, Synced, object_of
from watcher.source.streams import StreamSettings


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.now()).total_seconds())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def steady(self) -> float:
        return self.monotonic()


class Memory:
    """An intake that keeps what it was given, and what a receiver would know from it."""

    def __init__(self) -> None:
        self.seen: list[Input] = []
        self.known: dict[tuple[str, str], KubeObject] = {}
        self.full = False
        """Watch events are refused."""
        self.asked_for_room = 0
        self._listed: set[tuple[str, str]] = set()
        self._after: dict[int, Callable[[], object]] = {}

    def after(self, count: int, action: Callable[[], object]) -> None:
        """Do something as soon as that many observations have come."""
        self._after[count] = action

    async def put(self, observation: Input) -> None:
        self._take(observation)

    def offer(self, observation: Input) -> bool:
        if not self.full:
            self._take(observation)
        return not self.full

    async def room(self) -> None:
        self.asked_for_room += 1
        while self.full:
            await asyncio.sleep(0.002)

    def _take(self, observation: Input) -> None:
        self.seen.append(observation)
        if action := self._after.pop(len(self.seen), None):
            action()
        if isinstance(observation, Listing):
            self._listed = set()
        elif isinstance(observation, Synced) and observation.complete:
            self.known = {key: item for key, item in self.known.items() if key in self._listed}
        elif isinstance(observation, Seen):
            item = object_of(observation)
            key = (item.metadata.namespace, item.metadata.name)
            if observation.event is EventType.DELETED:
                self.known.pop(key, None)
            else:
                self.known[key] = item
                self._listed.add(key)

    def words(self) -> list[str]:
        """The observations as one word each: LISTING, LISTED web-1, SYNCED, MODIFIED web-1, FORBIDDEN …"""
        return [_word(observation) for observation in self.seen]

    @property
    def versions(self) -> dict[tuple[str, str], str]:
        return {key: item.metadata.resource_version for key, item in self.known.items()}


def _word(observation: Input) -> str:
    if isinstance(observation, Seen):
        return f"{observation.event} {object_of(observation).metadata.name}"
    if isinstance(observation, Listing | Synced | Forbidden):
        return type(observation).__name__.upper()
    raise AssertionError(f"no stream says {observation}")


SHORT = StreamSettings(
    page_size=3,
    silence=timedelta(seconds=30),
    watch_least=timedelta(seconds=30),
    watch_most=timedelta(seconds=40),
    backoff_first=timedelta(milliseconds=4),
    backoff_most=timedelta(milliseconds=20),
    forbidden_retry=timedelta(milliseconds=30),
    short_watch=timedelta(milliseconds=5),
)
"""The production rules at a speed that tests can wait for."""


async def until(condition: Callable[[], object], within: float = 10.0) -> None:
    """Wait for something to become true; TimeoutError when it does not."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)


def names(demo: DemoCluster, namespace: str = "", kind: str = "Pod") -> dict[tuple[str, str], str]:
    """What the server has: versions by (namespace, name)."""
    return {
        (item["metadata"].get("namespace", ""), item["metadata"]["name"]): item["metadata"]["resourceVersion"]
        for item in demo.cluster.list(kind, namespace)
    }


def pod(name: str, namespace: str = "shop", **status: object) -> dict[str, object]:
    """The smallest pod that says something."""
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": "node-1", "containers": [{"name": "app", "image": "registry.example/app:1"}]},
        "status": {"phase": "Running", **status},
    }
