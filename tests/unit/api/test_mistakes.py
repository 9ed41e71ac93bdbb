"""What `GET /mistakes` says of annotations that do not do what was meant, asked of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import uvicorn
from aiohttp import ClientSession
from prometheus_client.core import Metric

from tests.support.clocks import BEGIN, StandingClock
from tests.support.serving import free_port
from watcher.api.access import Access
from watcher.api.app import Readiness, make_app
from watcher.api.inside import Inside
from watcher.api.outcomes import Outcomes
from watcher.engine.queue import IntakeQueue
from watcher.model.changes import View
from watcher.model.config import HttpConfig
from watcher.model.hints import Mistake
from watcher.settings.core import core_of
from watcher.settings.load import load
from watcher.store.memory import MemoryStore

OLD = Mistake(
    namespace="shop", object="Deployment api", annotation="watcher.io/ignore", problem="no signal is called x"
)
NEW = Mistake(namespace="", object="Node n1", annotation="watcher.io/runbook", problem="must be a URL")


class Ready:
    def readiness(self) -> Readiness:
        return Readiness()

    def metrics(self) -> Iterable[Metric]:
        return ()


async def test_mistakes_are_listed_the_newest_first_with_when_they_were_seen() -> None:
    inside = Inside(
        store=MemoryStore(),
        intake=IntakeQueue(),
        clock=StandingClock(),
        view=View(),
        outcomes=Outcomes(),
        receivers=dict,
        mistakes=lambda: {OLD: BEGIN, NEW: BEGIN + timedelta(seconds=1)},
        core=lambda: core_of(load(None)),
        original=str,
        resolve_timeout=timedelta,
        new_id=str,
        began=BEGIN,
    )
    port = free_port()
    app = make_app(Ready(), inside, Access(HttpConfig()))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/api/watcher/v1/mistakes") as answer:
        body = await answer.json()
    server.should_exit = True
    await serving
    assert body == [
        {
            "namespace": "",
            "object": "Node n1",
            "annotation": "watcher.io/runbook",
            "problem": "must be a URL",
            "last_seen": "2026-11-20T10:00:01Z",
        },
        {
            "namespace": "shop",
            "object": "Deployment api",
            "annotation": "watcher.io/ignore",
            "problem": "no signal is called x",
            "last_seen": "2026-11-20T10:00:00Z",
        },
    ]
