"""The HTTP application; routes by subject are in modules of their own.

`/-/healthy`: the loops are alive; `/-/ready`: synced, and the store answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from watcher.api import answers, deliveries, receivers, silences, v2
from watcher.api.access import Access
from watcher.api.inside import Inside

PREFIX = "/api/watcher/v1"
"""Of our own endpoints."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """`waiting`: why not, one sentence each; empty when ready. `detail`: what is degraded though it is ready."""

    waiting: tuple[str, ...] = ()
    detail: tuple[str, ...] = ()


class Status(Protocol):
    """What the service tells about itself."""

    def readiness(self) -> Readiness: ...

    def metrics(self) -> Iterable[Metric]: ...


class _Collector:
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()


def make_app(status: Status, inside: Inside, access: Access) -> FastAPI:
    app = FastAPI(title="Watcher", docs_url=None, redoc_url=None, openapi_url=None)
    answers.install(app)
    _add_health(app, status)
    for routes in (deliveries.routes, receivers.routes, silences.routes):
        app.include_router(routes(inside, access), prefix=PREFIX)
    app.mount(v2.PREFIX, v2.V2(inside, access))
    return app


def _add_health(app: FastAPI, status: Status) -> None:
    registry = CollectorRegistry()
    registry.register(_Collector(status.metrics))

    @app.get("/-/healthy")
    async def healthy() -> Response:
        return PlainTextResponse("OK")

    @app.get("/-/ready")
    async def ready() -> Response:
        state = status.readiness()
        body = {"ready": not state.waiting, "waiting": state.waiting, "detail": state.detail}
        return JSONResponse(body, status_code=503 if state.waiting else 200)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
