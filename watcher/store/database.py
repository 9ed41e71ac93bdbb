"""What a database must offer to `SqlStore`: the one list of what differs between SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Executable, Select, Table
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.base import ReadOnlyColumnCollection

Excluded = ReadOnlyColumnCollection[str, Any]
"""The columns of the row that was to be inserted and met one with its key (SQL's `excluded`)."""

Special = Callable[[Excluded], Mapping[str, ColumnElement[Any]]]
"""Columns that do not simply take the new row's value when a row with its key is there."""


class Database(Protocol):
    writer: AsyncEngine
    """Its transactions see each other's rows, and a row that is read `FOR SHARE` is as it is now."""
    reader: AsyncEngine
    """Each of its transactions sees one moment, and cannot write."""
    migrator: AsyncEngine
    """A writer that may take its time."""
    errors: tuple[type[Exception], ...]
    """What its driver raises."""

    def open(self) -> None:
        """Make the engines; StoreError if the database cannot be had."""
        ...

    async def close(self) -> None:
        """Within seconds, whatever the database does; twice does no harm."""
        ...

    def check(self, connection: Connection) -> None:
        """Look for damage, where that is cheap. StoreError."""
        ...

    def lock_schema(self, connection: Connection) -> None:
        """Until the transaction ends nobody else migrates."""
        ...

    def end_others(self, connection: Connection) -> None:
        """End what an earlier leader left unfinished, where it could keep its row from being written."""
        ...

    def upsert(self, table: Table, special: Special | None) -> Executable:
        """Insert or update by the primary key."""
        ...

    def taking(self, free: Select[Any]) -> Select[Any]:
        """`free`, without rows that another transaction holds."""
        ...

    def problem(self, error: Exception) -> str:
        """What one of `errors` means, in words: no row, no password."""
        ...
