from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.contract.store.homes import sqlite_store
from watcher.store.sql import SqlStore

MakeStore = Callable[[str], SqlStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watcher.db"


@pytest.fixture
async def make_store(path: Path) -> AsyncIterator[MakeStore]:
    """Makes stores on `path`, with what follows the `?` of the URL; they are closed in the end."""
    made: list[SqlStore] = []

    def make(query: str) -> SqlStore:
        made.append(sqlite_store(path, query))
        return made[-1]

    yield make
    for store in made:
        await store.close()


@pytest.fixture
async def store(make_store: MakeStore) -> SqlStore:
    store = make_store("")
    await store.open()
    await store.take_over("one", "")
    return store
