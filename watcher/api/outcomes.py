"""What commits say of what a request waits for, messages or answers: it is told only after its commit.

The service hands on every commit's changes by `note`. A request that stops waiting changes nothing: its message stays
in the outbox.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta

from watcher.model.changes import Changes
from watcher.model.observations import SilenceAsked, SilenceExpireAsked
from watcher.model.silence import Answer
from watcher.model.state import OutboxRow
from watcher.ports import Intake

Asked = SilenceAsked | SilenceExpireAsked
"""What the core answers."""


class Followed:
    """The newest rows of the messages that somebody waits for, by id."""

    def __init__(self, wants: Callable[[OutboxRow], bool]) -> None:
        self.rows: dict[str, OutboxRow] = {}
        self.ended = False
        self._wants = wants
        self._changed = asyncio.Event()

    def note(self, row: OutboxRow) -> None:
        if self._wants(row):
            self.rows[row.id] = row
            self._changed.set()

    async def until(self, condition: Callable[[], bool], within: timedelta) -> bool:
        """Wait for commits to make it true; whether they did in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                while not (condition() or self.ended):
                    self._changed.clear()
                    await self._changed.wait()
        return condition()

    def end(self) -> None:
        """Nothing is waited for any longer."""
        self.ended = True
        self._changed.set()


class Outcomes:
    """Everybody who waits, and the dead letters that are on their way back into the outbox."""

    def __init__(self) -> None:
        self.returning: set[str] = set()
        """Asked for, and not committed yet: asking twice must not send twice."""
        self._followed: set[Followed] = set()
        self._answers: dict[str, asyncio.Future[Answer | None]] = {}
        """Of those who wait for one, by the name of their request."""
        self._ended = False

    def note(self, changes: Changes) -> None:
        """One commit. A message that died and was enqueued again in it is queued."""
        for request, answer in changes.answers.items():
            self._resolve(request, answer)
        if not self._followed and not self.returning:
            return
        for row in (*changes.finished, *changes.outbox.values()):
            if row is not None:
                self.returning.discard(row.id)
                for one in self._followed:
                    one.note(row)

    def end(self) -> None:
        """The service stops: whoever waits is answered with what there is."""
        self._ended = True
        for one in self._followed:
            one.end()
        for request in self._answers:
            self._resolve(request, None)

    async def ask(self, intake: Intake, asked: Asked, within: timedelta) -> Answer | None:
        """Put it into the intake and wait for the core's answer; None: it is not stored yet, and will be."""
        waiting: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._answers[asked.request] = waiting
        try:
            await intake.put(asked)
            if self._ended:
                return None
            async with asyncio.timeout(within.total_seconds()):
                return await waiting
        except TimeoutError:
            return None
        finally:
            del self._answers[asked.request]

    def _resolve(self, request: str, answer: Answer | None) -> None:
        waiting = self._answers.get(request)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    @contextlib.contextmanager
    def follow(self, wants: Callable[[OutboxRow], bool]) -> Iterator[Followed]:
        one = Followed(wants)
        one.ended = self._ended
        self._followed.add(one)
        try:
            yield one
        finally:
            self._followed.discard(one)
