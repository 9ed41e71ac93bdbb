"""Receivers that fail at random, and what they heard: five real HTTP servers, each with troubles of its own.

A message counts as heard from the moment at which the receiver took it, also where its answer is late, or never comes
because the connection is cut: Watcher cannot know, and has to send it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import datetime
from enum import Enum, auto
from typing import Any

import msgspec
from aiohttp import web

PATIENCE = 3.0
"""Seconds that Watcher waits for an answer (`timeout` of the webhook)."""


class Mood(Enum):
    WELL = auto()
    SLOW = auto()
    BUSY = auto()
    """503"""
    LIMITED = auto()
    """429 with Retry-After"""
    LOCKED = auto()
    """401: a message dies of it."""
    CLOSES = auto()
    """The connection, before it has taken the message."""
    CUTS = auto()
    """The connection, after it has taken the message."""
    HANGS = auto()
    DOWN = auto()


_TROUBLES = (
    (Mood.SLOW, Mood.BUSY, Mood.CLOSES),
    (Mood.LIMITED, Mood.SLOW, Mood.BUSY),
    (Mood.LOCKED, Mood.BUSY, Mood.CUTS),
    (Mood.HANGS, Mood.CUTS, Mood.LIMITED),
    (Mood.DOWN, Mood.DOWN, Mood.CLOSES),
)


class Piece(msgspec.Struct, frozen=True):
    """What one message said of one alert."""

    alert: str
    began: datetime
    ended: bool


class Heard(msgspec.Struct):
    """One message that was taken. `answered` is None where its receiver cut the connection itself."""

    key: str
    conversation: str
    pieces: list[Piece]
    at: float
    answered: float | None = None
    own_trouble: bool = False
    """The answer was cut, or came later than anybody waits."""


class Receiver:
    def __init__(self, number: int, rng: random.Random, longest_down: float) -> None:
        self.name = f"hook{number}"
        self.heard: list[Heard] = []
        self.refused = 0
        self.mood = Mood.WELL
        self.calm = False
        """It recovers, and stays well."""
        self.port = 0
        self._troubles = _TROUBLES[number % len(_TROUBLES)]
        self._rng = rng
        self._longest_down = longest_down
        self._runner: web.AppRunner | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        application = web.Application(client_max_size=16 << 20)
        application.router.add_post("/", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = await self._listen()
        moods = asyncio.create_task(self._change(site))
        try:
            yield self
        finally:
            moods.cancel()
            await asyncio.gather(moods, return_exceptions=True)
            await self._runner.cleanup()

    async def _listen(self) -> web.TCPSite:
        assert self._runner is not None
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return site

    async def _change(self, site: web.TCPSite) -> None:
        while True:
            self.mood = Mood.WELL
            await asyncio.sleep(self._rng.uniform(1.0, 6.0))
            if self.calm:
                continue
            self.mood = self._rng.choice(self._troubles)
            down = self.mood is Mood.DOWN
            if down:
                await site.stop()
            await asyncio.sleep(self._rng.uniform(2.0, self._longest_down) if down else self._rng.uniform(1.0, 5.0))
            if down:
                site = await self._listen()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        mood = self.mood
        body = await request.read()
        match mood:
            case Mood.BUSY:
                return self._refuse(503)
            case Mood.LOCKED:
                return self._refuse(401)
            case Mood.LIMITED:
                return self._refuse(429, {"Retry-After": str(self._rng.randint(1, 3))})
            case Mood.CLOSES | Mood.DOWN:
                return _cut(request, self._refuse(503))
        heard = _read(request.headers["Idempotency-Key"], msgspec.json.decode(body))
        self.heard.append(heard)
        await asyncio.sleep(self._lateness(mood))
        heard.answered = asyncio.get_running_loop().time()
        heard.own_trouble = mood is Mood.CUTS or heard.answered - heard.at >= PATIENCE - 0.2
        return _cut(request, web.Response()) if mood is Mood.CUTS else web.Response()

    def _lateness(self, mood: Mood) -> float:
        match mood:
            case Mood.SLOW:
                return self._rng.uniform(0.2, 1.0)
            case Mood.HANGS:
                return self._rng.uniform(1.0, 2 * PATIENCE)
            case _:
                return self._rng.uniform(0.0, 0.05)

    def _refuse(self, status: int, headers: dict[str, str] | None = None) -> web.Response:
        self.refused += 1
        return web.Response(status=status, headers=headers)


def _cut(request: web.Request, response: web.Response) -> web.Response:
    """The connection goes before the answer does."""
    if request.transport is not None:
        request.transport.abort()
    return response


def _read(key: str, body: dict[str, Any]) -> Heard:
    pieces = [
        Piece(alert["labels"]["workload"], datetime.fromisoformat(alert["startsAt"]), alert["status"] == "resolved")
        for alert in body["alerts"]
        if alert["labels"]["alertname"] == "Pulling"
    ]
    return Heard(key, body["groupKey"], pieces, asyncio.get_running_loop().time())
