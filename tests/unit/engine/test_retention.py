"""Retention: what is too old goes, in slices; what is not, stays; a store that fails is asked again later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watcher.engine import retention
from watcher.engine.retention import SLICE, Retention
from watcher.model.changes import Changes
from watcher.model.identity import AlertKey
from watcher.model.state import Transition
from watcher.ports import StoreError
from watcher.store.memory import MemoryStore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = AlertKey(alertname="A")


class StandingClock:
    def now(self) -> datetime:
        return NOW

    def until(self, due: datetime) -> float:
        return (due - NOW).total_seconds()

    def monotonic(self) -> float:
        return 0.0

    def steady(self) -> float:
        return 0.0


def moved(age: timedelta) -> Transition:
    return Transition(at=NOW - age, alert=KEY, subject="", before="", after="firing", why="")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAUSE_BETWEEN", 0)


async def test_what_is_older_goes_in_slices_and_the_rest_stays() -> None:
    store = MemoryStore()
    old = [moved(timedelta(days=40))] * (2 * SLICE + 1)
    await store.commit(Changes(transitions=[*old, moved(timedelta(days=1))]), NOW)
    assert await Retention(store, StandingClock(), timedelta(days=30)).sweep() == len(old)
    assert await store.transitions(10) == [moved(timedelta(days=1))]


class FailingStore(MemoryStore):
    async def prune(self, before: datetime, limit: int) -> int:
        raise StoreError("the disk is full")


async def test_a_store_that_fails_is_left_for_the_next_hour(caplog: pytest.LogCaptureFixture) -> None:
    assert await Retention(FailingStore(), StandingClock(), timedelta(days=30)).sweep() == 0
    assert "old history could not be deleted" in caplog.text
