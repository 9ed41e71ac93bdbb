"""What others posted: stored at once, judged a moment later, in portions that grow with the rush.

Problem: who posts ten thousand alerts in a second must not wait until each is judged, and nobody else may wait for that
either. Choice: a post is one row in the store, and is acknowledged when that row is; then the writer judges it, and its
commit takes the row away. A single post is judged at once; while posts pour in, they gather for half a second at most.
Who reads afterwards sees what was acknowledged (`settled`). What one process did not judge any more, the next one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from math import inf
from typing import Final

import msgspec

from watcher.model.changes import Changes
from watcher.model.observations import AlertsPosted
from watcher.model.posted import PostedAlert
from watcher.ports import Clock, Fenced, Intake, Store, StoreError

log = logging.getLogger("watcher.inbox")

QUIET: Final = 0.01
"""Seconds without a post after which those that gathered are judged."""
GATHER: Final = 0.5
"""Seconds that one waits for others at most."""
PORTION: Final = 250
"""Alerts that are judged in one step: some 15 ms, in which nothing else is done."""
MOST: Final = 20_000
"""Alerts that may wait to be judged: who posts more than is judged in the long run is held back."""
READ_WITHIN: Final = 5.0
"""Seconds that a reader waits for what was acknowledged before."""
LOOK_EVERY: Final = 60.0
"""Seconds without a post after which it is looked for what was stored unheard of."""
AGAIN: Final = 0.5
"""Seconds after which a store that failed is asked again."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[PostedAlert, ...])


class _Post(msgspec.Struct, frozen=True):
    input: AlertsPosted
    since: float
    """Monotonic seconds."""


class Inbox:
    """`run` is a loop of the service, `note` is told of every commit."""

    def __init__(self, store: Store, intake: Intake, clock: Clock) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock
        self._waiting: dict[int, _Post] = {}
        """Stored, by number; they are judged in this order."""
        self._judging: dict[int, _Post] = {}
        self.alerts = 0
        """In both."""
        self._storing = 0
        """Posters that wait until it is stored."""
        self._coming = 0
        """Alerts that the store is just being given."""
        self._left: set[asyncio.Task[bool]] = set()
        """Tries whose posters have given up."""
        self._turn = asyncio.Lock()
        """Who waits for room gets it in the order of coming: a large post must not wait for ever behind small ones."""
        self._last = -inf
        """When the last post came."""
        self._rush = False
        """It came right after the one before it."""
        self._hurry = 0
        """Up to this number they do not wait for others."""
        self._doubt = False
        """Something may be stored of which we have not heard."""
        self.failing = 0
        """Posters that wait for a store which has failed."""
        self._fenced: Fenced | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self.store_fails: Callable[[], bool] = lambda: False
        self.on_failure: Callable[[], None] = lambda: None

    async def resume(self) -> None:
        """Take up what an earlier process acknowledged and did not judge. StoreError."""
        for number, at, body in await self._store.accepted():
            self._append(number, AlertsPosted(at=at, accepted=at, number=number, alerts=_decoded(body)))

    async def put(self, alerts: Sequence[PostedAlert], within: timedelta) -> bool:
        """Whether they are stored now; if not, they may be posted again. Fenced."""
        posted, now = tuple(alerts), self._clock.monotonic()
        self._rush, self._last = now - self._last < QUIET, now
        self._storing += 1
        try:
            async with asyncio.timeout(within.total_seconds()):
                async with self._turn:
                    await self._until(lambda: self._fits(len(posted)))
                return not self._ended and await self._stored(posted)
        except TimeoutError:
            return False
        finally:
            self._storing -= 1
            self._last = self._clock.monotonic()

    async def settled(self) -> None:
        """Wait until the view shows what is acknowledged now. A store that is away is not waited for."""
        if not (self._waiting or self._judging) or self.store_fails():
            return
        last = max((*self._waiting, *self._judging))
        self._hurry = max(self._hurry, last)
        self._changed.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READ_WITHIN):
                await self._until(lambda: min((*self._waiting, *self._judging), default=last + 1) > last)

    def note(self, changes: Changes) -> None:
        """One commit."""
        for number in changes.accepted:
            if (post := self._judging.pop(number, None)) is not None:
                self.alerts -= len(post.input.alerts)
        if changes.accepted:
            self._changed.set()

    def end(self) -> None:
        """Nobody waits any longer."""
        self._ended = True
        self._changed.set()
        for each in self._left:
            each.cancel()  # what is stored all the same, the next one takes up

    async def run(self) -> None:
        """Hand on to the writer what waits, a portion at a time. Fenced, when the store has said so to a post."""
        while not self._ended:
            await self._until(lambda: bool(self._waiting or self._doubt or self._fenced), LOOK_EVERY)
            if self._fenced is not None:
                raise self._fenced
            if self._doubt or not self._waiting:
                await self._look()
            while (pause := self._pause()) > 0:
                await self._until(lambda: self._pause() == 0, pause)
            for post in self._portion():
                await self._intake.put(post.input)
            await self._until(lambda: not self._judging)

    def _fits(self, more: int) -> bool:
        held = self.alerts + self._coming
        return not held or held + more <= MOST

    async def _stored(self, posted: tuple[PostedAlert, ...]) -> bool:
        body, failed = _encoder.encode(posted), False
        try:
            while not self._ended:
                if await self._tried(posted, body):
                    return True
                if self._fenced is not None:
                    raise self._fenced
                self.failing, failed = self.failing + (not failed), True
                await asyncio.sleep(AGAIN)
            return False
        finally:
            self.failing -= failed

    async def _tried(self, posted: tuple[PostedAlert, ...], body: bytes) -> bool:
        """It goes on where its poster has given up: what gets stored after all is judged in its order."""
        self._coming += len(posted)
        accepting = asyncio.create_task(self._accept(posted, body))
        try:
            return await asyncio.shield(accepting)
        except asyncio.CancelledError:
            if self._ended:
                accepting.cancel()
            elif not accepting.done():
                self._left.add(accepting)
                accepting.add_done_callback(self._left.discard)
            raise

    async def _accept(self, posted: tuple[PostedAlert, ...], body: bytes) -> bool:
        now = self._clock.now()
        try:
            number = await self._store.accept(body, now)
        except StoreError as error:
            self._doubt = True
            self.on_failure()
            if not (self.failing or self.store_fails()):
                said = {"event": "store.failing", "error": str(error)}
                log.error("the store does not answer; who posts waits", extra=said)
        except Fenced as error:
            self._fenced = error
        else:
            self._append(number, AlertsPosted(at=now, accepted=now, number=number, alerts=posted))
            return True
        finally:
            self._coming -= len(posted)
            self._changed.set()
        return False

    def _append(self, number: int, posted: AlertsPosted) -> None:
        if number not in self._waiting and number not in self._judging:
            self._waiting[number] = _Post(posted, self._clock.monotonic())
            self.alerts += len(posted.alerts)
            self._changed.set()

    async def _look(self) -> None:
        """Take up what was stored although its poster could not be told so."""
        self._doubt = False  # what fails from here on this look may have missed
        try:
            await self.resume()
        except StoreError:
            self._doubt = True
            await asyncio.sleep(AGAIN)
        self._waiting = dict(sorted(self._waiting.items()))

    def _pause(self) -> float:
        """Seconds to wait for others."""
        first = next(iter(self._waiting), None)
        if first is None or first <= self._hurry or not self._rush:
            return 0.0
        now = self._clock.monotonic()
        quiet = QUIET if self._storing else self._last + QUIET - now
        return max(0.0, min(quiet, self._waiting[first].since + GATHER - now))

    def _portion(self) -> list[_Post]:
        portion: list[_Post] = []
        size = 0
        for number in [*self._waiting]:
            size += len(self._waiting[number].input.alerts)
            if portion and size > PORTION:
                break
            self._judging[number] = self._waiting.pop(number)
            portion.append(self._judging[number])
        return portion

    async def _until(self, condition: Callable[[], bool], within: float | None = None) -> None:
        """Wait for it to be so, `within` seconds at most; everything that may change it sets `_changed`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not (condition() or (self._ended and within is None)):
                    self._changed.clear()
                    await self._changed.wait()


def _decoded(body: bytes) -> tuple[PostedAlert, ...]:
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise StoreError(
            f"The store holds posted alerts that this version of Watcher cannot read ({error}). If a newer one has "
            "written them, start that version again."
        ) from error
