"""A replica that does not lead: it answers from the store what is only read, and hands on to the leader what is not.

It is a service whose loops do not run. Its view is read anew when a request comes and the leader has committed
something since; the leader itself decides who may change things, so a request is handed on as it came.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from watcher.app.service import Outside, Service
from watcher.ports import StoreError

log = logging.getLogger("watcher.standby")

LOOK_EVERY: Final = 1.0
"""Seconds: an answer is at most so old."""
ANSWER_WITHIN: Final = 30.0
"""Seconds, of the leader; a request for a test message waits for the receivers."""
OWN: Final = frozenset({"/-/reload"})
"""Each replica has its own configuration."""
_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "host", "content-length"})
"""Headers that are of one connection (RFC 9110, section 7.6.1), or are made anew."""


class Standby:
    """ASGI. `address`: its own, at which no leader can be found."""

    def __init__(self, service: Service, outside: Outside, address: str) -> None:
        self._service = service
        self._application = service.application()
        self._store = outside.store
        self._session = outside.session
        self._clock = outside.clock
        self._address = address
        self._looked: float | None = None
        self._commit = service.writer.view.meta.now
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS") and scope["path"] not in OWN:
            await (await self._handed_on(Request(scope, receive)))(scope, receive, send)
            return
        await self._look()
        await self._application(scope, receive, send)

    async def _look(self) -> None:
        """What the leader has stored since. While the store is away the last answers stand, and readiness says so."""
        async with self._one_at_a_time:
            now = self._clock.monotonic()
            if self._looked is not None and now - self._looked < LOOK_EVERY:
                return
            stats = self._service.writer.stats
            try:
                last = await self._store.last_commit()
                if last != self._commit:
                    view, self._commit = await self._store.load()
                    self._service.writer.view.become(view)
            except StoreError:
                stats.store_failing = True
            else:
                stats.store_failing = False
            self._looked = self._clock.monotonic()

    async def _handed_on(self, request: Request) -> Response:
        try:
            leader = await self._store.leader()
        except StoreError:
            leader = None
        if leader is None or leader.address in ("", self._address):
            return _nobody("no replica leads just now")
        url = f"{leader.address.rstrip('/')}{request.url.path}"
        headers = {name: value for name, value in request.headers.items() if name not in _HOP}
        try:
            async with self._session.request(
                request.method,
                url,
                params=request.query_params.multi_items(),
                headers=headers,
                data=_body(request),
                timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN, sock_connect=2.0),
                allow_redirects=False,
            ) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
                return Response(await answer.read(), answer.status, kept)
        except (aiohttp.ClientError, OSError, TimeoutError, ClientDisconnect) as error:
            log.warning(
                "the leader cannot be asked", extra={"event": "standby.unanswered", "error": type(error).__name__}
            )
            return _nobody("the leader does not answer")


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        if part:
            yield part


def _nobody(why: str) -> Response:
    return JSONResponse({"error": f"{why}: ask again in a few seconds"}, 503, {"Retry-After": "2"})
