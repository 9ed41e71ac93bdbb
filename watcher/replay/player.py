"""Plays observations through the core as the service would have, and collects what would have been sent.

A recording without a last line ENDED is taken to go on until every group that is due for the first time has spoken
(the longest `group_wait`), or nobody would see anything of a plain list of pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from watcher.model.changes import Changes, View
from watcher.model.message import Notification
from watcher.model.observations import Ended, Input, ResendAsked
from watcher.pipeline import Core, handle

BATCH = 256


class Player:
    """The state of one replay."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.view = View()
        self.observations = 0
        self.last: datetime | None = None
        self.ended = False

    def play(self, inputs: Iterable[Input], until: timedelta = timedelta()) -> Iterator[Notification]:
        """All notifications that would have been decided, in order of time."""
        batch: list[Input] = []
        for one in inputs:
            batch.append(one)
            if len(batch) == BATCH:
                yield from self.feed(batch)
                batch = []
        yield from self.feed(batch)
        yield from self.finish(until)

    def feed(self, inputs: list[Input]) -> Iterator[Notification]:
        """What is decided to send because of `inputs` and of the timers due before the last of them."""
        if not inputs:
            return
        self.observations += len(inputs)
        self.ended = isinstance(inputs[-1], Ended)
        yield from self._step(inputs, inputs[-1].at)

    def finish(self, more: timedelta) -> Iterator[Notification]:
        """Let time pass after the last observation, so that timers run out."""
        if self.last is None:
            return
        if not self.ended:
            more = max(more, *(route.group_wait for route in self.core.route.walk()))
        end = self.last + more
        yield from self._step([Ended(at=end)], end)

    def changes(self, inputs: list[Input], now: datetime) -> Changes:
        answer = handle(self.core, self.view, inputs, now)
        self.view.apply(answer)
        self.last = self.view.meta.now
        return answer

    def _step(self, inputs: list[Input], now: datetime) -> Iterator[Notification]:
        """A message is new in the answer that enqueues it, also if the recording says there that it was delivered.

        One that somebody had sent again is not: it was decided before.
        """
        known = set(self.view.outbox.rows)
        answer = self.changes(inputs, now)
        asked = {one.message_id for one in inputs if isinstance(one, ResendAsked)}
        known |= asked - {decision.message for decision in answer.decisions}
        rows = [row for row in answer.outbox.values() if row is not None] + answer.finished
        new = {row.id: row.notification for row in rows if row.id not in known}
        yield from sorted(new.values(), key=lambda n: (n.at, n.receiver, n.integration, n.group_key, n.id))


def play(core: Core, inputs: Iterable[Input], until: timedelta = timedelta()) -> Iterator[Notification]:
    """All notifications that would have been decided, in order of time."""
    yield from Player(core).play(inputs, until)
