"""What is known of one stream, and how long it waits: counters for metrics and readiness, and the back-off.

The loop that uses both is in `kube`. Waiting times are client-go's (tools/cache/reflector.go: 0.8 s, doubled, at most
30 s, begun anew after two healthy minutes), with full jitter instead of its half.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from watcher.model.observations import Scope


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a list + watch behaves. The defaults are for production; tests make them short."""

    page_size: int = 500
    """client-go's pager; an answer of 500 pods is 2 to 20 MB."""
    page_tries: int = 5
    """Times that a further page is asked for before the list begins anew; its token lives five minutes."""
    watch_least: timedelta = timedelta(seconds=240)
    watch_most: timedelta = timedelta(seconds=300)
    """How long a watch is asked to last, at random between the two, so that streams do not all end together."""
    silence: timedelta = timedelta(seconds=90)
    """Bookmarks come about every minute, so 90 s without a byte is a connection that died without a word."""
    backoff_first: timedelta = timedelta(milliseconds=800)
    backoff_most: timedelta = timedelta(seconds=30)
    healthy_after: timedelta = timedelta(minutes=2)
    """A stream that held this long begins its back-off anew."""
    forbidden_retry: timedelta = timedelta(seconds=60)
    """RBAC is changed by people."""
    short_watch: timedelta = timedelta(seconds=1)
    """A watch that ends sooner, without an event, is a failure, or an API server that shuts down is asked
    thousands of times a second."""
    relist_after: int = 3
    """Server errors in a row after which the version itself is suspected, and the list is made anew."""
    exclude_namespaces: tuple[str, ...] = ()
    """Left out by the server; only for a scope that covers the whole cluster. Of the kind Namespace by name."""


@dataclass(slots=True)
class StreamStats:
    """One stream's numbers since the process began. Written by its loop alone, read by metrics and readiness."""

    scope: Scope
    lists: int = 0
    """Complete ones."""
    watches: int = 0
    """Begun and answered 200."""
    events: int = 0
    """Objects delivered, by lists and by watches."""
    bookmarks: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Left out, by reason: bad_object, bad_line, unknown_type, cut_line."""
    errors: Counter[str] = field(default_factory=Counter)
    """By `SourceError.kind`."""
    last_heard: float | None = None
    """Monotonic seconds of the last byte-bearing answer or line; None: nothing was ever heard."""
    synced: bool = False
    """A list of this scope was completed in this process."""
    watching: bool = False
    """A watch is open now."""
    forbidden_since: datetime | None = None
    """The first of the 403 in a row; None: it may be read. A scope that was `synced` before is blind now."""
    server_offset: float | None = None
    """Seconds that the API server's clock (`Date`, whole seconds) is ahead of ours, as of the last answer."""

    @property
    def forbidden(self) -> bool:
        """The last answer was a 403."""
        return self.forbidden_since is not None


class Backoff:
    """Full jitter: a random part of a ceiling that doubles with each failure in a row."""

    def __init__(self, settings: StreamSettings, rng: random.Random) -> None:
        self._first = settings.backoff_first.total_seconds()
        self._most = settings.backoff_most.total_seconds()
        self._healthy_after = settings.healthy_after.total_seconds()
        self._rng = rng
        self._failures = 0
        self._healthy_since: float | None = None

    def healthy(self, now: float) -> None:
        """The stream works, since now unless it did before."""
        if self._healthy_since is None:
            self._healthy_since = now

    def failed(self, now: float) -> float:
        """Seconds to wait after this failure."""
        if self._healthy_since is not None and now - self._healthy_since >= self._healthy_after:
            self._failures = 0
        self._healthy_since = None
        ceiling = min(self._most, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return self._rng.uniform(0.0, ceiling)
