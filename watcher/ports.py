"""Protocols between the loops (engine) and the adapters (source, store, deliver). No behaviour here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from watcher.model.changes import Changes, View
from watcher.model.config import Integration
from watcher.model.delivery import Outcome
from watcher.model.evidence import Evidence, EvidenceRequest
from watcher.model.history import Asked, DecisionLine, TransitionLine
from watcher.model.identity import AlertKey
from watcher.model.message import Notification
from watcher.model.observations import Input
from watcher.model.silence import SilenceChange
from watcher.model.state import Attempt, Decision, MessageState, OutboxRow, Transition


class Clock(Protocol):
    """The one place where the time is read."""

    def now(self) -> datetime:
        """Now, UTC."""
        ...

    def until(self, due: datetime) -> float:
        """Seconds to wait until `due`, 0 if it has passed (the demo's clock runs faster than people's)."""
        ...

    def monotonic(self) -> float:
        """Seconds of the machine that never jump: for waiting times."""
        ...

    def steady(self) -> float:
        """Seconds of this clock that have passed since some moment: they never jump, whatever `now` is set to."""
        ...


class Intake(Protocol):
    """Where sources put what they saw. The writer stamps it (`at`) when it takes it off the queue."""

    async def put(self, observation: Input) -> None:
        """Everything but watch events. An object waits while the queue is full, nothing else does."""
        ...

    def offer(self, observation: Input) -> bool:
        """For watch events: take it at once, in the place of an older one about the same object where that loses
        nothing. False: the queue is full of other things, nothing was taken; wait for `room` and offer it again.
        """
        ...

    async def room(self) -> None:
        """Wait until the queue is at most half full."""
        ...


class Leader(msgspec.Struct, frozen=True, kw_only=True):
    """Who may write to a store. `address`: where a standby finds its HTTP interface, empty if nobody asked."""

    epoch: int
    """Counts the leaders of this store, from 1."""
    holder: str
    address: str
    since: datetime | None
    """By the database's clock; None where there is none."""


class Store(Protocol):
    """State that survives. Anyone may read; only the last one who took over may write (else `Fenced`)."""

    async def take_over(self, holder: str, address: str) -> int:
        """From now on only this store may write: the new epoch. Frees what was leased; waits for a running commit."""
        ...

    async def leader(self) -> Leader | None:
        """The last one who took over, here or elsewhere."""
        ...

    async def last_commit(self) -> datetime | None:
        """As `load` says it, for little: a standby reads its view anew when it changed."""
        ...

    async def load(self) -> tuple[View, datetime | None]:
        """The whole current state, and the time of the last commit (None: a store without history)."""
        ...

    async def commit(self, changes: Changes, at: datetime) -> None:
        """Store all of `changes` in one transaction, or nothing (StoreError).

        After a StoreError commit the same object again: where the answer was lost and not the commit, it is not
        stored twice.
        """
        ...

    async def accept(self, body: bytes, at: datetime) -> int:
        """Store something that is to be judged later; its number, which grows.

        StoreError: nothing was stored, or it is not known. Who tries it again may have it stored twice.
        """
        ...

    async def accepted(self) -> Sequence[tuple[int, datetime, bytes]]:
        """What was accepted and is in no commit yet (`Changes.accepted`), in its order."""
        ...

    async def lease(self, integration: tuple[str, str], now: datetime, until: datetime, limit: int) -> list[OutboxRow]:
        """Take queued rows of (receiver, integration) that are due and not leased, oldest first, until `until`."""
        ...

    async def transitions(self, limit: int) -> Sequence[Transition]:
        """The newest first."""
        ...

    async def decisions(self, limit: int) -> Sequence[tuple[Decision, int]]:
        """The newest first, each with how often it was repeated."""
        ...

    async def transitions_of(self, asked: Asked, limit: int) -> Sequence[TransitionLine]:
        """Those that fit, the newest first."""
        ...

    async def decisions_of(self, asked: Asked, limit: int) -> Sequence[DecisionLine]:
        """Those that fit, the newest first."""
        ...

    async def alert_keys(self) -> Sequence[AlertKey]:
        """Every alert of which the history says something, in no order."""
        ...

    async def messages(self, limit: int) -> Sequence[OutboxRow]:
        """Outbox rows in any state, the newest first."""
        ...

    async def deliveries(
        self, limit: int, *, state: MessageState | None = None, receiver: str = ""
    ) -> Sequence[tuple[OutboxRow, datetime | None]]:
        """Outbox rows of one state and one receiver (neither: of any), the newest first, with when each was over."""
        ...

    async def delivery(self, message: str) -> tuple[OutboxRow, datetime | None] | None:
        """One outbox row in any state, and when it was over."""
        ...

    async def attempts(self, message: str) -> Sequence[Attempt]:
        """The attempts to deliver one message, oldest first."""
        ...

    async def silence_changes(self, silence: str = "", limit: int = 100) -> Sequence[SilenceChange]:
        """Who made, changed or ended a silence (empty: any), the newest first."""
        ...

    async def prune(self, before: datetime, limit: int) -> int:
        """Delete history older than `before`, at most `limit` rows a table; how many went."""
        ...

    async def close(self) -> None: ...


class StoreError(Exception):
    """The store could not do it; nothing was changed. Trying again may help."""


class Fenced(Exception):
    """Somebody else has taken over (or this one never did): nothing was written, and trying again cannot help."""


class Sender(Protocol):
    """One integration's adapter."""

    async def send(self, notification: Notification, reference: str = "") -> Outcome:
        """Send, within the adapter's own time limit. Never raises for what the receiver or the network does.

        `reference`: what `Delivered.reference` said of the conversation's last new message; empty: there is none. An
        adapter that can edit or answer in a thread does so; the others say what changed in a message of its own.
        """
        ...

    async def close(self) -> None: ...


class SenderFactory(Protocol):
    def __call__(self, integration: Integration) -> Sender: ...


class EvidenceFetcher(Protocol):
    """Reads logs and events of what fires, bounded in time and size, redacted."""

    async def fetch(self, request: EvidenceRequest, within: timedelta) -> Evidence:
        """Never raises for what the cluster does: what could not be had is said in `Evidence.missing`."""
        ...
