"""Where a store lives, one class per kind of store; the suite asks for one of `HOMES`. Postgres gets a row here.

A home opens its store, and opens it again as a new process would. The twin in memory has no other life: its second
opening is the same object, which must behave as if it had been read anew.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from watcher.settings import shipped
from watcher.store.memory import MemoryStore
from watcher.store.sql import SqlStore

LEASE_FOR = timedelta(seconds=30)
AnyStore = MemoryStore | SqlStore


class Home(Protocol):
    async def open(self) -> AnyStore: ...

    async def leave(self) -> None: ...


class MemoryHome:
    def __init__(self, directory: Path) -> None:
        self._store = MemoryStore(owner="one", lease_for=LEASE_FOR)

    async def open(self) -> AnyStore:
        return self._store

    async def leave(self) -> None:
        await self._store.close()


class SqliteHome:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "data" / "watcher.db"
        self._store: SqlStore | None = None

    async def open(self) -> AnyStore:
        await self.leave()
        self._store = sqlite_store(self.path)
        await self._store.open()
        return self._store

    async def leave(self) -> None:
        if self._store is not None:
            await self._store.close()
            self._store = None


HOMES: dict[str, type[MemoryHome | SqliteHome]] = {"memory": MemoryHome, "sqlite": SqliteHome}


def sqlite_store(path: Path, query: str = "") -> SqlStore:
    return SqlStore(f"sqlite:///{path}{query}", shipped.directory("alembic"), owner="one", lease_for=LEASE_FOR)


def copied(made: Path, directory: Path) -> Path:
    """A home's directory with the files of another in it, so that not every example migrates anew."""
    return Path(shutil.copytree(made, directory, dirs_exist_ok=True))
