"""The loop that has evidence fetched: every request is answered, also in a storm, by a slow or a broken fetcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from watcher.engine.evidence import BROKEN, BURST, PER_MINUTE, TOO_MANY, WAITING, WITHIN, WORKERS, EvidenceLoop
from watcher.model.evidence import Evidence, EvidenceRequest
from watcher.model.identity import AlertKey
from watcher.model.observations import EvidenceArrived, Input

BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)


class HandClock:
    """Moves only when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)

    def until(self, due: datetime) -> float:
        return max(0.0, (due - self.now()).total_seconds())

    def monotonic(self) -> float:
        return self.seconds

    def steady(self) -> float:
        return self.seconds


class Inbox:
    def __init__(self) -> None:
        self.got: list[Evidence] = []

    async def put(self, observation: Input) -> None:
        assert isinstance(observation, EvidenceArrived)
        self.got.append(observation.evidence)

    def offer(self, observation: Input) -> bool:
        raise AssertionError("evidence is no watch event")

    async def room(self) -> None:
        raise AssertionError("evidence is no watch event")

    def missing(self) -> list[str]:
        return [evidence.missing for evidence in self.got]


class Fetcher:
    """Answers at once, when the gate opens, or not at all."""

    def __init__(self, gate: asyncio.Event | None = None, error: Exception | None = None) -> None:
        self.gate = gate
        self.error = error
        self.within: set[timedelta] = set()
        self.running = 0
        self.most = 0

    async def fetch(self, request: EvidenceRequest, within: timedelta) -> Evidence:
        self.within.add(within)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.error is not None:
                raise self.error
            return Evidence(alert=request.alert, pod=request.pod, log=("boom",))
        finally:
            self.running -= 1


def asked(number: int = 0) -> EvidenceRequest:
    key = AlertKey(alertname="ContainerCrashLooping", namespace="shop", workload=f"w{number}")
    return EvidenceRequest(
        alert=key, namespace="shop", pod=f"w{number}-0", container="app", container_id="c://1", asked_at=BEGIN
    )


@asynccontextmanager
async def running(loop: EvidenceLoop) -> AsyncIterator[None]:
    task = asyncio.create_task(loop.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


async def test_what_is_asked_for_comes_back_as_an_input() -> None:
    inbox, fetcher = Inbox(), Fetcher()
    loop = EvidenceLoop(fetcher, inbox, HandClock())
    async with running(loop):
        loop.ask([asked()])
        await until(lambda: len(inbox.got) == 1)
    assert inbox.got[0].log == ("boom",)
    assert fetcher.within == {WITHIN}
    assert (loop.stats.fetched, loop.stats.incomplete, loop.stats.refused) == (1, 0, 0)


async def test_a_storm_of_a_thousand_alerts_costs_one_burst_and_every_one_is_answered() -> None:
    inbox, fetcher = Inbox(), Fetcher()
    loop = EvidenceLoop(fetcher, inbox, HandClock())
    async with running(loop):
        loop.ask(asked(number) for number in range(1000))
        await until(lambda: len(inbox.got) == 1000)
    assert inbox.missing().count(TOO_MANY) == 1000 - BURST
    assert fetcher.most <= WORKERS
    assert {evidence.alert for evidence in inbox.got} == {asked(number).alert for number in range(1000)}
    refused = next(evidence for evidence in inbox.got if evidence.missing)
    assert (refused.container, refused.container_id, refused.log) == ("app", "c://1", ())
    assert (loop.stats.fetched, loop.stats.refused) == (BURST, 1000 - BURST)


async def test_the_budget_comes_back_with_time() -> None:
    inbox, clock = Inbox(), HandClock()
    loop = EvidenceLoop(Fetcher(), inbox, clock)
    async with running(loop):
        loop.ask(asked(number) for number in range(BURST + 1))
        await until(lambda: len(inbox.got) == BURST + 1)
        assert inbox.missing().count(TOO_MANY) == 1
        clock.seconds += 2 * 60 / PER_MINUTE
        loop.ask(asked(number) for number in range(3))
        await until(lambda: len(inbox.got) == BURST + 4)
    assert inbox.missing().count(TOO_MANY) == 2


async def test_an_api_server_that_hangs_makes_no_queue_that_grows() -> None:
    gate, inbox, clock = asyncio.Event(), Inbox(), HandClock()
    loop = EvidenceLoop(Fetcher(gate), inbox, clock)
    async with running(loop):
        for number in range(3 * WAITING):
            clock.seconds += 60 / PER_MINUTE
            loop.ask([asked(number)])
            await asyncio.sleep(0)
        await until(lambda: len(inbox.got) == 3 * WAITING - WAITING - WORKERS)
        assert set(inbox.missing()) == {TOO_MANY}
        gate.set()
        await until(lambda: len(inbox.got) == 3 * WAITING)


async def test_a_storm_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    inbox = Inbox()
    loop = EvidenceLoop(Fetcher(), inbox, HandClock())
    async with running(loop):
        loop.ask(asked(number) for number in range(200))
        await until(lambda: len(inbox.got) == 200)
    assert caplog.text.count("too many alerts at once") == 1


async def test_a_fetch_that_breaks_is_answered_too_and_ends_nothing() -> None:
    inbox = Inbox()
    loop = EvidenceLoop(Fetcher(error=ValueError("a bug")), inbox, HandClock())
    async with running(loop):
        loop.ask(asked(number) for number in range(2 * WORKERS))
        await until(lambda: len(inbox.got) == 2 * WORKERS)
    assert set(inbox.missing()) == {BROKEN}
    assert loop.stats.incomplete == 2 * WORKERS
