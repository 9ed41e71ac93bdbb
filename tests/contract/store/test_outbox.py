"""The outbox: who may send what, and until when nobody else may."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from tests.contract.store.examples import DEV, NOW, OPS, SECOND, finished, message
from tests.contract.store.homes import LEASE_FOR, AnyStore, Home
from watcher.model.changes import Changes
from watcher.model.state import MessageState, OutboxRow

LATER = NOW + 60 * SECOND
UNTIL = LATER + LEASE_FOR
"""Every test leases at LATER, when the lease that a message is born with is over."""


async def enqueue(store: AnyStore, *rows: OutboxRow, at: datetime = NOW) -> None:
    await store.commit(Changes(outbox={row.id: row for row in rows}), at)


async def leased(
    store: AnyStore, *, now: datetime = LATER, limit: int = 10, integration: tuple[str, str] = OPS
) -> list[str]:
    return [row.id for row in await store.lease(integration, now, now + LEASE_FOR, limit)]


async def test_a_leased_message_is_the_one_that_was_enqueued(store: AnyStore) -> None:
    await enqueue(store, message("m"))
    assert await store.lease(OPS, LATER, UNTIL, 10) == [message("m")]


async def test_the_oldest_messages_come_first_and_no_more_than_asked_for(store: AnyStore) -> None:
    rows = [message(id, created_at=NOW + age * SECOND) for id, age in (("a", 3), ("d2", 1), ("b", 2), ("d1", 1))]
    await enqueue(store, *rows)
    assert await leased(store, limit=3) == ["d1", "d2", "b"]
    assert await leased(store, limit=3) == ["a"]


async def test_a_message_is_leased_only_to_its_own_integration(store: AnyStore) -> None:
    await enqueue(store, message("m"), message("n", receiver=DEV[0], integration=DEV[1]))
    assert await leased(store, integration=(OPS[0], DEV[1])) == []
    assert await leased(store, integration=DEV) == ["n"]


async def test_a_message_is_not_leased_before_it_is_due(store: AnyStore) -> None:
    await enqueue(store, message("m", next_at=LATER + SECOND))
    assert await leased(store, now=LATER) == []
    assert await leased(store, now=LATER + SECOND) == ["m"]


async def test_a_leased_message_is_free_again_when_the_lease_is_over(store: AnyStore) -> None:
    await enqueue(store, message("m"))
    assert await leased(store) == ["m"]
    assert await leased(store, now=UNTIL - SECOND) == []
    assert await leased(store, now=UNTIL) == ["m"]


async def test_no_message_is_leased_twice_by_workers_that_ask_at_once(store: AnyStore) -> None:
    await enqueue(store, *(message(f"m{n}") for n in range(40)))
    taken = await asyncio.gather(*(leased(store, limit=3) for _ in range(20)))
    assert sorted(id for ids in taken for id in ids) == sorted(f"m{n}" for n in range(40))


async def test_what_was_leased_is_free_again_when_somebody_takes_over(home: Home) -> None:
    store = await home.open()
    await enqueue(store, message("m"))
    await leased(store)
    store = await home.open()
    assert await leased(store, now=LATER + SECOND) == ["m"]


async def test_releasing_frees_what_is_leased(store: AnyStore) -> None:
    await enqueue(store, message("m"))
    await leased(store)
    await store.release_all()
    assert await leased(store, now=LATER + SECOND) == ["m"]


@pytest.mark.parametrize(
    ("row", "free_at"),
    [
        pytest.param(message("m"), NOW + LEASE_FOR, id="a new one, held by the process that enqueued it"),
        pytest.param(message("m", attempts=1), NOW, id="one that was tried before it was stored here"),
    ],
)
async def test_a_message_that_was_not_stored_is_free_at(store: AnyStore, row: OutboxRow, free_at: datetime) -> None:
    await enqueue(store, row, at=NOW)
    assert await leased(store, now=free_at - SECOND) == []
    assert await leased(store, now=free_at) == ["m"]


@pytest.mark.parametrize(
    ("again", "free"),
    [
        pytest.param({"attempts": 1, "next_at": LATER, "error": "429"}, True, id="tried, and to be tried again"),
        pytest.param({"next_at": LATER}, True, id="put off without an attempt"),
        pytest.param({"group": "h"}, False, id="otherwise changed, while somebody may be sending it"),
    ],
)
async def test_a_message_that_is_put_again_is_free_if_its_schedule_changed(
    store: AnyStore, again: dict[str, object], free: bool
) -> None:
    await enqueue(store, message("m"))
    await store.lease(OPS, LATER, UNTIL, 10)
    row = replace(message("m"), **again)
    await enqueue(store, row, at=LATER)
    assert await store.lease(OPS, LATER, UNTIL, 10) == ([row] if free else [])
    assert await store.messages(10) == [row]


@pytest.mark.parametrize("state", [MessageState.DELIVERED, MessageState.DEAD])
async def test_a_message_that_left_the_queue_is_kept_and_neither_leased_nor_loaded(
    home: Home, state: MessageState
) -> None:
    store = await home.open()
    await enqueue(store, message("m"))
    await store.commit(Changes(outbox={"m": None}, finished=[finished("m", state)]), LATER)
    store = await home.open()
    assert await leased(store, now=UNTIL) == []
    assert (await store.load())[0].outbox.rows == {}
    assert await store.messages(10) == [finished("m", state)]


async def test_a_message_that_is_enqueued_and_leaves_in_one_commit_is_kept_as_it_left(store: AnyStore) -> None:
    await store.commit(Changes(outbox={"m": None}, finished=[finished("m")]), NOW)
    assert await store.messages(10) == [finished("m")]
    assert await leased(store) == []


async def test_a_message_dropped_without_a_final_row_leaves_no_trace(store: AnyStore) -> None:
    await enqueue(store, message("m"))
    await store.commit(Changes(outbox={"m": None}), NOW)
    assert await store.messages(10) == []
    assert await leased(store) == []


async def test_a_dead_message_that_is_enqueued_again_is_free_at_once(store: AnyStore) -> None:
    await store.commit(Changes(outbox={"m": None}, finished=[finished("m", MessageState.DEAD)]), NOW)
    await enqueue(store, message("m", next_at=LATER), at=LATER)
    assert await leased(store) == ["m"]
    assert set((await store.load())[0].outbox.rows) == {"m"}


async def test_a_message_that_left_the_queue_leaves_its_lease_too(store: AnyStore) -> None:
    await enqueue(store, message("m"), at=NOW)
    dead = replace(message("m"), state=MessageState.DEAD)
    await store.commit(Changes(outbox={"m": None}, finished=[dead]), NOW)
    await enqueue(store, message("m"), at=NOW)
    assert await leased(store, now=NOW) == ["m"]


async def test_a_message_that_dies_and_is_enqueued_again_in_one_commit_is_queued(store: AnyStore) -> None:
    await enqueue(store, message("m"))
    again = message("m", next_at=LATER)
    await store.commit(Changes(outbox={"m": again}, finished=[finished("m", MessageState.DEAD)]), LATER)
    assert await store.messages(10) == [again]
    assert await leased(store) == ["m"]


async def test_of_two_final_rows_of_a_message_the_last_counts(store: AnyStore) -> None:
    dead, delivered = finished("m", MessageState.DEAD), finished("m", MessageState.DELIVERED)
    await store.commit(Changes(outbox={"m": None}, finished=[dead, delivered]), NOW)
    assert await store.messages(10) == [delivered]


async def test_messages_of_any_state_are_listed_the_newest_first(store: AnyStore) -> None:
    rows = [message("old"), message("new", created_at=NOW + 2 * SECOND)]
    await enqueue(store, *rows)
    done = finished("between", created_at=NOW + SECOND)
    await store.commit(Changes(outbox={"between": None}, finished=[done]), NOW)
    assert [row.id for row in await store.messages(10)] == ["new", "between", "old"]
    assert [row.id for row in await store.messages(2)] == ["new", "between"]


async def several(store: AnyStore) -> None:
    """One message in each state, each a second newer than the one before; the dead one is of another receiver."""
    dev = {"receiver": DEV[0], "integration": DEV[1]}
    rows = [
        message("queued"),
        finished("delivered", created_at=NOW + SECOND),
        finished("dead", MessageState.DEAD, created_at=NOW + 2 * SECOND, **dev),
        finished("replaced", MessageState.REPLACED, created_at=NOW + 3 * SECOND),
    ]
    await enqueue(store, rows[0])
    await store.commit(Changes(outbox={row.id: None for row in rows[1:]}, finished=rows[1:]), LATER)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({}, ["replaced", "dead", "delivered", "queued"], id="all"),
        pytest.param({"state": MessageState.DEAD}, ["dead"], id="dead"),
        pytest.param({"state": MessageState.QUEUED}, ["queued"], id="queued"),
        pytest.param({"receiver": OPS[0]}, ["replaced", "delivered", "queued"], id="receiver"),
        pytest.param({"receiver": OPS[0], "state": MessageState.DEAD}, [], id="both"),
    ],
)
async def test_messages_are_listed_by_state_and_receiver_the_newest_first(
    store: AnyStore, wanted: dict[str, Any], expected: list[str]
) -> None:
    await several(store)
    found = await store.deliveries(10, **wanted)
    assert [(row.id, over) for row, over in found] == [(id, None if id == "queued" else LATER) for id in expected]
    assert await store.deliveries(1, **wanted) == found[:1]


async def test_one_message_is_found_in_any_state_with_when_it_was_over(home: Home) -> None:
    await several(await home.open())
    store = await home.open()
    assert await store.delivery("queued") == (message("queued"), None)
    assert await store.delivery("delivered") == (finished("delivered", created_at=NOW + SECOND), LATER)
    assert await store.delivery("nowhere") is None
