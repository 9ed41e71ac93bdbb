"""Where a store lives, one class per kind of store; the suite asks for one of `KINDS`.

A home opens its store and takes over, and does so again as a new process would. The twin in memory has no other life:
its second opening is the same object, which must behave as if it had been read anew.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest

from watcher.settings import shipped
from watcher.store.memory import MemoryStore
from watcher.store.sql import SqlStore

LEASE_FOR = timedelta(seconds=30)
AnyStore = MemoryStore | SqlStore


KINDS = ("memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


class Home(Protocol):
    async def open(self, *, take_over: bool = True) -> AnyStore: ...

    async def leave(self) -> None: ...


class MemoryHome:
    def __init__(self) -> None:
        self._store = MemoryStore(owner="one", lease_for=LEASE_FOR)

    async def open(self, *, take_over: bool = True) -> AnyStore:
        if take_over:
            await self._store.take_over("one", "")
        return self._store

    async def leave(self) -> None:
        await self._store.close()


class SqlHome:
    """A new store at every opening."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._store: SqlStore | None = None

    async def open(self, *, take_over: bool = True) -> AnyStore:
        await self.leave()
        self._store = sql_store(self.url)
        await self._store.open()
        if take_over:
            await self._store.take_over("one", "")
        return self._store

    async def leave(self) -> None:
        if self._store is not None:
            await self._store.close()
            self._store = None


class SqliteHome(SqlHome):
    def __init__(self, directory: Path) -> None:
        super().__init__(f"sqlite:///{directory / 'data' / 'watcher.db'}")


def sql_store(url: str, owner: str = "one") -> SqlStore:
    return SqlStore(url, shipped.directory("alembic"), owner=owner, lease_for=LEASE_FOR)


def sqlite_store(path: Path, query: str = "") -> SqlStore:
    return sql_store(f"sqlite:///{path}{query}")


def copied(made: Path, directory: Path) -> Path:
    """A home's directory with the files of another in it."""
    return Path(shutil.copytree(made, directory, dirs_exist_ok=True))
