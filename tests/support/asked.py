"""The HTTP interface over a view that stands still, on a real server: for what is only read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

import uvicorn
from prometheus_client.core import Metric

from tests.support.clocks import BEGIN, StandingClock
from tests.support.serving import free_port
from watcher.api.access import Access
from watcher.api.app import Readiness, make_app
from watcher.api.inbox import Inbox
from watcher.api.inside import Inside
from watcher.api.outcomes import Outcomes
from watcher.engine.queue import IntakeQueue
from watcher.model.changes import View
from watcher.model.config import HttpConfig
from watcher.pipeline import Core
from watcher.ports import Clock
from watcher.store.memory import MemoryStore


class Ready:
    def readiness(self) -> Readiness:
        return Readiness()

    def metrics(self) -> Iterable[Metric]:
        return ()


def inside(core: Core, view: View | None = None, clock: Clock | None = None) -> Inside:
    store, intake, clock = MemoryStore(), IntakeQueue(), clock or StandingClock()
    return Inside(
        store=store,
        intake=intake,
        clock=clock,
        inbox=Inbox(store, intake, clock),
        view=view or View(),
        outcomes=Outcomes(),
        receivers=lambda: core.receivers,
        mistakes=dict,
        core=lambda: core,
        original=str,
        resolve_timeout=lambda: timedelta(minutes=5),
        new_id=str,
        began=BEGIN,
        reload=_nothing,
    )


async def _nothing() -> str:
    return ""


@contextlib.asynccontextmanager
async def asked(found: Inside, http: HttpConfig = HttpConfig()) -> AsyncIterator[str]:  # noqa: B008
    """Gives the URL."""
    port = free_port()
    app = make_app(Ready(), found, Access(http))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving
