"""A running demo cluster, and a client that reads watches line by line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from watcher.demo import DemoCluster, DemoOptions


class Stream:
    """One open watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def line(self) -> bytes:
        return await self.response.content.readline()

    async def event(self) -> Any:
        """The next event, as (type, object); None at the end of the stream."""
        line = await self.line()
        if not line:
            return None
        document = msgspec.json.decode(line)
        return document["type"], document["object"]

    async def words(self, count: int) -> list[str]:
        """`ADDED web-1`, … of the next events."""
        return [
            f"{kind} {item['metadata'].get('name', '')}".strip()
            for kind, item in [await self.event() for _ in range(count)]
        ]

    async def rest(self) -> bytes:
        return await self.response.content.read()


class Client:
    """Talks to one demo cluster."""

    def __init__(self, demo: DemoCluster, session: aiohttp.ClientSession) -> None:
        self.demo = demo
        self.session = session

    async def call(self, path: str, *, method: str = "GET", body: Any = None, **query: str) -> tuple[int, Any]:
        """Status and decoded body. `continue_` stands for `continue`."""
        parameters = {key.rstrip("_"): value for key, value in query.items()}
        async with self.session.request(method, self.demo.url + path, params=parameters, json=body) as response:
            text = await response.read()
            is_json = response.content_type == "application/json"
            return response.status, msgspec.json.decode(text) if is_json else text.decode()

    async def names(self, path: str = "/api/v1/pods", **query: str) -> list[str]:
        _, document = await self.call(path, **query)
        return [item["metadata"]["name"] for item in document["items"]]

    @asynccontextmanager
    async def watch(
        self, path: str = "/api/v1/pods", accept: str = "application/json", **query: str
    ) -> AsyncIterator[Stream]:
        parameters = {"watch": "1", "timeoutSeconds": "60"} | query
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        async with self.session.get(self.demo.url + path, params=parameters, headers=headers) as response:
            yield Stream(response)

    async def fault(self, **fault: Any) -> Any:
        """Make a fault over HTTP."""
        status, answer = await self.call("/demo/faults", method="POST", body=fault)
        assert status == 200, answer
        return answer


@pytest.fixture
async def demo() -> AsyncIterator[DemoCluster]:
    async with DemoCluster(DemoOptions(manual=True)) as cluster:
        yield cluster


@pytest.fixture
async def client(demo: DemoCluster) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(read_bufsize=2**21, timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield Client(demo, session)
