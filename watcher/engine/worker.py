"""One integration's messages: which may be sent now, and what sends them.

Messages of one conversation keep their order: a later one waits until the outcome of the earlier one is recorded. A
channel that has a rate, or that fails, gets one message at a time; the others several at once. When nothing may be
sent before a certain time (rate, Retry-After, pause after failures), `Channel.not_before` says so: it is the core's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from watcher.engine.stats import SENDING, Buckets, StoreStats
from watcher.model.delivery import GiveUp, Outcome
from watcher.model.observations import DeliveryDone
from watcher.model.state import Channel, OutboxRow
from watcher.ports import Clock, Intake, Sender, Store, StoreError

log = logging.getLogger("watcher.dispatch")

LEASE = timedelta(seconds=60)
"""Outlasts the longest time that an adapter may take to send (30 s)."""

WIDTH = 4
"""Messages that one integration without a rate gets at once."""

Name = tuple[str, str]
"""(receiver, integration)"""


class Worker:
    """The rows of one integration, and the loop that sends them."""

    def __init__(
        self, name: Name, sender: Sender, store: Store, intake: Intake, clock: Clock, *, width: int = WIDTH
    ) -> None:
        self.name = name
        self.rows: dict[str, OutboxRow] = {}
        self.channel = Channel(receiver=name[0], integration=name[1])
        self.may_send: Callable[[], bool] = _always
        self.done: Callable[[OutboxRow, Outcome], None] = lambda row, outcome: None
        self.sending = Buckets(SENDING)
        self.leases = StoreStats()
        self._width = width
        self._leased: dict[str, datetime] = {}
        """Until when a row is ours."""
        self._flying: set[str] = set()
        self._resting: set[str] = set()
        """Sent, and not yet recorded."""
        self._withheld: set[str] = set()
        """Taken out of the queue by a commit that is under way."""
        self.sender = sender
        self._retired = False
        self._store = store
        self._intake = intake
        self._clock = clock
        self._wake = asyncio.Event()

    def put(self, row: OutboxRow, *, leased: bool) -> None:
        old = self.rows.get(row.id)
        self.rows[row.id] = row
        if old is None or old.attempts != row.attempts:
            # Its outcome is recorded; a row that is put for another reason may be on its way.
            self._resting.discard(row.id)
        if leased:
            self._leased[row.id] = self._clock.now() + LEASE / 2
        self._wake.set()

    def drop(self, row_id: str) -> None:
        self.rows.pop(row_id, None)
        self._leased.pop(row_id, None)
        self._resting.discard(row_id)
        self._withheld.discard(row_id)
        self._wake.set()

    def withhold(self, row_id: str) -> None:
        """Do not begin it any more. Until that is committed it stands before the later ones of its conversation."""
        if row_id in self.rows:
            self._withheld.add(row_id)

    def tune(self, channel: Channel) -> None:
        self.channel = channel
        self._wake.set()

    def in_flight(self) -> frozenset[str]:
        """Messages that are being sent, or whose outcome is not recorded yet."""
        return frozenset(self._flying | self._resting)

    def is_busy(self) -> bool:
        """Whether a message is in flight, not yet recorded, or due now."""
        return bool(self._flying or self._resting) or self._wait_for() == 0.0

    def next_row(self) -> OutboxRow | None:
        """The row to send next: the first of its conversation, the earliest due of those."""
        heads: dict[str, OutboxRow] = {}
        for row in self.rows.values():
            head = heads.get(row.group)
            if head is None or (row.created_at, row.id) < (head.created_at, head.id):
                heads[row.group] = row
        away = self._flying | self._resting | self._withheld
        ready = (row for row in heads.values() if row.id not in away)
        return min(ready, key=lambda row: (row.next_at, row.created_at, row.id), default=None)

    def _wait_for(self) -> float | None:
        """Seconds until the next row may be sent; None: something else has to happen first."""
        alone = self._width == 1 or self.channel.failures
        begun = len(self._flying) + len(self._resting)
        # What is sent and not recorded yet is sent again after a kill: there is never more of it than that.
        if begun >= (1 if alone else self._width):
            return None
        # The channel's pause first: while it lasts, nobody has to look through thousands of rows at each commit.
        rest = self._clock.until(self.channel.not_before) if self.channel.not_before is not None else 0.0
        if rest > 0.0 and self.rows:
            return rest
        row = self.next_row()
        return None if row is None else self._clock.until(row.next_at)

    def become(self, sender: Sender, width: int) -> None:
        """Another configuration of the same integration."""
        self.sender = sender
        self._width = width
        self._wake.set()

    def retire(self) -> list[OutboxRow]:
        """It begins nothing more, finishes what is in flight, and ends. The rows that it will not send."""
        self._retired = True
        self._wake.set()
        away = self._flying | self._resting
        return [self.rows.pop(row_id) for row_id in [*self.rows] if row_id not in away]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while (row := await self._next()) is not None:
                self._flying.add(row.id)
                group.create_task(self._take(row), name="/".join(("send", *self.name)))

    async def _next(self) -> OutboxRow | None:
        """The row to send now; None when there will be none."""
        while not self._retired:
            self._wake.clear()
            pause = self._wait_for()
            if pause == 0.0 and (row := self.next_row()) is not None:
                return row
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
        return None

    async def _take(self, row: OutboxRow) -> None:
        """Send, then report: the writer records it. Until it has, the row rests here and is not sent again."""
        try:
            if not await self._is_ours(row):
                return
            outcome = await self._try(row)
            self._resting.add(row.id)
            self._leased.pop(row.id, None)
            self.done(row, outcome)
            await self._intake.put(DeliveryDone(at=self._clock.now(), message_id=row.id, outcome=outcome))
        finally:
            self._flying.discard(row.id)
            self._wake.set()

    async def _is_ours(self, row: OutboxRow) -> bool:
        if not self.may_send():
            await asyncio.sleep(1)
            return False
        now = self._clock.now()
        if self._leased.get(row.id, now) > now:
            return True
        try:
            begun = self._clock.monotonic()
            leased = await self._store.lease(self.name, now, now + LEASE, limit=100)
            self.leases.took("lease", self._clock.monotonic() - begun)
        except StoreError as error:
            self.leases.failed("lease")
            log.warning("no lease to be had", extra={"event": "delivery.lease_failed", "error": str(error)})
            leased = []
        self._leased.update({one.id: now + LEASE / 2 for one in leased})
        if row.id not in self._leased:
            await asyncio.sleep(1)
        return row.id in self._leased and row.id in self.rows and row.id not in self._withheld

    async def _try(self, row: OutboxRow) -> Outcome:
        """An adapter that raises is a mistake of ours: it costs this message, neither the service nor the others."""
        begun = self._clock.monotonic()
        try:
            return await self.sender.send(row.notification, row.reference)
        except Exception as error:
            log.exception("an adapter raised", extra={"event": "delivery.raised", "message_id": row.id})
            return GiveUp(reason=f"Watcher could not make the message: {type(error).__name__}")
        finally:
            self.sending.add(self._clock.monotonic() - begun)


def _always() -> bool:
    return True
