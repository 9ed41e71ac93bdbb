"""Keeping tokens and client certificates fresh while the process runs.

kubernetes_asyncio reads a kubeconfig once, and refreshes neither file tokens nor exec plugins afterwards; projected
service account tokens are rotated on disk and live about an hour. So before each request they are looked at again when
they may be old, and once more after a 401. A client certificate, of a plugin or in a file, is read again after a 401
alone, as in client-go: when it ends is not told. What has changed is put into force by `client`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from watcher.ports import Clock

log = logging.getLogger(__name__)

REREAD_AFTER = 60.0
"""Seconds. client-go's cachingFileTokenSource looks at the file once a minute."""

FORCED_AT_MOST_EVERY = 10.0
"""Seconds. Several streams get their 401 at the same moment; one new token serves them all."""

PLUGIN_WITHIN = 30.0
"""Seconds. Exec plugins call a cloud's API; requests wait for them."""

FAILED_AT_MOST_EVERY = 10.0
"""Seconds. A plugin that fails is not run anew for each request that comes."""

EXPIRY_SKEW = timedelta(minutes=1)
"""A plugin's token is renewed this long before its end."""


class Fresh(NamedTuple):
    """Credentials as just read."""

    token: str = ""
    """The `Authorization` value; empty: none."""
    expires: datetime | None = None
    """Of the token, where that is told."""
    certificate: bytes = b""
    """The client's, with its key; empty: none."""
    configuration: Any = None
    """kubernetes_asyncio's, to connect with where the certificate has changed."""


class Credentials(Protocol):
    """Where credentials come from."""

    async def read(self) -> Fresh:
        """Read anew; an OSError or a ValueError when they cannot be had."""
        ...

    def due(self, now: datetime, age: float) -> bool:
        """Should they be read anew, `age` seconds after they were?"""
        ...


class FileToken:
    """A token in a file that somebody else rotates."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> Fresh:
        text = (await asyncio.to_thread(self._path.read_text)).strip()
        if not text:
            raise ValueError(f"{self._path} is empty")
        return Fresh(token=f"Bearer {text}")

    def due(self, now: datetime, age: float) -> bool:
        return age >= REREAD_AFTER


class LoadedUser:
    """The user of a kubeconfig: of a plugin, a provider or files. Read by reading the kubeconfig again."""

    def __init__(self, load: Callable[[], Awaitable[Fresh]], *, expires: datetime | None, from_file: bool) -> None:
        """`expires`: what the first reading said. `from_file`: the token stands in a file."""
        self._load = load
        self._expires = expires
        self._from_file = from_file

    async def read(self) -> Fresh:
        async with asyncio.timeout(PLUGIN_WITHIN):
            fresh = await self._load()
        self._expires = fresh.expires
        return fresh

    def due(self, now: datetime, age: float) -> bool:
        if self._expires is not None:
            return now >= self._expires - EXPIRY_SKEW
        return self._from_file and age >= REREAD_AFTER


class Refresher:
    """Decides when to read them anew, once for all requests that run at the same time."""

    def __init__(self, credentials: Credentials, apply: Callable[[Fresh], Awaitable[None]], clock: Clock) -> None:
        self._credentials = credentials
        self._apply = apply
        self._clock = clock
        self._read_at = clock.monotonic()
        self._forced_at: float | None = None
        self._lock = asyncio.Lock()
        self._failing = False
        self._failed_at: float | None = None

    async def refresh(self, *, force: bool = False) -> None:
        """Never raises: with the old credentials the server gives the better error."""
        async with self._lock:
            if not self._wanted(force):
                return
            if force:
                self._forced_at = self._clock.monotonic()
            try:
                await self._apply(await self._credentials.read())
            except (OSError, ValueError) as error:
                self._failed_at = self._clock.monotonic()
                self._say_failed(error)
            else:
                self._failed_at = None
                self._failing = False
            self._read_at = self._clock.monotonic()

    def _wanted(self, force: bool) -> bool:
        now = self._clock.monotonic()
        if force:
            return self._forced_at is None or now - self._forced_at >= FORCED_AT_MOST_EVERY
        if self._failed_at is not None and now - self._failed_at < FAILED_AT_MOST_EVERY:
            return False
        return self._credentials.due(self._clock.now(), now - self._read_at)

    def _say_failed(self, error: Exception) -> None:
        level = logging.DEBUG if self._failing else logging.WARNING
        self._failing = True
        log.log(level, "credentials not refreshed", extra={"event": "token.refresh_failed", "reason": str(error)})
