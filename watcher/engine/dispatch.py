"""The dispatcher: one worker per integration takes its rows of the outbox, sends, and reports the outcome.

A dead receiver delays no other. Messages of one group keep their order: a later one waits while an earlier one is
still queued. New rows come leased by the commit that enqueued them; retries are leased from the store. The finer
points (rates, circuits, replacing what still waits) come with the issue on delivery.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.observations import DeliveryDone
from watcher.model.state import OutboxRow
from watcher.ports import Clock, Intake, Sender, Store, StoreError

log = logging.getLogger("watcher.dispatch")

LEASE = timedelta(seconds=60)
"""Outlasts the longest time that an adapter may take to send (30 s)."""

Name = tuple[str, str]
"""(receiver, integration)"""


class DispatchStats(msgspec.Struct):
    by_integration: dict[tuple[str, str, str], int] = {}
    """(receiver, integration, outcome) -> how often."""

    @property
    def delivered(self) -> int:
        return self._of(Delivered)

    @property
    def retried(self) -> int:
        return self._of(TryLater)

    @property
    def dead(self) -> int:
        return self._of(GiveUp)

    def _of(self, outcome: type[Outcome]) -> int:
        return sum(count for (_, _, name), count in self.by_integration.items() if name == outcome.__name__)


class Worker:
    """The rows of one integration, and the loop that sends them."""

    def __init__(self, name: Name, sender: Sender, store: Store, intake: Intake, clock: Clock) -> None:
        self.name = name
        self.rows: dict[str, OutboxRow] = {}
        self.sending = False
        self._leased: set[str] = set()
        self._resting: set[str] = set()
        self._sender = sender
        self._store = store
        self._intake = intake
        self._clock = clock
        self._wake = asyncio.Event()

    def put(self, row: OutboxRow, *, leased: bool) -> None:
        self.rows[row.id] = row
        self._resting.discard(row.id)
        if leased:
            self._leased.add(row.id)
        self._wake.set()

    def drop(self, row_id: str) -> None:
        self.rows.pop(row_id, None)
        self._leased.discard(row_id)
        self._resting.discard(row_id)
        self._wake.set()

    def is_busy(self) -> bool:
        """Whether a message is in flight, not yet recorded, or due now."""
        return self.sending or bool(self._resting) or self.is_due()

    def next_row(self) -> OutboxRow | None:
        """The row to send next: the first of its group, the earliest due of those; of a resting one nothing follows."""
        heads: dict[str, OutboxRow] = {}
        for row in sorted(self.rows.values(), key=lambda row: (row.created_at, row.id)):
            heads.setdefault(row.group, row)
        ready = (row for row in heads.values() if row.id not in self._resting)
        return min(ready, key=lambda row: (row.next_at, row.created_at, row.id), default=None)

    def is_due(self) -> bool:
        row = self.next_row()
        return row is not None and not self._clock.until(row.next_at)

    async def run(self, stats: DispatchStats) -> None:
        while True:
            row = await self._wait()
            if row.id in self._leased or await self._lease(row):
                await self._send(row, stats)

    async def _wait(self) -> OutboxRow:
        while True:
            self._wake.clear()
            row = self.next_row()
            pause = None if row is None else self._clock.until(row.next_at)
            if row is not None and not pause:
                return row
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _lease(self, row: OutboxRow) -> bool:
        now = self._clock.now()
        try:
            leased = await self._store.lease(self.name, now, now + LEASE, limit=100)
        except StoreError as error:
            log.warning("no lease to be had", extra={"event": "delivery.lease_failed", "error": str(error)})
            await asyncio.sleep(1)
            return False
        self._leased.update(one.id for one in leased)
        if row.id not in self._leased:
            await asyncio.sleep(1)
        return row.id in self._leased

    async def _send(self, row: OutboxRow, stats: DispatchStats) -> None:
        """Send, then report: the writer records it. Until it has, the row rests here and is not sent again."""
        self.sending = True
        try:
            outcome = await self._try(row)
            self._resting.add(row.id)
            self._leased.discard(row.id)
            self._note(row, outcome, stats)
            await self._intake.put(DeliveryDone(at=self._clock.now(), message_id=row.id, outcome=outcome))
        finally:
            self.sending = False

    async def _try(self, row: OutboxRow) -> Outcome:
        """An adapter that raises is a mistake of ours: it costs this message, neither the service nor the others."""
        try:
            return await self._sender.send(row.notification)
        except Exception as error:
            log.exception("an adapter raised", extra={"event": "delivery.raised", "message_id": row.id})
            return GiveUp(reason=f"Watcher could not make the message: {type(error).__name__}")

    def _note(self, row: OutboxRow, outcome: Outcome, stats: DispatchStats) -> None:
        extra: dict[str, object] = {
            "receiver": row.receiver,
            "integration": row.integration,
            "notification": row.id,
            "attempt": row.attempts + 1,
        }
        match outcome:
            case Delivered():
                log.info("delivered", extra={"event": "delivery.done", **extra})
            case TryLater(reason=reason):
                log.warning("delivery failed, will retry", extra={"event": "delivery.retry", "reason": reason, **extra})
            case GiveUp(reason=reason):
                log.error("delivery given up", extra={"event": "delivery.dead", "reason": reason, **extra})
        key = (*self.name, type(outcome).__name__)
        stats.by_integration[key] = stats.by_integration.get(key, 0) + 1


class Dispatcher:
    def __init__(self, senders: Mapping[Name, Sender], store: Store, intake: Intake, clock: Clock) -> None:
        self.stats = DispatchStats()
        self._clock = clock
        self._intake = intake
        self._senders = senders
        self._workers = {name: Worker(name, sender, store, intake, clock) for name, sender in senders.items()}
        self._orphans: list[OutboxRow] = []

    def resume(self, rows: Iterable[OutboxRow]) -> None:
        """Rows that an earlier process left undelivered."""
        for row in rows:
            self._place(row, leased=False)

    def committed(self, outbox: Mapping[str, OutboxRow | None]) -> None:
        """What a commit has put into the outbox or taken out of it. A new row is leased by us already."""
        for row_id, row in outbox.items():
            if row is not None:
                self._place(row, leased=row.attempts == 0)
                continue
            for worker in self._workers.values():
                worker.drop(row_id)

    def _place(self, row: OutboxRow, *, leased: bool) -> None:
        worker = self._workers.get((row.receiver, row.integration))
        if worker is None:
            self._orphans.append(row)
        else:
            worker.put(row, leased=leased)

    def busy(self) -> bool:
        """Whether a message is in flight, not yet recorded, or due now."""
        return any(worker.is_busy() for worker in self._workers.values())

    def waiting(self) -> int:
        return sum(len(worker.rows) for worker in self._workers.values())

    def oldest(self) -> datetime | None:
        """When the oldest undelivered row was enqueued."""
        return min((row.created_at for worker in self._workers.values() for row in worker.rows.values()), default=None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for worker in self._workers.values():
                group.create_task(worker.run(self.stats), name="/".join(("deliver", *worker.name)))
            await self._give_up_orphans()

    async def _give_up_orphans(self) -> None:
        """Rows whose receiver the configuration no longer has can never be sent."""
        for row in self._orphans:
            reason = f"the configuration has no {row.integration} in receiver {row.receiver!r} any more"
            await self._intake.put(DeliveryDone(at=self._clock.now(), message_id=row.id, outcome=GiveUp(reason=reason)))

    async def close(self) -> None:
        for sender in self._senders.values():
            await sender.close()
