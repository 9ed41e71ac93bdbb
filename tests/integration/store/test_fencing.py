"""Two processes on one Postgres: only the last one who took over writes, whatever the other one believes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.contract.store.examples import NOW, OPS, SECOND, attempt, finished, group, message, transition
from tests.integration.store.conftest import MakeStore, leading, postgres_of
from tests.support.postgres import PostgresServer
from watcher.model.changes import Changes
from watcher.ports import Fenced
from watcher.store import fencing
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.postgres

LATER = NOW + 60 * SECOND


@pytest.fixture
def url(postgres: PostgresServer, database: str) -> str:
    return postgres.url(database)


async def everything(store: SqlStore) -> list[Any]:
    view, last = await store.load()
    state = [table.rows for _, table in view.tables()]
    return [
        *state,
        last,
        await store.transitions(99),
        await store.messages(99),
        await store.attempts("m"),
        await store.accepted(),
    ]


async def writes_nothing(fenced: SqlStore, reader: SqlStore) -> None:
    """Whatever `fenced` tries is refused and leaves everything as it was."""
    before = await everything(reader)
    with pytest.raises(Fenced):
        await fenced.commit(Changes(groups={"new": group("new"), "g": None}, attempts=[attempt("m")]), LATER)
    with pytest.raises(Fenced):
        await fenced.accept(b"new", LATER)
    with pytest.raises(Fenced):
        await fenced.lease(OPS, LATER, LATER + SECOND, 10)
    with pytest.raises(Fenced):
        await fenced.prune(LATER, 10)
    assert await everything(reader) == before
    assert [row.id for row in await reader.lease(OPS, LATER, LATER + SECOND, 10)] == ["m"], "it was not leased"


async def test_a_store_that_has_not_taken_over_reads_and_does_not_write(url: str, make_store: MakeStore) -> None:
    leader = await leading(make_store, url)
    await leader.commit(Changes(groups={"g": group("g")}, outbox={"m": message("m")}), NOW)
    standby = make_store(url, "two")
    await standby.open()
    assert set((await standby.load())[0].groups.rows) == {"g"}
    await writes_nothing(standby, leader)


async def test_the_older_of_two_leaders_is_fenced_and_changes_nothing(url: str, make_store: MakeStore) -> None:
    older = await leading(make_store, url, "one")
    await older.commit(Changes(groups={"g": group("g")}, outbox={"m": message("m")}), NOW)
    newer = await leading(make_store, url, "two")
    await writes_nothing(older, newer)
    with pytest.raises(Fenced, match=r"in epoch 1; now two \(epoch 2\) holds it"):
        await older.commit(Changes(), LATER)
    await newer.commit(Changes(groups={"g": None}), LATER)
    assert await newer.last_commit() == LATER


async def test_a_leader_that_lost_its_place_between_lease_and_record_does_not_record(
    url: str, make_store: MakeStore
) -> None:
    older = await leading(make_store, url, "one")
    await older.commit(Changes(outbox={"m": message("m")}), NOW)
    assert [row.id for row in await older.lease(OPS, LATER, LATER + 30 * SECOND, 10)] == ["m"]
    newer = await leading(make_store, url, "two")
    sent = Changes(outbox={"m": None}, finished=[finished("m")], attempts=[attempt("m")])
    with pytest.raises(Fenced):
        await older.commit(sent, LATER)
    assert await newer.attempts("m") == []
    assert [row.id for row in await newer.lease(OPS, LATER, LATER + SECOND, 10)] == ["m"], "what it leased is free"


async def test_who_leads_is_there_to_read_and_every_epoch_is_kept(
    url: str, database: str, postgres: PostgresServer, make_store: MakeStore
) -> None:
    standby = make_store(url)
    await standby.open()
    assert await standby.leader() is None
    for owner in ("one", "two", "one"):
        await leading(make_store, url, owner)
    leader = await standby.leader()
    assert leader is not None
    assert (leader.epoch, leader.holder, leader.address) == (3, "one", "http://one:8080")
    assert leader.since is not None
    assert leader.since.tzinfo is not None
    found = postgres.sql("SELECT epoch, holder FROM epochs ORDER BY epoch", database)
    assert found.splitlines() == ["1|one", "2|two", "3|one"]


async def test_of_many_that_take_over_at_once_each_has_its_own_epoch_and_the_last_one_writes(
    url: str, make_store: MakeStore
) -> None:
    stores = [make_store(url, f"s{n}") for n in range(5)]
    for store in stores:
        await store.open()
    epochs = await asyncio.gather(*(store.take_over("x", "") for store in stores))
    assert sorted(epochs) == [1, 2, 3, 4, 5]
    for epoch, store in zip(epochs, stores, strict=True):
        if epoch == 5:
            await store.commit(Changes(), NOW)
        else:
            with pytest.raises(Fenced):
                await store.commit(Changes(), NOW)


async def test_no_commit_of_an_older_leader_lands_after_somebody_took_over(url: str, make_store: MakeStore) -> None:
    """Each leads for some commits until the next one comes; the history shows the epochs in their order."""
    stores = [await leading(make_store, url, name) for name in ("a", "b", "c")]

    async def lead(store: SqlStore) -> int:
        epoch, done = await store.take_over("x", ""), 0
        while True:
            try:
                await store.commit(Changes(transitions=[transition(str(epoch))]), NOW)
            except Fenced:
                return done
            done += 1

    async def turns(store: SqlStore) -> int:
        return sum([await lead(store) for _ in range(8)])

    last = make_store(url)
    await last.open()
    tasks = [asyncio.create_task(turns(store)) for store in stores]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.05)
        await last.take_over("last", "")
    written = [int(row.why) for row in reversed(await last.transitions(10**6))]
    assert written == sorted(written)
    assert len(set(written)) > 1, "several of them wrote"
    assert len(written) == sum(task.result() for task in tasks), "what was answered is there, and nothing else"


async def test_taking_over_waits_for_a_commit_that_is_running(url: str, make_store: MakeStore) -> None:
    older, newer = await leading(make_store, url, "one"), make_store(url, "two")
    await newer.open()
    async with postgres_of(older).writer.begin() as connection:
        await connection.run_sync(fencing.check, 1)
        taking = asyncio.create_task(newer.take_over("two", ""))
        await asyncio.sleep(0.2)
        assert not taking.done()
    assert await taking == 2


async def test_a_leader_that_stopped_in_a_commit_is_ended_by_the_next_one(url: str, make_store: MakeStore) -> None:
    older, newer = await leading(make_store, url, "one"), make_store(url, "two")
    await newer.open()
    connection = await postgres_of(older).writer.connect()
    await connection.run_sync(fencing.check, 1)
    await asyncio.sleep(2.1)
    async with asyncio.timeout(2):
        assert await newer.take_over("two", "") == 2
    await connection.invalidate()
    await connection.close()
    with pytest.raises(Fenced):
        await older.commit(Changes(), NOW)


async def test_a_store_that_was_closed_and_opened_is_still_the_leader_if_nobody_came(
    url: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, url)
    await store.close()
    await store.open()
    await store.commit(Changes(), NOW)


async def test_releasing_takes_over_where_that_was_not_done(url: str, make_store: MakeStore) -> None:
    store = make_store(url, "one")
    await store.open()
    await store.release_all()
    await store.commit(Changes(), NOW)
    leader = await store.leader()
    assert leader is not None
    assert (leader.epoch, leader.holder) == (1, "one")
