"""All that is SQLite's own: the file, its lock, the engines and their settings, and its insert-or-update.

Two engines, since a writer's transaction begins with BEGIN IMMEDIATE (else a reader that turns writer fails at once
when another wrote meanwhile) and readers must not wait for it: in WAL mode they see the last commit instead. They are
synchronous, and work in threads (`lane.py`): SQLAlchemy's asyncio would load its ORM. A lock on a file beside the
database keeps a second Watcher away; the kernel drops it with the process, however that ended.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Select, Table, create_engine, event, text
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DBAPIError

from watcher.ports import StoreError
from watcher.store.database import Special
from watcher.store.lane import Lane
from watcher.store.tables import metadata

T = TypeVar("T")

# How long a writer waits for another one (a person's sqlite3 shell, a backup); `?timeout=` in the URL changes it.
_BUSY_SECONDS = "5"
_READERS = 2

# Measured: 0.5 ms a MiB from memory, 13 ms a MiB from a slow disk, so that a start waits for a second at most.
_CHECKED = 64 * 1024 * 1024


class Database:
    """One SQLite file."""

    def __init__(self, url: URL) -> None:
        path = url.database or ""
        if path in ("", ":memory:") or path.startswith("file:"):
            raise StoreError("The store's URL must name a file: sqlite:////var/lib/watcher/watcher.db (four slashes).")
        self.path = Path(path).resolve()
        timeout = {"timeout": _BUSY_SECONDS} | dict(url.query)
        self._url = url.set(drivername="sqlite", database=str(self.path), query=timeout)
        self._lock: int | None = None
        self._ending: asyncio.Task[None] | None = None
        # The latter comes from a damaged file: of the schema, or in an error's own words.
        self.errors: tuple[type[Exception], ...] = (DBAPIError, UnicodeDecodeError)
        self.writer: Lane
        self.reader: Lane

    def open(self) -> None:
        """Take the file for this process alone; StoreError if it cannot be had."""
        _prepare(self.path)
        self._lock = _locked(self.path.with_name(self.path.name + ".lock"))
        self.writer = Lane(self._engine(1, _WRITER, "BEGIN IMMEDIATE"), 1, "store")
        self.reader = Lane(self._engine(_READERS, _READER, "BEGIN"), _READERS, "store-reader")

    async def write(self, function: Callable[[Connection], T]) -> T:
        return await self.writer.run(function)

    async def read(self, function: Callable[[Connection], T]) -> T:
        return await self.reader.run(function)

    async def migrate(self, function: Callable[[Connection], T]) -> T:
        return await self.writer.run(function)

    async def close(self) -> None:
        """Goes on to its end also where nobody waits for it any more: the lock must outlive every transaction."""
        if self._lock is None:
            return
        if self._ending is None:
            self._ending = asyncio.create_task(asyncio.to_thread(self._end, self._lock))
        await asyncio.shield(self._ending)

    def _end(self, lock: int) -> None:
        try:
            self.reader.end()
            self.writer.end()
        finally:
            os.close(lock)
            self._lock = self._ending = None

    def check(self, connection: Connection) -> None:
        """Damage shows here and not in the middle of the night; a large file is not looked through."""
        if self.path.stat().st_size > _CHECKED:
            return
        found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        if found != "ok":
            raise StoreError(f"The store could not be opened: {self._damaged(str(found).splitlines()[-1])}.")

    def lock_schema(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE has done it."""

    def make_tables(self, connection: Connection) -> None:
        metadata.create_all(connection, checkfirst=False)

    def end_others(self, connection: Connection) -> None:
        """There are none: they had the lock."""

    def upsert(self, table: Table, special: Special | None) -> Insert:
        statement = insert(table)
        keys = [column.name for column in table.primary_key]
        values: dict[str, Any] = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
        if special is not None:
            values |= special(statement.excluded)
        return statement.on_conflict_do_update(index_elements=keys, set_=values)

    def taking(self, free: Select[Any]) -> Select[Any]:
        return free

    def problem(self, error: Exception) -> str:
        """The messages are SQLite's: https://www.sqlite.org/rescode.html"""
        said = str(error.orig if isinstance(error, DBAPIError) else error)
        code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return f"the disk that holds {self.path} is full ({said}); make room, and it goes on by itself"
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, UnicodeDecodeError):
            return self._damaged(said)
        if code == sqlite3.SQLITE_IOERR:
            return f"{self.path} cannot be read or written ({said}); is its disk full or broken?"
        return said

    def _damaged(self, said: str) -> str:
        return (
            f"the file {self.path} is damaged ({said.strip()}). Stop Watcher, move the file away together with its "
            "-wal and -shm, and start with a backup of it, or with none: then what is broken now is seen as on a first "
            "start, and history, silences and what was not delivered yet are lost"
        )

    def _engine(self, connections: int, pragmas: tuple[str, ...], begin: str) -> Engine:
        engine = create_engine(
            self._url,
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,
            # The driver's own BEGIN comes late and is never IMMEDIATE; None leaves it to the event below.
            # https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#enabling-non-legacy-sqlite-transactional-modes
            connect_args={"isolation_level": None},
        )

        def connected(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        event.listen(engine, "connect", connected)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine


# FULL: a commit in WAL mode is on the disk when it returns; NORMAL may lose the last ones with the power.
# https://www.sqlite.org/pragma.html#pragma_synchronous
_WRITER = ("journal_mode = WAL", "synchronous = FULL")
_READER = ("query_only = ON",)


def _prepare(path: Path) -> None:
    """Make the directory and the file (readable by its owner alone), and see that it can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The store's directory {path.parent} cannot be made ({error.strerror}): make it, or name another in "
            "store.url or --data."
        ) from error
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"The store's file {path} cannot be written ({error.strerror}): give this user the right to write there, "
            "or name another file in store.url or --data."
        ) from error


def _locked(path: Path) -> int:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"The store's lock file {path} cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise StoreError(
                f"Another Watcher uses the store {path.with_suffix('')}: stop it first, or give this one its own file "
                "(store.url or --data)."
            ) from error
        raise StoreError(f"The store's lock file {path} cannot be locked ({error.strerror}).") from error
    return lock
