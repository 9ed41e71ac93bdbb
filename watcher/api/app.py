"""The HTTP application; routes by subject are in modules of their own.

`/-/healthy`: the loops are alive; `/-/ready`: synced, and the store answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.api import (
    answers,
    clock,
    deliveries,
    described,
    explain,
    history,
    queries,
    receivers,
    reload,
    signals,
    silences,
    v2,
)
from watcher.api.access import Access
from watcher.api.inbox import Inbox
from watcher.api.inside import Inside

PREFIX = answers.OWN
"""Of our own endpoints."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """`waiting`: why not, one sentence each; empty when ready. `detail`: what is degraded though it is ready."""

    waiting: tuple[str, ...] = ()
    detail: tuple[str, ...] = ()


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    ready: bool
    waiting: tuple[str, ...]
    """Why not."""
    detail: tuple[str, ...]
    """What is degraded all the same."""


class Status(Protocol):
    """What the service tells about itself."""

    def readiness(self) -> Readiness: ...

    def metrics(self) -> Iterable[Metric]: ...


class _Settled:
    """ASGI: who asks sees what was acknowledged before. Posts themselves, and probes, do not wait for that."""

    def __init__(self, app: ASGIApp, inbox: Inbox) -> None:
        self._app = app
        self._inbox = inbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks = scope["type"] == "http" and scope["path"].startswith("/api/")
        if asks and not v2.posts_alerts(scope["method"], scope["path"]):
            await self._inbox.settled()
        await self._app(scope, receive, send)


class _Collector:
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()


def make_app(status: Status, inside: Inside, access: Access) -> FastAPI:
    app = FastAPI(title="Watcher", docs_url=None, redoc_url=None, openapi_url=None)
    answers.install(app)
    if access.pages:
        methods, headers = ("GET", "POST", "DELETE"), ("Authorization", "Content-Type")
        app.add_middleware(
            CORSMiddleware, allow_origins=sorted(access.pages), allow_methods=methods, allow_headers=headers
        )
    app.add_middleware(_Settled, inbox=inside.inbox)
    _add_health(app, status)
    rooms = (signals, history, explain, deliveries, receivers, silences, clock)
    routers = [room.routes(inside, access) for room in rooms]
    for router in routers:
        app.include_router(router, prefix=PREFIX, dependencies=[Depends(queries.once)])
    described.install(app, f"{PREFIX}/openapi.json", routers)
    app.include_router(reload.routes(inside.reload, access))
    app.mount(v2.PREFIX, v2.V2(inside, access))
    return app


def _add_health(app: FastAPI, status: Status) -> None:
    registry = CollectorRegistry()
    registry.register(_Collector(status.metrics))

    @app.head("/-/healthy", include_in_schema=False)
    @app.get("/-/healthy", response_class=PlainTextResponse)
    async def healthy() -> Response:
        """The loops are alive."""
        return PlainTextResponse("OK")

    @app.head("/-/ready", include_in_schema=False)
    @app.get("/-/ready", responses=described.answered(Ready) | described.answered(Ready, status=503, words="Not yet"))
    async def ready() -> Response:
        """Whether everything has been listed and the store answers."""
        state = status.readiness()
        body = Ready(ready=not state.waiting, waiting=state.waiting, detail=state.detail)
        return answers.as_json(body, 503 if state.waiting else 200)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """In Prometheus' text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
