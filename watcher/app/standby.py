"""A replica that does not lead: it answers from the store what is only read, and hands on to the leader what is not.

It is a service whose loops do not run. Its view is read anew when a request comes and the leader has committed
something since; the leader itself decides who may change things, so a request is handed on as it came, byte by byte,
as a proxy does it (RFC 9110, section 7.6): with `Via`, by which two that take each other for the leader notice it, and
with `X-Forwarded-For`, since what comes through here is not asked from the leader's own machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from string import ascii_letters, digits
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from yarl import URL

from watcher.api import answers, v2, v2shapes
from watcher.app.lent import Outside
from watcher.app.service import Service
from watcher.ports import StoreError

log = logging.getLogger("watcher.standby")

LOOK_EVERY: Final = 1.0
"""Seconds: an answer is at most so old."""
STORE_WITHIN: Final = 2.0
"""Seconds, of the store to say whether something was committed: a probe does not wait for long."""
JUDGED_WITHIN: Final = 6.0
"""Seconds, of the leader to judge what was posted through us; itself it lets a reader wait for 5."""
ANSWER_WITHIN: Final = 40.0
"""Seconds, of the leader; for a test message, or for its store, it waits up to 30 itself."""
OWN: Final = frozenset({"/-/reload"})
"""Each replica has its own configuration."""
_AT_ONCE: Final = frozenset({"/-/healthy"})
"""A store that hangs is no reason to restart the process."""
_VIA: Final = "watcher-standby"
_HOP: Final = frozenset({"connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"})
"""Headers that are of one connection (RFC 9110, section 7.6.1), beside those that `Connection` names."""
_HOP_TOO: Final = frozenset({"transfer-encoding", "upgrade", "expect"})
_MADE_ANEW: Final = frozenset({"content-length", "date", "server"})
"""In answers."""
_IN_URLS: Final = ascii_letters + digits + "-._~!$&'()*+,;=:@/?%"

Pairs = Iterable[tuple[str, str]]


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
        self._posts = self._judged = 0
        """Posts that were handed on; so many of them are in what the leader has committed."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS") and scope["path"] not in OWN:
            await (await self._handed_on(Request(scope, receive)))(scope, receive, send)
            return
        if scope["path"].startswith("/api/") and self._judged < self._posts:
            await self._wait_for_judging()
        if scope["path"] not in _AT_ONCE:
            await self._look()
        await self._application(scope, receive, send)

    # ---- what the leader has stored ----

    async def _look(self) -> None:
        """While the store is away the last answers stand, and readiness says so."""
        try:
            async with asyncio.timeout(STORE_WITHIN):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            return  # a large state is being read, or a store that hangs: another request sees to it
        try:
            now = self._clock.monotonic()
            if self._looked is None or now - self._looked >= LOOK_EVERY:
                await self._read_anew()
                self._looked = self._clock.monotonic()
        finally:
            self._one_at_a_time.release()

    async def _read_anew(self) -> None:
        stats = self._service.writer.stats
        try:
            async with asyncio.timeout(STORE_WITHIN):
                last = await self._store.last_commit()
            if last != self._commit:
                view, self._commit = await self._store.load()
                self._service.writer.view.become(view)
        except (StoreError, TimeoutError) as error:
            if not stats.store_failing:
                said = str(error) or "no answer in time"
                log.warning("the store does not answer", extra={"event": "store.failing", "error": said})
            stats.store_failing = True
        else:
            stats.store_failing = False

    # ---- what only the leader may do ----

    async def _handed_on(self, request: Request) -> Response:
        if _VIA in request.headers.get("via", ""):
            return not_now(request, "no replica leads just now")
        try:
            async with asyncio.timeout(STORE_WITHIN):
                leader = await self._store.leader()
        except (StoreError, TimeoutError):
            leader = None
        if leader is None or leader.address in ("", self._address):
            return not_now(request, "no replica leads just now")
        try:
            answer = await self._asked(request, leader.address)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, ClientDisconnect) as error:
            log.warning(
                "the leader cannot be asked", extra={"event": "standby.unanswered", "error": type(error).__name__}
            )
            return not_now(request, "the leader does not answer")
        if answer.status_code < 300:
            self._looked = None  # who has changed something sees it here too
            self._posts += v2.posts_alerts(request.method, request.url.path)
        return answer

    async def _wait_for_judging(self) -> None:
        """The leader acknowledges posts before they are in a commit (`inbox`), and has its own readers wait for it."""
        posts = self._posts
        with contextlib.suppress(StoreError, aiohttp.ClientError, OSError, TimeoutError, ValueError):
            async with asyncio.timeout(JUDGED_WITHIN):
                leader = await self._store.leader()
                if leader is not None and leader.address not in ("", self._address):
                    url = f"{leader.address.rstrip('/')}{v2.PREFIX}/receivers"
                    headers = {"Via": f"1.1 {_VIA}"}
                    async with self._session.head(url, headers=headers, allow_redirects=False):
                        pass
        self._judged = max(self._judged, posts)
        self._looked = None

    async def _asked(self, request: Request, address: str) -> Response:
        async with self._session.request(
            request.method,
            URL(address.rstrip("/") + _target(request), encoded=True),
            headers=_onward(request),
            data=_body(request) if _has_body(request) else None,
            timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN, sock_connect=2.0),
            allow_redirects=False,
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        ) as answer:
            answered = Response(await answer.read(), answer.status)
            kept = _end_to_end((_text(name), _text(value)) for name, value in answer.raw_headers)
            answered.raw_headers += [
                (name.lower().encode(), value.encode()) for name, value in kept if name.lower() not in _MADE_ANEW
            ]
            return answered


def _target(request: Request) -> str:
    """Path and query as they came."""
    path = quote(request.scope.get("raw_path") or request.scope["path"], safe=_IN_URLS)
    query = quote(request.scope["query_string"], safe=_IN_URLS)
    return f"{path}?{query}" if query else path


def _onward(request: Request) -> list[tuple[str, str]]:
    headers = [*_end_to_end((_text(name), _text(value)) for name, value in request.headers.raw)]
    client = request.client.host if request.client is not None else "unknown"
    # In small letters, as ASGI gives the others: aiohttp replaces a header that comes again in another spelling.
    return [*headers, ("x-forwarded-for", client), ("via", f"1.1 {_VIA}")]


def _end_to_end(headers: Pairs) -> Iterator[tuple[str, str]]:
    headers = [*headers]
    named = {one.strip().lower() for name, value in headers if name.lower() == "connection" for one in value.split(",")}
    return ((name, value) for name, value in headers if name.lower() not in _HOP | _HOP_TOO | named)


def _text(raw: bytes) -> str:
    """aiohttp writes headers in UTF-8: what is not comes out as it reads in Latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        if part:
            yield part


def not_now(request: Request, why: str) -> Response:
    """In the shape of errors of the interface that was asked."""
    sentence, headers = f"{why}: ask again in a few seconds", {"Retry-After": "2"}
    if request.url.path.startswith(f"{v2.PREFIX}/"):
        return v2shapes.body(sentence, 503, headers)
    return answers.as_json({"error": sentence}, 503, headers)
