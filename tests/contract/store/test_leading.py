"""Taking over, and what a standby asks."""

from __future__ import annotations

from tests.contract.store.examples import NOW, SECOND
from tests.contract.store.homes import AnyStore, Home
from watcher.model.changes import Changes


async def test_every_taking_over_begins_an_epoch_and_is_told_to_who_asks(home: Home) -> None:
    store = await home.open(take_over=False)
    assert await store.leader() is None
    assert await store.take_over("one", "http://10.0.0.1:8080") == 1
    assert await store.take_over("one", "http://10.0.0.2:8080") == 2
    leader = await (await home.open(take_over=False)).leader()
    assert leader is not None
    assert (leader.epoch, leader.holder, leader.address) == (2, "one", "http://10.0.0.2:8080")


async def test_the_last_commit_is_told_without_loading(home: Home) -> None:
    store = await home.open()
    assert await store.last_commit() is None
    await store.commit(Changes(), NOW)
    await store.commit(Changes(), NOW + SECOND)
    assert await store.last_commit() == NOW + SECOND
    assert await (await home.open(take_over=False)).last_commit() == NOW + SECOND


async def test_taking_over_is_no_commit(store: AnyStore) -> None:
    await store.take_over("one", "")
    assert (await store.load())[1] is None
