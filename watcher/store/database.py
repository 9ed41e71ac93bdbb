"""What a database must offer to `SqlStore`: the one list of what differs between SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Insert, Select, Table
from sqlalchemy.sql.base import ReadOnlyColumnCollection

T = TypeVar("T")

Excluded = ReadOnlyColumnCollection[str, Any]
"""The columns of the row that was to be inserted and met one with its key (SQL's `excluded`)."""

Special = Callable[[Excluded], Mapping[str, ColumnElement[Any]]]
"""Columns that do not simply take the new row's value when a row with its key is there."""


class Database(Protocol):
    """`write`, `read` and `migrate` run a function in one transaction, which is rolled back if it raises.

    Perhaps in another thread, so what the function reads must stay as it is meanwhile. Who is cancelled while it waits
    does not know whether it happened.
    """

    errors: tuple[type[Exception], ...]
    """What its driver raises."""

    def open(self) -> None:
        """StoreError if the database cannot be had."""
        ...

    async def write(self, function: Callable[[Connection], T]) -> T:
        """One after the other: each sees what those before it wrote, and a row read `FOR SHARE` as it is now."""
        ...

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Sees one moment, and cannot write."""
        ...

    async def migrate(self, function: Callable[[Connection], T]) -> T:
        """As `write`, but may take its time."""
        ...

    async def close(self) -> None:
        """When what runs has ended, and within seconds, whatever the database does; twice does no harm."""
        ...

    def check(self, connection: Connection) -> None:
        """Look for damage, where that is cheap. StoreError."""
        ...

    def lock_schema(self, connection: Connection) -> None:
        """Until the transaction ends nobody else migrates."""
        ...

    def make_tables(self, connection: Connection) -> None:
        """In a database without any: those of `tables.py`."""
        ...

    def end_others(self, connection: Connection) -> None:
        """End what an earlier leader left unfinished, where it could keep its row from being written."""
        ...

    def upsert(self, table: Table, special: Special | None) -> Insert:
        """Insert or update by the primary key."""
        ...

    def taking(self, free: Select[Any]) -> Select[Any]:
        """`free`, without rows that another transaction holds."""
        ...

    def problem(self, error: Exception) -> str:
        """What one of `errors` means, in words: no row, no password."""
        ...
