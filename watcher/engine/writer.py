"""The one writer: take what is queued, ask the core, commit, apply, hand on.

Everything that changes state passes here, one batch at a time: watch events, evidence, outcomes of deliveries. An
input is stamped as it is taken off the queue; that stream is what `record` writes, and a replay of it gives the very
same decisions. A clock that jumped is an input too, the first of its batch. The store is asked again until it answers:
until then intake waits in its bounded queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
import tenacity

from watcher.engine.clock import SteadyClock
from watcher.engine.decided import lines_of
from watcher.engine.queue import IntakeQueue
from watcher.engine.stats import QUICK, Buckets, StoreStats
from watcher.model.changes import Changes, View
from watcher.model.hints import Mistake
from watcher.model.observations import AlertsPosted, ClockJumped, ConfigLoaded, Input, StoreAway
from watcher.pipeline import Core, TimerFailed, handle, next_wake
from watcher.ports import Clock, Store, StoreError

log = logging.getLogger("watcher.writer")

BATCH = 500
MISTAKES_KEPT = 200
_TICK = timedelta(microseconds=1)


class WriterStats(msgspec.Struct):
    """Counters since the process began, and how it is now."""

    inputs: int = 0
    batches: int = 0
    commits: int = 0
    set_aside: int = 0
    decisions: dict[tuple[str, str], int] = {}
    """(verdict, reason) -> how often."""
    refused: dict[str, int] = {}
    """Numbers in kubelets' samples that could not be used, by reason."""
    store_failing: bool = False
    store: StoreStats = msgspec.field(default_factory=StoreStats)
    judging: Buckets = msgspec.field(default_factory=lambda: Buckets(QUICK))
    """What the core took for each batch, by the clock on the wall."""
    clock_jumps: int = 0
    clock_behind_seconds: float = 0.0
    """How far the machine's clock is behind the time that we go on by, because it was set back."""
    mistakes: dict[Mistake, datetime] = {}
    """Annotations that do not do what their authors meant, and when they were seen last; at most MISTAKES_KEPT."""
    mistakes_seen: int = 0
    samples: list[str] = []
    """The last observations that a stage could not take, cut."""


class Writer:
    def __init__(
        self, core: Core, view: View, store: Store, clock: Clock, queue: IntakeQueue, hand_on: Callable[[Changes], None]
    ) -> None:
        self.core = core
        self.view = view
        self.stats = WriterStats()
        self._store = store
        self.clock = clock if isinstance(clock, SteadyClock) else SteadyClock(clock)
        self._queue = queue
        self._hand_on = hand_on
        self._last = view.meta.now or self.clock.now()
        self.clock.not_before(self._last)
        self.busy = False
        self.doubtful = False
        """Something else could not be stored: nothing is judged before the store has taken a commit again."""
        self._away_since: datetime | None = None
        self.record: Callable[[Sequence[Input]], None] | None = None
        self.in_flight: Callable[[], frozenset[str]] = frozenset
        self.withhold: Callable[[Changes], None] = _nothing
        self.adopt: Callable[[], Core] | None = None
        """Puts another configuration in force; called between two batches, when its `ConfigLoaded` is taken."""

    async def run(self) -> None:
        while True:
            await self.step(await self._queue.take(BATCH, self._pause()))

    async def drain(self) -> None:
        """Take what is still queued, without waiting for more."""
        while len(self._queue):
            await self.step(await self._queue.take(BATCH, 0))

    def _pause(self) -> float | None:
        due = next_wake(self.view)
        return None if due is None else self.clock.until(due)

    async def step(self, inputs: Sequence[Input]) -> None:
        self.busy = True
        try:
            for part in self._parts(inputs):
                if part and isinstance(part[0], ConfigLoaded) and self.adopt is not None:
                    self.core = self.adopt()
                await self._step(part)
        finally:
            self.busy = False

    def _parts(self, inputs: Sequence[Input]) -> Iterator[Sequence[Input]]:
        """What comes before another configuration, with the timers due till then, is judged by the one before it."""
        begin = 0
        for number, one in enumerate(inputs):
            if isinstance(one, ConfigLoaded):
                yield inputs[begin:number]
                begin = number
        yield inputs[begin:]

    async def _step(self, inputs: Sequence[Input]) -> None:
        if self.doubtful:
            self.doubtful = False
            await self._commit(Changes(), self._last)
        stamped: list[Input] = [*self._missed(), *(self._stamp(one) for one in inputs)]
        if self.record is not None and stamped:
            self.record(stamped)
        now = self._stamp_now()
        # No message is begun between these lines: they do not wait.
        self.view.in_flight = self.in_flight()
        begun = self.clock.monotonic()
        changes = self._ask(stamped, now)
        self.stats.judging.add(self.clock.monotonic() - begun)
        changes.accepted = tuple(one.number for one in stamped if isinstance(one, AlertsPosted) and one.number)
        self.withhold(changes)
        if changes.durable:
            await self._commit(changes, now)
        self.view.apply(changes)
        self._count(changes, len(stamped))
        self._hand_on(changes)

    def _stamp_now(self) -> datetime:
        """Strictly later than all before: an instant that was answered is closed."""
        self._last = max(self.clock.now(), self._last + _TICK)
        return self._last

    def _missed(self) -> list[Input]:
        """What was missed since the last step: what the clock skipped, and what could not be stored."""
        away: list[Input] = []
        if self._away_since is not None:
            away.append(StoreAway(at=self._stamp_now(), since=self._away_since))
            self._away_since = None
        jumps: list[Input] = []
        for jump in self.clock.jumped():
            since = max(jump.since, self._last)
            self._last = max(jump.at, self._last + _TICK)
            jumps.append(ClockJumped(at=self._last, since=min(since, self._last)))
        self.stats.clock_jumps += len(jumps)
        self.stats.clock_behind_seconds = max(0.0, self.clock.behind.total_seconds())
        return [*away, *jumps]

    def _stamp(self, one: Input) -> Input:
        return msgspec.structs.replace(one, at=self._stamp_now())

    def _ask(self, inputs: Sequence[Input], now: datetime) -> Changes:
        """A stage that raises is isolated to its timer or observation: that one is set aside, the rest goes on."""
        while True:
            try:
                return self._judge(inputs, now)
            except TimerFailed as failed:
                self.view.muted.add(failed.timer)
                self.stats.set_aside += 1
                log.exception("a timer could not be run and was set aside", extra={"event": "timer.set_aside"})

    def _judge(self, inputs: Sequence[Input], now: datetime) -> Changes:
        try:
            return handle(self.core, self.view, inputs, now)
        except TimerFailed:
            raise
        except Exception:
            if not inputs:
                raise
        good: list[Input] = []
        rest = list(inputs)
        while rest:
            taken, error = self._most(good, rest)
            good += rest[:taken]
            if error is not None:
                self._set_aside(rest[taken], error)
            rest = rest[taken + 1 :]
        return handle(self.core, self.view, good, now)

    def _most(self, good: Sequence[Input], rest: Sequence[Input]) -> tuple[int, Exception | None]:
        """How many of `rest` the core takes after `good`, and what the next one raised, found by halving."""
        low, high, raised = 0, len(rest), None
        while low < high:
            middle = (low + high + 1) // 2
            try:
                handle(self.core, self.view, [*good, *rest[:middle]], rest[middle - 1].at)
            except TimerFailed:
                raise
            except Exception as error:  # noqa: BLE001 - as above: find the observation that a stage cannot take
                high, raised = middle - 1, error
            else:
                low = middle
        return low, raised

    def _set_aside(self, one: Input, error: Exception) -> None:
        self.stats.set_aside += 1
        sample = str(msgspec.json.encode(one)[:2000], "utf-8", "replace")
        self.stats.samples = [*self.stats.samples[-9:], sample]
        log.error(
            "an observation could not be judged and was set aside",
            exc_info=error,
            extra={"event": "observation.set_aside"},
        )

    async def _commit(self, changes: Changes, at: datetime) -> None:
        retrying = tenacity.AsyncRetrying(
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=2),
            retry=tenacity.retry_if_exception_type(StoreError),
            before_sleep=self._store_failed,
            sleep=asyncio.sleep,
        )
        await retrying(self._commit_once, changes, at)
        if self.stats.store_failing:
            self._away_since = at
        self.stats.store_failing = False
        self.stats.commits += 1

    async def _commit_once(self, changes: Changes, at: datetime) -> None:
        begun = self.clock.monotonic()
        await self._store.commit(changes, at)
        self.stats.store.took("commit", self.clock.monotonic() - begun)

    def _store_failed(self, state: tenacity.RetryCallState) -> None:
        if not self.stats.store_failing:
            error = state.outcome.exception() if state.outcome is not None else None
            log.error("the store does not answer; intake waits", extra={"event": "store.failing", "error": str(error)})
        self.stats.store.failed("commit")
        self.stats.store_failing = True

    def _note_mistakes(self, mistakes: Sequence[Mistake]) -> None:
        """Say each once; forget the oldest of too many."""
        for mistake in mistakes:
            if self.stats.mistakes.pop(mistake, None) is None:
                self.stats.mistakes_seen += 1
                fields = {"object": f"{mistake.namespace}/{mistake.object}", "annotation": mistake.annotation}
                log.warning(mistake.problem, extra={"event": "hint.mistake", **fields})
            self.stats.mistakes[mistake] = self._last
        while len(self.stats.mistakes) > MISTAKES_KEPT:
            del self.stats.mistakes[next(iter(self.stats.mistakes))]

    def _count(self, changes: Changes, inputs: int) -> None:
        self._note_mistakes(changes.mistakes)
        self.stats.inputs += inputs
        self.stats.batches += 1
        for reason, count in changes.refused.items():
            self.stats.refused[reason] = self.stats.refused.get(reason, 0) + count
        for decision in changes.decisions:
            key = (decision.verdict, decision.reason)
            self.stats.decisions[key] = self.stats.decisions.get(key, 0) + 1
        if log.isEnabledFor(logging.INFO):
            for fields in lines_of(changes.decisions, self.view):
                log.info("decided", extra=fields)


def _nothing(_: Changes) -> None: ...
