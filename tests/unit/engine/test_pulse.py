"""An idle Watcher notices that its store is away, or has been taken over."""

from __future__ import annotations

import pytest

from watcher.engine.pulse import Pulse
from watcher.ports import Fenced, Leader, StoreError
from watcher.store.memory import MemoryStore


class Store(MemoryStore):
    """Away at will."""

    away = False

    async def leader(self) -> Leader | None:
        if self.away:
            raise StoreError("connection refused")
        return await super().leader()


async def test_it_says_while_the_store_does_not_answer() -> None:
    store = Store()
    pulse = Pulse(store, await store.take_over("me", ""))
    await pulse.feel()
    assert not pulse.away
    store.away = True
    await pulse.feel()
    assert pulse.away
    store.away = False
    await pulse.feel()
    assert not pulse.away


async def test_it_ends_when_somebody_else_has_taken_over() -> None:
    store = Store()
    pulse = Pulse(store, await store.take_over("me", ""))
    await store.take_over("another", "")
    with pytest.raises(Fenced, match="another has taken over the store"):
        await pulse.feel()
