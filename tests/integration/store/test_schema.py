"""The tables of a new store, made at once, against those that the migrations make one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, Inspector, inspect, text

from tests.integration.store.conftest import MakeStore
from watcher.settings import shipped
from watcher.store.migrating import migrate, newest
from watcher.store.sql import SqlStore

DIRECTORY = shipped.directory("alembic")


async def made(store: SqlStore, *, migrated: bool) -> dict[str, Any]:
    """The schema of an empty database after an upgrade; it is empty again then."""
    database = store._database

    def make(connection: Connection) -> dict[str, Any]:
        if migrated:
            migrate(connection, DIRECTORY)
        else:
            store._upgrade(connection)
        found = schema(connection)
        for table in inspect(connection).get_table_names():
            connection.execute(text(f"DROP TABLE {table}"))
        return found

    database.open()
    try:
        return await database.migrate(make)
    finally:
        await database.close()


def schema(connection: Connection) -> dict[str, Any]:
    found = inspect(connection)
    tables = {name: described(found, name) for name in found.get_table_names()}
    words = sorted(tuple(row) for row in connection.execute(text(in_words(connection))))
    return {"tables": tables, "words": words, "version": version(connection)}


def described(found: Inspector, table: str) -> list[Any]:
    return [
        [column | {"type": repr(column["type"])} for column in map(dict, found.get_columns(table))],
        found.get_pk_constraint(table),
        sorted(found.get_indexes(table), key=lambda index: str(index["name"])),
        [*found.get_foreign_keys(table), *found.get_unique_constraints(table), *found.get_check_constraints(table)],
    ]


def in_words(connection: Connection) -> str:
    """What SQLAlchemy's inspection may leave out: an index's kind, and whether a number may be given again."""
    if connection.dialect.name == "postgresql":
        return "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
    return "SELECT name, CASE type WHEN 'table' THEN sql LIKE '%AUTOINCREMENT%' ELSE sql END FROM sqlite_master"


def version(connection: Connection) -> object:
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


async def test_a_new_store_has_the_schema_that_the_migrations_make(empty_url: str, make_store: MakeStore) -> None:
    at_once = await made(make_store(empty_url), migrated=False)
    step_by_step = await made(make_store(empty_url), migrated=True)
    assert at_once == step_by_step
    assert at_once["version"] == newest(DIRECTORY)
    assert {"alerts", "inbox", "alembic_version"} <= set(at_once["tables"])


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE groups ADD COLUMN x INTEGER",
        "CREATE INDEX x ON groups (body)",
        "DROP INDEX ix_decisions_alert",
        "CREATE TABLE x (y INTEGER)",
    ],
)
async def test_a_difference_is_seen(empty_url: str, make_store: MakeStore, statement: str) -> None:
    """That the test above can fail."""

    def change(connection: Connection) -> tuple[Any, Any]:
        before = schema(connection)
        connection.execute(text(statement))
        return before, schema(connection)

    store = make_store(empty_url)
    await store.open()
    before, after = await store._database.write(change)
    assert before != after


@pytest.mark.postgres
async def test_an_alert_of_any_length_is_found_by_a_hash(postgres_url: str, make_store: MakeStore) -> None:
    store = make_store(postgres_url)
    await store.open()
    names = "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%USING hash%' ORDER BY indexname"
    found = await store._database.read(lambda connection: list(connection.scalars(text(names))))
    assert found == ["ix_decisions_alert", "ix_transitions_alert"]
