from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.contract.store.homes import sql_store
from tests.support.postgres import PostgresServer
from watcher.store.postgres import Database as Postgres
from watcher.store.sql import SqlStore
from watcher.store.sqlite import Database as Sqlite

MakeStore = Callable[..., SqlStore]


@pytest.fixture(scope="session")
def made_database(postgres_server: PostgresServer) -> str:
    """A database whose tables exist."""
    name = postgres_server.create(keep=True)

    async def make() -> None:
        store = sql_store(postgres_server.url(name))
        await store.open()
        await store.close()

    asyncio.run(make())
    return name


@pytest.fixture
def database(postgres: PostgresServer, made_database: str) -> str:
    """A database of the test's own, with its tables."""
    return postgres.create(made_database)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "watcher.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, sqlite_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{sqlite_path}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def make_store() -> AsyncIterator[MakeStore]:
    """Makes stores on a URL; they are closed in the end."""
    made: list[SqlStore] = []

    def make(url: str, owner: str = "one") -> SqlStore:
        made.append(sql_store(url, owner))
        return made[-1]

    yield make
    for store in made:
        await store.close()


async def leading(make_store: MakeStore, url: str, owner: str = "one") -> SqlStore:
    """An open store that has taken over."""
    store = make_store(url, owner)
    await store.open()
    await store.take_over(owner, f"http://{owner}:8080")
    return store


def postgres_of(store: SqlStore) -> Postgres:
    assert isinstance(store._database, Postgres)
    return store._database


def engines(store: SqlStore) -> tuple[Engine, Engine]:
    """Of an open store: the writer's and the reader's."""
    database = store._database
    if isinstance(database, Sqlite):
        return database.writer.engine, database.reader.engine
    return postgres_of(store).writer.sync_engine, postgres_of(store).reader.sync_engine
