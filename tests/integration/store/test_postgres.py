"""What is Postgres's own: its URL, its limits, and failures that come from below."""

from __future__ import annotations

import asyncio
import random

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from tests.contract.store.examples import (
    KEY,
    NOW,
    OPS,
    SECOND,
    attempt,
    decision,
    group,
    message,
    one_of_each,
    transition,
)
from tests.contract.store.homes import sql_store
from tests.integration.store.conftest import MakeStore, leading, postgres_of
from tests.support.cutting import cutter
from tests.support.postgres import PostgresServer
from watcher.model.changes import Changes
from watcher.model.history import Asked
from watcher.model.identity import AlertKey
from watcher.model.state import Told, ToldKey
from watcher.ports import StoreError
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.postgres


async def works(store: SqlStore) -> None:
    await store.commit(Changes(groups={"g": group("g")}), NOW)
    assert set((await store.load())[0].groups.rows) == {"g"}


# ---- limits and isolation ----


async def test_no_session_waits_without_a_limit(postgres: PostgresServer, database: str, make_store: MakeStore) -> None:
    store = await leading(make_store, postgres.url(database, timeout="4"))
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name")
    for engine in (postgres_of(store).writer, postgres_of(store).reader):
        async with engine.begin() as connection:
            found = [(await connection.execute(text(f"SHOW {name}"))).scalar() for name in names]
            assert found == ["4s", "2s", "10s", "watcher"]


async def test_the_reader_cannot_write_and_sees_one_moment(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    async with postgres_of(store).reader.begin() as connection:
        assert (await connection.execute(text("SHOW transaction_read_only"))).scalar() == "on"
        assert (await connection.execute(text("SHOW transaction_isolation"))).scalar() == "repeatable read"
    async with postgres_of(store).writer.begin() as connection:
        assert (await connection.execute(text("SHOW transaction_isolation"))).scalar() == "read committed"


async def test_few_connections_are_made_however_much_is_asked_at_once(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    await asyncio.gather(*(store.load() for _ in range(30)), *(store.commit(Changes(), NOW) for _ in range(30)))
    assert int(postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'")) <= 4


async def test_a_commit_that_the_database_refuses_is_a_store_error_that_tells_nothing_of_the_rows(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    postgres.sql("ALTER TABLE transitions ADD CHECK (why <> 'a secret')", database)
    changes = Changes(groups={"g": group("g")}, transitions=[transition("a secret")], attempts=[attempt("m")])
    with pytest.raises(StoreError, match="violates check constraint") as failed:
        await store.commit(changes, NOW)
    assert "a secret" not in f"{failed.value} {failed.value.__cause__}"
    view, last_commit = await store.load()
    assert (view.groups.rows, last_commit) == ({}, None)
    postgres.sql("ALTER TABLE transitions DROP CONSTRAINT transitions_why_check", database)
    await store.commit(changes, NOW)
    assert len(await store.transitions(9)) == 1


async def test_a_writer_that_waits_too_long_for_a_lock_gives_up_and_may_try_again(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database, timeout="0.4"))
    other = await leading(make_store, postgres.url(database))
    await store.take_over("one", "")
    async with postgres_of(other).writer.begin() as connection:
        await connection.execute(text("LOCK TABLE groups"))
        with pytest.raises(StoreError, match="lock timeout"):
            await store.commit(Changes(groups={"g": group("g")}), NOW)
    await works(store)


@pytest.mark.parametrize(
    "column",
    [
        pytest.param({"transitions": [transition("nul \0 in it")]}, id="a text with a NUL"),
        pytest.param({"groups": {"x\0" * 9: group("x\0" * 9)}}, id="a key with a NUL"),
    ],
)
async def test_a_text_that_postgres_cannot_keep_does_not_stop_the_writer(
    empty_url: str, make_store: MakeStore, column: dict[str, object]
) -> None:
    store = await leading(make_store, empty_url)
    await store.commit(Changes(**column), NOW)  # type: ignore[arg-type]
    assert [row.why for row in await store.transitions(9)] in ([], ["nul \ufffd in it"])
    assert set((await store.load())[0].groups.rows) == set(column.get("groups", ()))  # type: ignore[call-overload]


async def test_a_posted_alert_with_names_longer_than_an_index_takes_does_not_stop_the_writer(
    empty_url: str, make_store: MakeStore
) -> None:
    """A label may have 64 KB, and stands in the keys of alerts, groups, what was told and decisions."""
    store = await leading(make_store, empty_url)
    chance = random.Random(1)
    keys = [AlertKey(alertname="".join(chance.choices('абвгдежз!"', k=30_000)), posted=str(n)) for n in range(2)]
    alert = one_of_each()["alerts"][KEY]
    told_keys = [ToldKey(receiver="ops", integration="x", alert=key) for key in keys]
    told = [Told(key=key, group="g", at=NOW, message="m") for key in told_keys]
    names = [f"root/ops:{{x={key.alertname!r}}}" for key in keys]
    changes = Changes(
        alerts={key: replace(alert, key=key) for key in keys},
        told={row.key: row for row in told},
        groups={name: group(name) for name in names},
        decisions=[decision(group=name, alert=key) for name, key in zip(names, keys, strict=True)],
        transitions=[replace(transition("t"), alert=key) for key in keys],
    )
    await store.commit(changes, NOW)
    await store.commit(Changes(decisions=changes.decisions, groups={names[0]: None}), NOW)
    view, _ = await store.load()
    assert set(view.alerts.rows) == set(keys)
    assert set(view.told.rows) == set(told_keys)
    assert set(view.groups.rows) == {names[1]}
    assert [(one.alert, count) for one, count in await store.decisions(9)] == [(keys[1], 2), (keys[0], 2)]
    (found,) = await store.transitions_of(Asked(alerts=frozenset(keys[:1])), 9)
    assert found.transition.alert == keys[0]


# ---- a server that goes and comes ----


@pytest.mark.parametrize("at_once", [True, False], ids=["before the loop noticed", "while the loop ran"])
async def test_a_restart_between_two_commits_costs_one_error_at_most(
    postgres: PostgresServer, database: str, make_store: MakeStore, at_once: bool
) -> None:
    store = await leading(make_store, postgres.url(database))
    await works(store)
    if at_once:
        postgres.restart()
    else:
        await asyncio.to_thread(postgres.restart)
    failed = 0
    for n in range(4):
        try:
            await store.commit(Changes(transitions=[transition(str(n))]), NOW)
            await store.load()
        except StoreError:
            failed += 1
    assert failed <= (1 if at_once else 0)


async def test_a_server_that_is_stopped_is_an_error_at_once_and_works_again_when_it_is_back(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    await works(store)
    postgres.stop()
    changes = Changes(transitions=[transition("a")])
    async with asyncio.timeout(20):
        for _ in range(3):
            with pytest.raises(StoreError, match=rf"127\.0\.0\.1:{postgres.port}"):
                await store.commit(changes, NOW + SECOND)
            with pytest.raises(StoreError):
                await store.load()
            with pytest.raises(StoreError):
                await store.lease(OPS, NOW, NOW + SECOND, 1)
    postgres.start()
    await store.commit(changes, NOW + SECOND)
    assert len(await store.transitions(9)) == 1


async def test_a_server_that_is_killed_loses_nothing_that_was_answered(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    store = await leading(make_store, postgres.url(database))
    answered: list[str] = []

    async def write() -> None:
        for n in range(10**6):
            await store.commit(Changes(groups={"g": group("g", route=str(n))}, transitions=[transition(str(n))]), NOW)
            answered.append(str(n))

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.3)
    await asyncio.to_thread(postgres.kill)
    with pytest.raises(StoreError):
        await writing
    postgres.start()
    stored = [row.why for row in reversed(await store.transitions(10**6))]
    assert stored[: len(answered)] == answered
    assert len(stored) <= len(answered) + 1
    assert [row.route for row in (await store.load())[0].groups.rows.values()] == stored[-1:]


async def test_a_server_that_does_not_answer_is_an_error_in_bounded_time(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    url = postgres.url(database, timeout="0.5", connect_timeout="0.5")
    store = await leading(make_store, url)
    await works(store)
    with postgres.frozen():
        async with asyncio.timeout(60):
            for _ in range(2):
                with pytest.raises(StoreError, match="did not answer in time"):
                    await store.commit(Changes(), NOW)
                with pytest.raises(StoreError):
                    await store.load()
            with pytest.raises(StoreError, match="did not answer in time"):
                await make_store(url).open()
    await works(store)


async def test_closing_ends_while_the_server_does_not_answer(postgres: PostgresServer, database: str) -> None:
    store = sql_store(postgres.url(database, timeout="0.5", connect_timeout="0.5"))
    await store.open()
    await store.take_over("one", "")
    await works(store)
    with postgres.frozen():
        async with asyncio.timeout(30):
            await store.close()


@pytest.mark.parametrize("turns", range(0, 24, 3))
async def test_a_commit_that_is_cancelled_at_any_point_is_whole_or_nothing(
    postgres: PostgresServer, database: str, make_store: MakeStore, turns: int
) -> None:
    store = await leading(make_store, postgres.url(database))
    await store.commit(Changes(groups={"old": group("old")}), NOW)
    changes = Changes(groups={"old": None, "new": group("new")}, outbox={"m": message("m")})
    task = asyncio.create_task(store.commit(changes, NOW + SECOND))
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.wait([task])
    view, last_commit = await store.load()
    state = (set(view.groups.rows), set(view.outbox.rows), last_commit)
    assert state in (({"old"}, set(), NOW), ({"new"}, {"m"}, NOW + SECOND))
    await store.commit(Changes(), NOW + 2 * SECOND)


# ---- an answer that is lost ----


async def test_a_commit_whose_answer_is_lost_is_stored_once_however_often_it_is_tried(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    async with cutter(postgres.port) as between:
        url = postgres.url(database, sslmode="disable").replace(f":{postgres.port}/", f":{between.port}/")
        store = await leading(make_store, url)
        first = await store.accept(b"1", NOW)
        changes = Changes(
            transitions=[transition("a")], attempts=[attempt("m")], outbox={"m": message("m")}, accepted=(first,)
        )
        between.cut_after = b"COMMIT;"
        with pytest.raises(StoreError):
            await store.commit(changes, NOW)
        assert between.cuts == 1
        second = await store.accept(b"2", NOW)
        await store.commit(changes, NOW + SECOND)
        assert [number for number, _, _ in await store.accepted()] == [second]
        await store.commit(Changes(transitions=[transition("b")]), NOW + SECOND)
        assert [row.why for row in await store.transitions(9)] == ["b", "a"]
        assert len(await store.attempts("m")) == 1
        await store.close()


async def test_a_commit_that_was_lost_with_its_answer_is_stored_when_it_is_tried_again(
    postgres: PostgresServer, database: str, make_store: MakeStore
) -> None:
    async with cutter(postgres.port) as between:
        url = postgres.url(database, sslmode="disable").replace(f":{postgres.port}/", f":{between.port}/")
        store = await leading(make_store, url)
        await works(store)
        changes = Changes(transitions=[transition("a")])
        between.cut_after = b"INSERT INTO transitions"
        with pytest.raises(StoreError):
            await store.commit(changes, NOW)
        await store.commit(changes, NOW)
        assert [row.why for row in await store.transitions(9)] == ["a"]
        await store.close()
