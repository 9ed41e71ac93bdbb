"""Keeping the bearer token fresh while the process runs.

kubernetes_asyncio reads a kubeconfig once, and refreshes neither file tokens nor exec plugins afterwards; projected
service account tokens are rotated on disk and live about an hour. So before each request the token is looked at again
when it may be old, and once more after a 401. Client certificates that an exec plugin hands out are not renewed: the
TLS context is made at the start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from watcher.ports import Clock

log = logging.getLogger(__name__)

REREAD_AFTER = 60.0
"""Seconds. client-go's cachingFileTokenSource looks at the file once a minute."""

FORCED_AT_MOST_EVERY = 10.0
"""Seconds. Several streams get their 401 at the same moment; one new token serves them all."""

PLUGIN_WITHIN = 30.0
"""Seconds. Exec plugins call a cloud's API; requests wait for them."""

EXPIRY_SKEW = timedelta(minutes=1)
"""A plugin's token is renewed this long before its end."""


class Credentials(Protocol):
    """Where tokens come from."""

    async def token(self) -> str:
        """The `Authorization` value, read anew; an OSError or a ValueError when it cannot be had."""
        ...

    def due(self, now: datetime, age: float) -> bool:
        """Should it be read anew, `age` seconds after it was?"""
        ...


class FileToken:
    """A token in a file that somebody else rotates."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        text = (await asyncio.to_thread(self._path.read_text)).strip()
        if not text:
            raise ValueError(f"{self._path} is empty")
        return f"Bearer {text}"

    def due(self, now: datetime, age: float) -> bool:
        return age >= REREAD_AFTER


class LoadedToken:
    """A token of a kubeconfig: a plugin's, a provider's or one in a file. Read by reading the kubeconfig again."""

    def __init__(self, load: Callable[[], Awaitable[tuple[str, datetime | None]]], *, from_file: bool) -> None:
        """`load` gives the `Authorization` value and its expiry, where it tells one."""
        self._load = load
        self._from_file = from_file
        self._expires: datetime | None = None

    async def token(self) -> str:
        async with asyncio.timeout(PLUGIN_WITHIN):
            token, self._expires = await self._load()
        return token

    def expires(self, when: datetime | None) -> None:
        """What the first reading said."""
        self._expires = when

    def due(self, now: datetime, age: float) -> bool:
        if self._expires is not None:
            return now >= self._expires - EXPIRY_SKEW
        return self._from_file and age >= REREAD_AFTER


class Refresher:
    """Decides when to read the token anew, once for all requests that run at the same time."""

    def __init__(self, credentials: Credentials, apply: Callable[[str], None], clock: Clock) -> None:
        self._credentials = credentials
        self._apply = apply
        self._clock = clock
        self._read_at = clock.monotonic()
        self._forced_at: float | None = None
        self._lock = asyncio.Lock()
        self._failing = False

    async def refresh(self, *, force: bool = False) -> None:
        """Never raises: with the old token the server gives the better error."""
        async with self._lock:
            if not self._wanted(force):
                return
            if force:
                self._forced_at = self._clock.monotonic()
            try:
                self._apply(await self._credentials.token())
            except (OSError, ValueError) as error:
                self._say_failed(error)
            else:
                self._failing = False
            self._read_at = self._clock.monotonic()

    def _wanted(self, force: bool) -> bool:
        now = self._clock.monotonic()
        if force:
            return self._forced_at is None or now - self._forced_at >= FORCED_AT_MOST_EVERY
        return self._credentials.due(self._clock.now(), now - self._read_at)

    def _say_failed(self, error: Exception) -> None:
        level = logging.DEBUG if self._failing else logging.WARNING
        self._failing = True
        log.log(level, "token not refreshed", extra={"event": "token.refresh_failed", "reason": str(error)})
