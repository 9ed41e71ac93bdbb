"""The migrations against the tables: what one makes is what the other says, also backwards."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from tests.unit.store.conftest import MakeStore
from watcher.ports import StoreError
from watcher.settings import shipped
from watcher.store.migrating import migrate, newest
from watcher.store.sql import SqlStore
from watcher.store.tables import metadata

DIRECTORY = shipped.directory("alembic")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_the_migrated_schema_is_the_one_in_tables(connection: Connection) -> None:
    """`tests/integration/store/test_schema.py` compares more than Alembic does, on both databases."""
    migrate(connection, DIRECTORY)
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    assert compare_metadata(context, metadata) == []


def test_every_migration_can_be_taken_back(connection: Connection) -> None:
    migrate(connection, DIRECTORY)
    config = Config()
    config.set_main_option("script_location", str(DIRECTORY))
    config.attributes["connection"] = connection
    command.downgrade(config, "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]
    assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 0


def test_there_is_one_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(DIRECTORY))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


def test_a_directory_with_a_percent_sign_in_its_name_is_found(connection: Connection, tmp_path: Path) -> None:
    odd = tmp_path / "100%"
    odd.symlink_to(DIRECTORY)
    migrate(connection, odd)
    assert "alerts" in inspect(connection).get_table_names()


async def test_migrating_leaves_the_logging_as_it_was(connection: Connection) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("alembic").level)
    migrate(connection, DIRECTORY)
    assert (root.level, list(root.handlers), logging.getLogger("alembic").level) == before


async def test_a_store_of_a_newer_watcher_is_refused(path: Path, store: SqlStore, make_store: MakeStore) -> None:
    await store.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    with pytest.raises(StoreError, match="newer Watcher"):
        await make_store("").open()


async def test_a_migration_that_fails_leaves_no_table_behind(path: Path, make_store: MakeStore) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE attempts (here integer)")
    with pytest.raises(StoreError, match="already exists"):
        await make_store("").open()
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert names == ["attempts"]


def test_the_name_of_a_migration_begins_with_its_revision() -> None:
    """`migrating.newest` reads no migration, only the names."""
    script = ScriptDirectory(str(DIRECTORY))
    assert newest(DIRECTORY) == script.get_current_head()
    for path in (DIRECTORY / "versions").glob("*.py"):
        assert f'revision = "{path.name.partition("_")[0]}"' in path.read_text()
