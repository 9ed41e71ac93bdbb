"""The dispatcher: each integration has a worker of its own, so that a dead receiver delays no other.

New rows come leased by the commit that enqueued them; what waited longer is leased from the store again. Retries,
rates and pauses are the core's: they stand in the rows and in `Channel`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from watcher.engine.worker import WIDTH, Name, Worker
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.observations import DeliveryDone
from watcher.model.state import Channel, OutboxRow
from watcher.ports import Clock, Intake, Sender, Store

log = logging.getLogger("watcher.dispatch")


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

    def note(self, row: OutboxRow, outcome: Outcome) -> None:
        key = (row.receiver, row.integration, type(outcome).__name__)
        self.by_integration[key] = self.by_integration.get(key, 0) + 1

    def _of(self, outcome: type[Outcome]) -> int:
        return sum(count for (_, _, name), count in self.by_integration.items() if name == outcome.__name__)


class Dispatcher:
    """`paced`: integrations that get one message at a time, because they have a rate."""

    def __init__(
        self,
        senders: Mapping[Name, Sender],
        store: Store,
        intake: Intake,
        clock: Clock,
        *,
        paced: frozenset[Name] = frozenset(),
    ) -> None:
        self.stats = DispatchStats()
        self._clock = clock
        self._intake = intake
        self._senders = senders
        self._workers = {
            name: Worker(name, sender, store, intake, clock, width=1 if name in paced else WIDTH)
            for name, sender in senders.items()
        }
        for worker in self._workers.values():
            worker.done = self._done
        self._orphans: list[OutboxRow] = []

    def resume(self, rows: Iterable[OutboxRow], channels: Iterable[Channel] = ()) -> None:
        """What an earlier process left undelivered, and how its channels did."""
        for channel in channels:
            self._tune(channel)
        for row in rows:
            self._place(row, leased=False)

    def in_flight(self) -> frozenset[str]:
        """Messages that are being sent right now, or whose outcome is not recorded yet."""
        return frozenset().union(*(worker.in_flight() for worker in self._workers.values()))

    def withhold(self, outbox: Mapping[str, OutboxRow | None]) -> None:
        """What the core has just taken out of the queue is not begun any more, though it is not committed yet."""
        for row_id, row in outbox.items():
            if row is None:
                for worker in self._workers.values():
                    worker.withhold(row_id)

    def committed(
        self, outbox: Mapping[str, OutboxRow | None], channels: Mapping[Name, Channel | None] | None = None
    ) -> None:
        """What a commit has put into the outbox or taken out of it. A new row is leased by us already."""
        for channel in (channels or {}).values():
            if channel is not None:
                self._tune(channel)
        for row_id, row in outbox.items():
            if row is not None:
                self._place(row, leased=row.attempts == 0)
            else:
                for worker in self._workers.values():
                    worker.drop(row_id)

    def _tune(self, channel: Channel) -> None:
        worker = self._workers.get(channel.key)
        if worker is not None:
            worker.tune(channel)

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
                group.create_task(worker.run(), name="/".join(("deliver", *worker.name)))
            await self._give_up_orphans()

    async def _give_up_orphans(self) -> None:
        """Rows whose receiver the configuration no longer has can never be sent."""
        for row in self._orphans:
            reason = f"the configuration has no {row.integration} in receiver {row.receiver!r} any more"
            await self._intake.put(DeliveryDone(at=self._clock.now(), message_id=row.id, outcome=GiveUp(reason=reason)))

    def _done(self, row: OutboxRow, outcome: Outcome) -> None:
        self.stats.note(row, outcome)
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

    async def close(self) -> None:
        for sender in self._senders.values():
            await sender.close()
