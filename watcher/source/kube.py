"""List + watch of one scope, for ever: the reflector of client-go, in our words. The same for every kind.

A list says what is there, a watch from the list's version what changes. A watch that ends is begun again from the
last version seen, without a list; a version that is too old makes a list. What vanished while nobody watched has no
event of its own: the receiver of `Synced` sees it by its absence. Events are offered to the queue and never wait: when
it is full, the watch is given up and a list follows. Errors never leave `run`: each is counted, logged when it is a
change, and followed by a pause. Waiting times and counters are in `streams`, errors in `errors`, bytes to records in
`decode`, what is asked for in `requests`. Source: kubernetes/client-go, tools/cache/reflector.go.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from watcher.model.observations import EventType, Forbidden, Input, Listing, Scope, Synced, seen_as
from watcher.ports import Clock, Intake
from watcher.source import errors
from watcher.source.client import Answer, KubeClient, limits
from watcher.source.decode import DECODERS, Bookmark, Change, Page, Skipped
from watcher.source.requests import Requests
from watcher.source.streams import Backoff, StreamSettings, StreamStats

log = logging.getLogger(__name__)

_TURN = 500
"""Events after which the others get their turn: what is buffered already is read without waiting."""


class ListWatch:
    """One scope's stream. `stats` may be read at any time."""

    def __init__(
        self,
        client: KubeClient,
        scope: Scope,
        intake: Intake,
        clock: Clock,
        settings: StreamSettings | None = None,
        *,
        tap: Callable[[Input], None] | None = None,
    ) -> None:
        """`tap` is called with every observation that the intake has taken."""
        self.stats = StreamStats(scope)
        self._client = client
        self._scope = scope
        self._intake = intake
        self._clock = clock
        self._settings = settings or StreamSettings()
        rng = random.Random()
        self._backoff = Backoff(self._settings, rng)
        self._requests = Requests(scope, self._settings, rng)
        self._decoder = DECODERS[scope.kind]
        self._tap = tap
        self._version = ""
        """Where to watch from; empty: a list is due."""
        self._number = 0
        """The same as a number, 0 where it is none."""
        self._anew_in_a_row = 0
        """Lists that were made necessary since a watch last brought anything."""
        self._server_errors = 0
        """In a row, from the present version."""
        self._trouble = ""
        """The kind of error that was logged last; empty: the stream works."""
        self._asking = "list"
        """The verb of the request that was made last."""
        self._unwatchable = ""
        """The version at which the watch, and not the list, was forbidden."""

    async def run(self) -> None:
        """Until cancelled, which may happen at any await."""
        while True:
            pause = await self.step()
            await asyncio.sleep(pause)

    async def step(self) -> float:
        """A list where one is due, and one watch to its end; gives the seconds to wait before the next step."""
        try:
            if self._unwatchable:
                await self._probe()
            if not self._version:
                await self._list()
            await self._watch()
        except errors.SourceError as error:
            return await self._failed(error)
        return 0.0

    async def _put(self, observation: Input) -> None:
        await self._intake.put(observation)
        if self._tap is not None:
            self._tap(observation)

    # ---- list ----

    async def _list(self) -> None:
        page = await self._page("")
        await self._put(Listing(at=self._clock.now(), scope=self._scope))
        version, count, complete = page.version, 0, True
        while True:
            count += len(page.objects)
            # What cannot be read is there all the same, and must not be taken for gone.
            complete = complete and not any(skipped.named for skipped in page.skipped)
            await self._deliver_page(page)
            if not page.token:
                break
            page = await self._next_page(page.token)
        await self._put(Synced(at=self._clock.now(), scope=self._scope, complete=complete))
        self._begin_at(version)
        self.stats.lists += 1
        self.stats.synced = True
        self._works()
        log.info("listed", extra=self._fields("list.done") | {"objects": count, "version": version})

    async def _next_page(self, token: str) -> Page:
        """A further page, asked for again after what passes: a long list that began anew each time would never end."""
        for _ in range(self._settings.page_tries - 1):
            try:
                return await self._page(token)
            except errors.SourceError as error:
                if not errors.passes(error):
                    raise
                pause = await self._failed(error)
            await asyncio.sleep(pause)
        return await self._page(token)

    async def _page(self, token: str) -> Page:
        self._asking = "list"
        asked = self._requests
        limit = limits(silence=self._silence())
        async with self._client.get(asked.path, asked.page(token), limit, asked.list_form) as answer:
            self._answered(answer)
            body = await answer.body()
        self._heard()
        page = self._decoder.page(body)
        if not page.version:
            raise errors.Undecodable("the list has no resourceVersion")
        return page

    async def _deliver_page(self, page: Page) -> None:
        for skipped in page.skipped:
            self._skip(skipped)
        for item in page.objects:
            await self._put(seen_as(self._clock.now(), EventType.LISTED, self._scope, item))
        self.stats.events += len(page.objects)

    # ---- watch ----

    async def _watch(self) -> None:
        begun, first, delivered = self._clock.monotonic(), self._version, self.stats.events
        self._asking = "watch"
        asked = self._requests
        limit = limits(silence=self._silence())
        async with self._client.get(asked.path, asked.watch(self._version), limit, asked.watch_form) as answer:
            self._answered(answer)
            self.stats.watches += 1
            self.stats.watching = True
            self.stats.forbidden_since = None
            self._backoff.healthy(begun)
            try:
                await self._follow(answer)
            finally:
                self.stats.watching = False
        lived = self._clock.monotonic() - begun
        idle = self.stats.events == delivered or self._version == first
        log.debug("watch ended", extra=self._fields("watch.ended") | {"lived_seconds": round(lived, 3)})
        if idle and lived < self._settings.short_watch.total_seconds():
            raise errors.Unreachable("the watch ended at once, without an event", kind="short_watch")
        self._works()

    async def _probe(self) -> None:
        """Whether the watch is allowed again: lists alone would be taken for a scope that can be seen."""
        self._asking = "watch"
        asked = self._requests
        limit = limits(silence=self._silence())
        try:
            async with self._client.get(asked.path, asked.watch(self._unwatchable), limit, asked.watch_form):
                pass
        except errors.ListAnew:
            pass
        self._unwatchable = ""

    async def _follow(self, answer: Answer) -> None:
        """Deliver what the stream says until it ends; an ERROR event is raised as what it means."""
        turn = 0
        while line := await answer.line():
            if not line.endswith(b"\n"):
                # Cut off in the middle: the version has not moved, so the event comes again.
                self._skip(Skipped(reason="cut_line", detail=f"{len(line)} bytes"))
                return
            if line.isspace():
                continue
            item = self._decoder.line(line)
            self._heard()
            if isinstance(item, Change):
                self._deliver(item)
                turn += 1
                if turn % _TURN == 0:
                    await asyncio.sleep(0)
            elif isinstance(item, Bookmark):
                self.stats.bookmarks += 1
                self._check_order(item.version)
                self._moved(item.version)
            elif isinstance(item, Skipped):
                self._skip(item)
                self._check_order(item.version)
                self._moved(item.version)
            else:
                raise errors.api_error(item)

    def _deliver(self, change: Change) -> None:
        version = change.object.metadata.resource_version
        self._check_order(version)
        seen = seen_as(self._clock.now(), change.event, self._scope, change.object)
        if not self._intake.offer(seen):
            raise errors.Overflow("the queue is full; the watch is given up until there is room")
        if self._tap is not None:
            self._tap(seen)
        self.stats.events += 1
        self._moved(version)

    def _check_order(self, version: str) -> None:
        """Versions are only stored and sent back, but one that goes backwards is noticed.

        They are comparable as numbers on every conformant server since 1.35 (KEP-5504), and with etcd always were.
        """
        if version.isdecimal() and int(version) < self._number:
            raise errors.WentBackwards(f"version {version} came after {self._number}")

    def _moved(self, version: str) -> None:
        if version:
            self._begin_at(version)
            self._anew_in_a_row = 0
            if self._trouble:
                self._works()

    def _begin_at(self, version: str) -> None:
        self._version = version
        self._number = int(version) if version.isdecimal() else 0
        self._server_errors = 0

    # ---- what follows an error ----

    async def _failed(self, error: errors.SourceError) -> float:
        self.stats.errors[error.kind] += 1
        pause = self._pause(error)
        told = error.kind == self._trouble
        fields: dict[str, object] = {"reason": error.kind, "error": str(error), "retry_in_seconds": round(pause, 3)}
        if isinstance(error, errors.Forbidden):
            told = self.stats.forbidden
            fields["missing"] = f"{self._asking} {self._requests.resource}"
            await self._forbidden(error)
        level = logging.DEBUG if told else _level(error)
        log.log(level, "stream interrupted", extra=self._fields(f"watch.{error.kind}") | fields)
        if not isinstance(error, errors.Expired):
            self._trouble = error.kind
        if isinstance(error, errors.Overflow):
            await self._intake.room()
        return pause

    def _pause(self, error: errors.SourceError) -> float:
        """Seconds to wait; also decides whether the version is still good."""
        now = self._clock.monotonic()
        if isinstance(error, errors.Overflow):
            return 0.0
        if isinstance(error, errors.ListAnew):
            self._version = ""
            self._anew_in_a_row += 1
            return 0.0 if self._anew_in_a_row == 1 else self._backoff.failed(now)
        if isinstance(error, errors.Forbidden):
            if self._asking == "watch":
                self._unwatchable = self._unwatchable or self._version
            self._version = ""
            return self._settings.forbidden_retry.total_seconds()
        if isinstance(error, errors.TooLargeVersion):
            self._version = ""
            return max(error.seconds, self._backoff.failed(now))
        if isinstance(error, errors.RetryAfter):
            return error.seconds
        if isinstance(error, errors.ApiError | errors.Undecodable):
            self._server_errors += 1
            if self._server_errors >= self._settings.relist_after:
                self._version = ""
        return self._backoff.failed(now)

    async def _forbidden(self, error: errors.Forbidden) -> None:
        if not self.stats.forbidden:
            now = self._clock.now()
            self.stats.forbidden_since = now
            await self._put(Forbidden(at=now, scope=self._scope, message=error.message))

    # ---- small things ----

    def _works(self) -> None:
        self.stats.forbidden_since = None
        if self._trouble:
            log.info("stream works again", extra=self._fields("watch.recovered") | {"reason": self._trouble})
            self._trouble = ""

    def _answered(self, answer: Answer) -> None:
        self._heard()
        date = answer.date
        if date is not None:
            self.stats.server_offset = (date - self._clock.now()).total_seconds()

    def _heard(self) -> None:
        self.stats.last_heard = self._clock.monotonic()

    def _silence(self) -> float:
        return self._settings.silence.total_seconds()

    def _skip(self, skipped: Skipped) -> None:
        first = not self.stats.skipped[skipped.reason]
        self.stats.skipped[skipped.reason] += 1
        level = logging.WARNING if first else logging.DEBUG
        fields = {"reason": skipped.reason, "detail": skipped.detail, "version": skipped.version}
        log.log(level, "skipped", extra=self._fields("watch.skipped") | fields)

    def _fields(self, event: str) -> dict[str, object]:
        return {"event": event, "kind": self._scope.kind, "namespace": self._scope.namespace}


def _level(error: errors.SourceError) -> int:
    return logging.INFO if isinstance(error, errors.Expired) else logging.WARNING
