from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.contract.store.homes import KINDS, AnyStore, Home, MemoryHome, SqlHome, SqliteHome, copied
from tests.support.postgres import PostgresServer

NewHome = Callable[[], Home]


@pytest.fixture(scope="session")
def sqlite_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a store whose tables exist."""
    directory = tmp_path_factory.mktemp("made")
    asyncio.run(_made(SqliteHome(directory)))
    return directory


@pytest.fixture(scope="session")
def postgres_made(postgres_server: PostgresServer) -> str:
    """A database whose tables exist."""
    name = postgres_server.create(keep=True)
    asyncio.run(_made(SqlHome(postgres_server.url(name))))
    return name


async def _made(home: SqlHome) -> None:
    await home.open(take_over=False)
    await home.leave()


@pytest.fixture(params=KINDS)
def new_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewHome:
    """Makes homes of one kind; so that not every one migrates anew, the tables of each exist."""
    if request.param == "sqlite":
        made = request.getfixturevalue("sqlite_made")
        return lambda: SqliteHome(copied(made, tmp_path_factory.mktemp("home")))
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        template = request.getfixturevalue("postgres_made")
        return lambda: SqlHome(server.url(server.create(template)))
    return MemoryHome


@pytest.fixture
async def home(new_home: NewHome) -> AsyncIterator[Home]:
    home = new_home()
    yield home
    await home.leave()


@pytest.fixture
async def store(home: Home) -> AnyStore:
    return await home.open()
