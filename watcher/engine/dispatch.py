"""The dispatcher: each integration has a worker of its own, so that a dead receiver delays no other.

New rows come leased by the commit that enqueued them; what waited longer is leased from the store again. Retries,
rates and pauses are the core's: they stand in the rows and in `Channel`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from watcher.engine.causes import Cause, cause_of
from watcher.engine.stats import WAITING, Buckets, StoreStats
from watcher.engine.worker import WIDTH, Name, Worker
from watcher.model.delivery import Delivered, GiveUp, Outcome, TryLater
from watcher.model.observations import DeliveryDone
from watcher.model.state import Channel, OutboxRow
from watcher.ports import Clock, Intake, Sender, Store

log = logging.getLogger("watcher.dispatch")


class DispatchStats(msgspec.Struct):
    by_integration: dict[tuple[str, str, str], int] = {}
    """(receiver, integration, outcome) -> how often."""
    failures: dict[tuple[str, str, Cause], int] = {}
    """(receiver, integration, why) -> how often."""
    waited: dict[Name, Buckets] = {}
    """From the decision to the delivery."""
    sending: dict[Name, Buckets] = {}
    """Each attempt."""
    store: StoreStats = msgspec.field(default_factory=StoreStats)

    @property
    def delivered(self) -> int:
        return self._of(Delivered)

    @property
    def retried(self) -> int:
        return self._of(TryLater)

    @property
    def dead(self) -> int:
        return self._of(GiveUp)

    def note(self, row: OutboxRow, outcome: Outcome, now: datetime) -> None:
        key = (row.receiver, row.integration, type(outcome).__name__)
        self.by_integration[key] = self.by_integration.get(key, 0) + 1
        name = (row.receiver, row.integration)
        if isinstance(outcome, Delivered):
            since = row.waits_since or row.created_at
            self.waited.setdefault(name, Buckets(WAITING)).add(max(0.0, (now - since).total_seconds()))
        else:
            failure = (*name, cause_of(outcome.reason))
            self.failures[failure] = self.failures.get(failure, 0) + 1

    def _of(self, outcome: type[Outcome]) -> int:
        return sum(count for (_, _, name), count in self.by_integration.items() if name == outcome.__name__)


class Dispatcher:
    """`paced`: integrations that get one message at a time, because they have a rate. `may_send`: asked before each
    message."""

    def __init__(
        self,
        senders: Mapping[Name, Sender],
        store: Store,
        intake: Intake,
        clock: Clock,
        *,
        paced: frozenset[Name] = frozenset(),
        may_send: Callable[[], bool] | None = None,
    ) -> None:
        self.stats = DispatchStats()
        self._clock = clock
        self._intake = intake
        self._store = store
        self._may_send = may_send
        self._workers: dict[Name, Worker] = {}
        self._running: asyncio.TaskGroup | None = None
        self._orphans: asyncio.Queue[OutboxRow] = asyncio.Queue()
        for name, sender in senders.items():
            self._add(name, sender, paced)

    def _add(self, name: Name, sender: Sender, paced: frozenset[Name]) -> Worker:
        worker = Worker(name, sender, self._store, self._intake, self._clock, width=_width(name, paced))
        worker.done = self._done
        if self._may_send is not None:
            worker.may_send = self._may_send
        worker.leases = self.stats.store
        self.stats.sending[name] = worker.sending
        self._workers[name] = worker
        if self._running is not None:
            self._start(worker, self._running)
        return worker

    def reconfigure(
        self, senders: Mapping[Name, Sender], paced: frozenset[Name], channels: Mapping[Name, Channel]
    ) -> None:
        """Other integrations from now on. What is in flight ends as it began; what waits goes to the new one of its
        name, and is given up where there is none."""
        for name, sender in senders.items():
            worker = self._workers.get(name)
            if worker is None:
                worker = self._add(name, sender, paced)
                if name in channels:
                    worker.tune(channels[name])
            elif worker.sender is not sender:
                worker.become(sender, _width(name, paced))
        for name in self._workers.keys() - senders.keys():
            worker = self._workers.pop(name)
            for row in worker.retire():
                self._orphans.put_nowait(row)

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
            self._orphans.put_nowait(row)
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

    def queued(self) -> Iterator[tuple[Name, int, datetime | None]]:
        """Of each integration: how many rows wait, and when the oldest of them was enqueued."""
        for name, worker in self._workers.items():
            yield name, len(worker.rows), min((row.created_at for row in worker.rows.values()), default=None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._running = group
            for worker in self._workers.values():
                self._start(worker, group)
            await self._give_up_orphans()

    def _start(self, worker: Worker, group: asyncio.TaskGroup) -> None:
        group.create_task(worker.run(), name="/".join(("deliver", *worker.name)))

    async def _give_up_orphans(self) -> None:
        """Rows whose receiver the configuration no longer has can never be sent."""
        while True:
            row = await self._orphans.get()
            reason = f"the configuration has no {row.integration} in receiver {row.receiver!r} any more"
            await self._intake.put(DeliveryDone(at=self._clock.now(), message_id=row.id, outcome=GiveUp(reason=reason)))

    def _done(self, row: OutboxRow, outcome: Outcome) -> None:
        self.stats.note(row, outcome, self._clock.now())
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
        for sender in [worker.sender for worker in self._workers.values()]:
            await sender.close()


def _width(name: Name, paced: frozenset[Name]) -> int:
    return 1 if name in paced else WIDTH
