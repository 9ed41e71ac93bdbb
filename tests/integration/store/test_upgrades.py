"""From any version's tables to the newest, with data in them; two processes that start at once; two versions at once.

`first.json`: what a Watcher of the first migration had stored after sixteen minutes of the demo's tour, with a webhook
that did not answer (of the attempts to reach it, six).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    and_,
    select,
    text,
)

from tests.contract.store.examples import NOW, SECOND
from tests.integration.store.conftest import MakeStore, postgres_of
from tests.support.postgres import PostgresServer
from watcher.model.changes import Changes
from watcher.model.state import MessageState
from watcher.settings import shipped
from watcher.store import tables
from watcher.store.migrating import migrate
from watcher.store.sql import SqlStore

DIRECTORY = shipped.directory("alembic")
FIRST = json.loads((Path(__file__).parent / "first.json").read_text(encoding="utf-8"))
REVISIONS = [script.revision for script in ScriptDirectory(str(DIRECTORY)).walk_revisions()][::-1]


async def prepared(store: SqlStore, revision: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Give the store's database the tables of `revision`, and rows as they were written then."""

    def make(connection: Connection) -> None:
        migrate(connection, DIRECTORY, revision)
        metadata = MetaData()
        metadata.reflect(connection)
        for name, values in rows.items():
            table = metadata.tables[name]
            connection.execute(table.insert(), [typed(table, row) for row in values])
            if "id" in table.c and isinstance(table.c["id"].type, Integer) and connection.dialect.name == "postgresql":
                last = text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
                if name != "meta":
                    connection.execute(last)

    store._database.open()
    await store._database.migrate(make)
    await store._database.close()


def typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """SQLite's values as the columns take them."""
    made = dict(row)
    for name, value in row.items():
        kind = table.c[name].type
        if isinstance(kind, DateTime) and value is not None:
            made[name] = datetime.fromisoformat(value).replace(tzinfo=UTC if kind.timezone else None)
        if isinstance(kind, Boolean):
            made[name] = bool(value)
    return made


async def test_what_the_first_version_stored_is_there_after_the_upgrade(empty_url: str, make_store: MakeStore) -> None:
    store = make_store(empty_url)
    await prepared(store, "0001", FIRST)
    await store.open()
    view, last = await store.load()
    assert last == datetime.fromisoformat(FIRST["meta"][0]["last_commit"]).replace(tzinfo=UTC)
    counts = {name: len(table.rows) for name, table in view.tables() if table.rows}
    assert counts == {"scopes": 1, "histories": 3, "members": 3, "alerts": 4, "groups": 3, "told": 6, "outbox": 3}
    alerts = [json.loads(row["body"]) for row in FIRST["alerts"]]
    assert {one.fingerprint: (one.state.value, one.labels) for one in view.alerts.rows.values()} == {
        one["fingerprint"]: (one["state"], one["labels"]) for one in alerts
    }
    assert {told.message for told in view.told.rows.values()} == {
        json.loads(row["body"])["message"] for row in FIRST["told"]
    }
    assert len(await store.transitions(100)) == len(FIRST["transitions"])
    assert [count for _, count in await store.decisions(100)] == [row["count"] for row in FIRST["decisions"][::-1]]
    tried = Counter(row["message"] for row in FIRST["attempts"])
    assert {id: len(await store.attempts(id)) for id in tried} == tried


async def test_an_upgraded_store_goes_on_where_the_first_version_stopped(empty_url: str, make_store: MakeStore) -> None:
    """What was queued is leased and delivered, alerts end, decisions count on, history grows and is pruned."""
    store = make_store(empty_url)
    await prepared(store, "0001", FIRST)
    await store.open()
    await store.take_over("two", "")
    view, last = await store.load()
    assert last is not None
    now = last + timedelta(hours=1)
    queued = await store.lease(("ops", "webhook_configs[0]"), now, now + 30 * SECOND, 10)
    assert {row.id for row in queued} == set(view.outbox.rows)
    done = [msgspec.structs.replace(row, state=MessageState.DELIVERED) for row in queued]
    again, _ = (await store.decisions(1))[0]
    await store.commit(
        Changes(
            outbox={row.id: None for row in queued},
            finished=done,
            alerts=dict.fromkeys(view.alerts.rows),
            told=dict.fromkeys(view.told.rows),
            decisions=[msgspec.structs.replace(again, at=now)],
            transitions=list(await store.transitions(1)),
        ),
        now,
    )
    view, last = await store.load()
    assert (last, view.outbox.rows, view.alerts.rows, view.told.rows) == (now, {}, {}, {})
    assert (await store.decisions(1))[0] == (again, FIRST["decisions"][-1]["count"] + 1)
    assert len(await store.transitions(100)) == len(FIRST["transitions"]) + 1
    assert await store.prune(now + timedelta(days=1), 1000) > 30


async def test_the_migrated_tables_are_those_of_the_code(empty_url: str, make_store: MakeStore) -> None:
    store = make_store(empty_url)
    await prepared(store, "0001", FIRST)
    await store.open()

    def differences(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return compare_metadata(context, tables.metadata)

    assert await store._database.write(differences) == []


@pytest.mark.postgres
async def test_of_processes_that_start_at_once_one_migrates_and_the_others_wait(
    postgres_url: str, make_store: MakeStore
) -> None:
    await prepared(make_store(postgres_url), "0001", FIRST)
    stores = [make_store(postgres_url) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    for store in stores:
        assert len((await store.load())[0].alerts.rows) == 4


@pytest.mark.postgres
async def test_who_comes_second_waits_for_the_migration_and_finds_it_done(
    postgres: PostgresServer, postgres_url: str, make_store: MakeStore
) -> None:
    first, second = make_store(postgres_url), make_store(postgres_url)
    first._database.open()
    async with postgres_of(first).migrator.begin() as connection:
        await connection.run_sync(first._upgrade)
        opening = asyncio.create_task(second.open())
        await asyncio.sleep(0.3)
        assert not opening.done()
    await opening
    assert await second.last_commit() is None
    await first._database.close()


# ---- old and new side by side: a migration only adds (alembic/README.md) ----


@pytest.mark.parametrize("before", REVISIONS[:-1])
async def test_the_version_before_writes_and_reads_on_the_tables_of_the_next(
    empty_url: str, make_store: MakeStore, before: str
) -> None:
    """Each version's own INSERT, UPDATE and SELECT of every column, on the next one's tables."""
    store = make_store(empty_url)
    after = REVISIONS[REVISIONS.index(before) + 1]

    def side_by_side(connection: Connection) -> None:
        migrate(connection, DIRECTORY, before)
        old = MetaData()
        old.reflect(connection)
        migrate(connection, DIRECTORY, after)
        for name, table in old.tables.items():
            if name == "alembic_version":
                continue
            rows = [made_up(table, n) for n in range(3)]
            connection.execute(table.insert(), rows)
            assert connection.execute(table.update().values(rows[2]).where(is_row(table, rows[2]))).rowcount == 1
            assert [dict(row) for row in connection.execute(ordered(table)).mappings()] == rows
            connection.execute(table.delete())

    store._database.open()
    await store._database.migrate(side_by_side)
    await store._database.close()


def made_up(table: Table, n: int) -> dict[str, Any]:
    """A row that shares no key with those of another `n`, and everything else."""
    return {column.name: value(column, n if column.primary_key else 0) for column in table.columns}


def value(column: Column[Any], n: int) -> Any:
    if column.nullable:
        return None
    if isinstance(column.type, DateTime):
        return NOW if column.type.timezone else NOW.replace(tzinfo=None)
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, LargeBinary):
        return str(n).encode()
    return n if isinstance(column.type, Integer) else str(n)


def is_row(table: Table, row: dict[str, Any]) -> ColumnElement[bool]:
    return and_(*(column == row[column.name] for column in table.primary_key))


def ordered(table: Table) -> Select[Any]:
    return select(table).order_by(*table.primary_key)
