"""The store in memory: the twin of the SQL store for replay and tests, with the same meaning of every method.

Replay commits tens of thousands of times, so a commit does no more than move references: records are frozen, and
what is only true inside a process (pods, the listing half of a scope) is left out when the state is loaded. All that
may fail in a commit comes before the first change, so that a commit happens wholly or not at all here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from watcher.model.changes import Changes, View
from watcher.model.history import Asked, DecisionLine, TransitionLine
from watcher.model.identity import AlertKey
from watcher.model.remembered import ScopeState
from watcher.model.silence import SilenceChange
from watcher.model.state import Attempt, Decision, MessageState, Meta, OutboxRow, Transition
from watcher.ports import Leader
from watcher.store import kept
from watcher.store.counting import Line, Matter, count, matter

_STATE = ("scopes", "histories", "volumes", "members", "alerts", "groups", "told", "channels", "silences")


class _Message(msgspec.Struct, kw_only=True):
    row: OutboxRow
    owner: str | None = None
    leased_until: datetime | None = None
    finished_at: datetime | None = None


class MemoryStore:
    """Implements `ports.Store`. With the default `lease_for`, a new message may be leased at once."""

    def __init__(self, *, owner: str = "memory", lease_for: timedelta = timedelta()) -> None:
        self._owner = owner
        self._lease_for = lease_for
        self._state: dict[str, dict[Any, Any]] = {name: {} for name in _STATE}
        self._meta = Meta()
        self._last_commit: datetime | None = None
        self._leader: Leader | None = None
        self._messages: dict[str, _Message] = {}
        self._queued: dict[tuple[str, str], dict[str, _Message]] = {}
        self._transitions: list[Transition] = []
        self._latest: dict[Matter, Line] = {}
        self._lines: list[Line] = []
        self._attempts: list[Attempt] = []
        self._silence_changes: list[SilenceChange] = []
        self._inbox: dict[int, tuple[datetime, bytes]] = {}
        self._last_accepted = 0

    async def take_over(self, holder: str, address: str) -> int:
        """There is never anybody else, so this store may be written without it too."""
        epoch = 1 if self._leader is None else self._leader.epoch + 1
        self._leader = Leader(epoch=epoch, holder=holder, address=address, since=None)
        await self.release_all()
        return epoch

    async def leader(self) -> Leader | None:
        return self._leader

    async def last_commit(self) -> datetime | None:
        return self._last_commit

    async def load(self) -> tuple[View, datetime | None]:
        view = View()
        view.meta = self._meta
        for scope, row in self._state["scopes"].items():
            view.scopes.put(scope, ScopeState(scope=scope, known=row.known, forbidden=row.forbidden))
        for name in _STATE[1:]:
            table = getattr(view, name)
            for key, row in self._state[name].items():
                table.put(key, row)
        for queue in self._queued.values():
            for id, message in queue.items():
                view.outbox.put(id, message.row)
        return view, self._last_commit

    async def commit(self, changes: Changes, at: datetime) -> None:
        messages = self._written(changes, at)
        decisions = [(matter(decision), decision) for decision in changes.decisions]
        for name in _STATE:
            rows = self._state[name]
            for key, row in getattr(changes, name).items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        for id, message in messages.items():
            self._put(id, message)
        self._transitions += changes.transitions
        self._lines += count(decisions, self._latest)
        self._attempts += changes.attempts
        self._silence_changes += changes.silence_changes
        for number in changes.accepted:
            self._inbox.pop(number, None)
        if changes.meta is not None:
            self._meta = changes.meta
        self._last_commit = at

    async def accept(self, body: bytes, at: datetime) -> int:
        self._last_accepted += 1
        self._inbox[self._last_accepted] = at, body
        return self._last_accepted

    async def accepted(self) -> Sequence[tuple[int, datetime, bytes]]:
        return [(number, at, body) for number, (at, body) in self._inbox.items()]

    async def lease(self, integration: tuple[str, str], now: datetime, until: datetime, limit: int) -> list[OutboxRow]:
        due = [
            message
            for message in self._queued.get(integration, {}).values()
            if message.row.next_at <= now and (message.leased_until is None or message.leased_until <= now)
        ]
        due.sort(key=_age)
        for message in due[:limit]:
            message.owner, message.leased_until = self._owner, until
        return [message.row for message in due[:limit]]

    async def release_all(self) -> None:
        """Free every leased message: at a start, when nobody else can be sending."""
        for message in self._messages.values():
            message.owner = message.leased_until = None

    async def transitions(self, limit: int) -> Sequence[Transition]:
        return self._transitions[: -limit - 1 : -1]

    async def decisions(self, limit: int) -> Sequence[tuple[Decision, int]]:
        return [(line.decision, line.count) for line in self._lines[: -limit - 1 : -1]]

    async def transitions_of(self, asked: Asked, limit: int) -> Sequence[TransitionLine]:
        return kept.transitions(self._transitions, asked, limit)

    async def decisions_of(self, asked: Asked, limit: int) -> Sequence[DecisionLine]:
        return kept.decisions(self._lines, asked, limit)

    async def alert_keys(self) -> Sequence[AlertKey]:
        decided = {line.decision.alert for line in self._lines if line.decision.alert is not None}
        return list({row.alert for row in self._transitions} | decided)

    async def messages(self, limit: int) -> Sequence[OutboxRow]:
        newest = sorted(self._messages.values(), key=_age, reverse=True)
        return [message.row for message in newest[:limit]]

    async def deliveries(
        self, limit: int, *, state: MessageState | None = None, receiver: str = ""
    ) -> Sequence[tuple[OutboxRow, datetime | None]]:
        wanted = [
            message
            for message in self._messages.values()
            if state in (None, message.row.state) and receiver in ("", message.row.receiver)
        ]
        newest = sorted(wanted, key=_age, reverse=True)
        return [(message.row, message.finished_at) for message in newest[:limit]]

    async def delivery(self, message: str) -> tuple[OutboxRow, datetime | None] | None:
        found = self._messages.get(message)
        return None if found is None else (found.row, found.finished_at)

    async def attempts(self, message: str) -> Sequence[Attempt]:
        return [attempt for attempt in self._attempts if attempt.message == message]

    async def silence_changes(self, silence: str = "", limit: int = 100) -> Sequence[SilenceChange]:
        found = [one for one in reversed(self._silence_changes) if not silence or one.silence == silence]
        return found[:limit]

    async def prune(self, before: datetime, limit: int) -> int:
        transitions = _oldest([(row.at, n) for n, row in enumerate(self._transitions)], before, limit)
        lines = _oldest([(line.last_at, n) for n, line in enumerate(self._lines)], before, limit)
        attempts = _oldest([(row.at, n) for n, row in enumerate(self._attempts)], before, limit)
        messages = _oldest(
            [(m.finished_at, id) for id, m in self._messages.items() if m.finished_at is not None], before, limit
        )
        for n in lines:
            if self._lines[n].latest:
                del self._latest[matter(self._lines[n].decision)]
        self._transitions = [row for n, row in enumerate(self._transitions) if n not in transitions]
        self._lines = [line for n, line in enumerate(self._lines) if n not in lines]
        self._attempts = [row for n, row in enumerate(self._attempts) if n not in attempts]
        for id in messages:
            del self._messages[id]
        return len(transitions) + len(lines) + len(attempts) + len(messages)

    async def close(self) -> None:
        """Nothing to give back; what was stored stays readable."""

    def _written(self, changes: Changes, at: datetime) -> dict[str, _Message | None]:
        """The outbox rows that a commit writes; None: it goes without a trace."""
        written: dict[str, _Message | None] = {}
        for id, row in changes.outbox.items():
            written[id] = None if row is None else self._enqueued(row, at)
        for row in changes.finished:
            if changes.outbox.get(row.id) is None:
                written[row.id] = _Message(row=row, finished_at=at)
        return written

    def _enqueued(self, row: OutboxRow, at: datetime) -> _Message:
        old = self._messages.get(row.id)
        if old is None:
            born_leased = row.attempts == 0
            until = at + self._lease_for if born_leased else None
            return _Message(row=row, owner=self._owner if born_leased else None, leased_until=until)
        if (old.row.attempts, old.row.next_at) == (row.attempts, row.next_at):
            return _Message(row=row, owner=old.owner, leased_until=old.leased_until)
        return _Message(row=row)

    def _put(self, id: str, message: _Message | None) -> None:
        old = self._messages.pop(id, None)
        if old is not None:
            self._queued.get((old.row.receiver, old.row.integration), {}).pop(id, None)
        if message is None:
            return
        self._messages[id] = message
        if message.row.state is MessageState.QUEUED:
            self._queued.setdefault((message.row.receiver, message.row.integration), {})[id] = message


def _age(message: _Message) -> tuple[datetime, str]:
    return message.row.created_at, message.row.id


def _oldest(rows: list[tuple[datetime, Any]], before: datetime, limit: int) -> set[Any]:
    """Which of (time, name) are older than `before`: the oldest, at most `limit`."""
    return {name for _, name in sorted(row for row in rows if row[0] < before)[:limit]}
