"""The store in SQL: one transaction per commit, and a database that fails is a `StoreError` that changed nothing.

A record that cannot be a row is a mistake of ours, raised as it is: trying it again would not help. A commit whose
answer got lost may have happened: it carries a number, so that it is not written twice when it is tried again.
`sqlite.py` and `postgres.py` hold what differs between databases (`database.py`), `tables.py` the columns,
`writing.py` what a commit writes, `rows.py` how records become rows, `fencing.py` who may write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    MappingResult,
    Select,
    Table,
    Update,
    delete,
    insert,
    make_url,
    or_,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from watcher.model.changes import Changes, View
from watcher.model.history import Asked, DecisionLine, TransitionLine
from watcher.model.identity import AlertKey
from watcher.model.silence import SilenceChange
from watcher.model.state import Attempt, Decision, MessageState, OutboxRow, Transition
from watcher.ports import Fenced, Leader, StoreError
from watcher.store import fencing, history, rows, sqlite, tables
from watcher.store.database import Database
from watcher.store.migrating import upgrade
from watcher.store.writing import Writer, stamp

T = TypeVar("T")


class SqlStore:
    """Implements `ports.Store`. `owner` names this process in leases; what a commit enqueues it holds for `lease_for`.

    `alembic_dir`: where the migrations lie. Open it before use; a closed one can be opened again. It reads from then
    on, and writes once it has taken over.
    """

    def __init__(self, url: str, alembic_dir: Path, *, owner: str, lease_for: timedelta) -> None:
        self._database = _database(url)
        self._alembic_dir = alembic_dir
        self._owner = owner
        self._writer = Writer(self._database.upsert, owner, lease_for)
        self._epoch: int | None = None
        self._number = 0
        self._doubt: tuple[Changes, int] | None = None
        """The last commit of which it is not known whether it happened, and its number."""
        self._open = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def open(self) -> None:
        """Bring the tables up to date; a SQLite file is then this process's alone."""
        if self._open:
            return
        self._database.open()
        self._open = True
        try:
            with self._in_use("be opened"):
                await self._database.migrate(self._upgrade)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Takes nothing new, and ends when what is running has ended."""
        self._open = False
        await self._idle.wait()
        await self._database.close()

    async def load(self) -> tuple[View, datetime | None]:
        return await self._read("be read", _load)

    async def last_commit(self) -> datetime | None:
        last = select(tables.meta.c.last_commit)
        return await self._read("be read", lambda connection: connection.scalar(last))

    async def leader(self) -> Leader | None:
        return await self._read("be read", fencing.leader)

    async def take_over(self, holder: str, address: str) -> int:
        def taken(connection: Connection) -> int:
            self._database.end_others(connection)
            return fencing.take_over(connection, self._database.upsert, holder, address)

        with self._in_use("be taken over"):
            self._epoch = await self._database.write(taken)
        return self._epoch

    async def commit(self, changes: Changes, at: datetime) -> None:
        again = self._doubt is not None and self._doubt[0] is changes
        if not again:
            self._number += 1
        number = self._doubt[1] if self._doubt is not None and again else self._number

        def committed(connection: Connection, epoch: int) -> None:
            if not (again and stamp(connection) == (epoch, number)):
                self._writer.write(connection, changes, at, (epoch, number))

        try:
            await self._write("be written", committed)
        except BaseException:
            self._doubt = changes, number
            raise
        if again:
            self._doubt = None

    async def accept(self, body: bytes, at: datetime) -> int:
        statement = insert(tables.inbox).values(at=at, body=body).returning(tables.inbox.c.id)
        return await self._write("be written", lambda connection, _epoch: connection.execute(statement).scalar_one())

    async def accepted(self) -> Sequence[tuple[int, datetime, bytes]]:
        waiting = select(tables.inbox).order_by(tables.inbox.c.id)
        return await self._read(
            "be read", lambda connection: [(row["id"], row["at"], row["body"]) for row in _all(connection, waiting)]
        )

    async def lease(self, integration: tuple[str, str], now: datetime, until: datetime, limit: int) -> list[OutboxRow]:
        free = self._database.taking(_free(integration, now, limit))
        statement = _leasing(free).values(lease_owner=self._owner, leased_until=until)

        def leased(connection: Connection, _epoch: int) -> list[OutboxRow]:
            taken = [rows.decode_message(body) for body in connection.execute(statement).scalars()]
            return sorted(taken, key=lambda row: (row.created_at, row.id))

        return await self._write("be written", leased)

    async def release_all(self) -> None:
        """Free every leased message; takes over first, if that has not been done."""
        if self._epoch is None:
            await self.take_over(self._owner, "")
        else:
            await self._write("be written", lambda connection, _epoch: fencing.release(connection))

    async def transitions(self, limit: int) -> Sequence[Transition]:
        newest = select(tables.transitions).order_by(tables.transitions.c.id.desc()).limit(limit)
        return await self._read(
            "be read", lambda connection: [rows.transition(row) for row in _all(connection, newest)]
        )

    async def decisions(self, limit: int) -> Sequence[tuple[Decision, int]]:
        newest = select(tables.decisions).order_by(tables.decisions.c.id.desc()).limit(limit)
        return await self._read(
            "be read", lambda connection: [(rows.decision(row), row["count"]) for row in _all(connection, newest)]
        )

    async def transitions_of(self, asked: Asked, limit: int) -> Sequence[TransitionLine]:
        return await self._read("be read", lambda connection: history.transitions(connection, asked, limit))

    async def decisions_of(self, asked: Asked, limit: int) -> Sequence[DecisionLine]:
        return await self._read("be read", lambda connection: history.decisions(connection, asked, limit))

    async def alert_keys(self) -> Sequence[AlertKey]:
        return await self._read("be read", history.alert_keys)

    async def messages(self, limit: int) -> Sequence[OutboxRow]:
        newest = (
            select(tables.outbox.c.body)
            .order_by(tables.outbox.c.created_at.desc(), tables.outbox.c.id.desc())
            .limit(limit)
        )
        return await self._read(
            "be read", lambda connection: [rows.decode_message(row["body"]) for row in _all(connection, newest)]
        )

    async def deliveries(
        self, limit: int, *, state: MessageState | None = None, receiver: str = ""
    ) -> Sequence[tuple[OutboxRow, datetime | None]]:
        outbox = tables.outbox.c
        newest = select(outbox.body, outbox.finished_at).order_by(outbox.created_at.desc(), outbox.id.desc())
        if state is not None:
            newest = newest.where(outbox.state == state.value)
        if receiver:
            newest = newest.where(outbox.receiver == receiver)
        return await self._read("be read", lambda connection: _delivered(connection, newest.limit(limit)))

    async def delivery(self, message: str) -> tuple[OutboxRow, datetime | None] | None:
        outbox = tables.outbox.c
        one = select(outbox.body, outbox.finished_at).where(outbox.id == message)
        found = await self._read("be read", lambda connection: _delivered(connection, one))
        return found[0] if found else None

    async def attempts(self, message: str) -> Sequence[Attempt]:
        made = select(tables.attempts).where(tables.attempts.c.message == message).order_by(tables.attempts.c.id)
        return await self._read("be read", lambda connection: [rows.attempt(row) for row in _all(connection, made)])

    async def silence_changes(self, silence: str = "", limit: int = 100) -> Sequence[SilenceChange]:
        """Who did what, the newest first; of one silence, or of all."""
        table = tables.silence_changes
        newest = select(table).order_by(table.c.id.desc()).limit(limit)
        if silence:
            newest = newest.where(table.c.silence == silence)
        return await self._read(
            "be read", lambda connection: [rows.silence_change(row) for row in _all(connection, newest)]
        )

    async def prune(self, before: datetime, limit: int) -> int:
        statements = [_pruning(table, column, before, limit) for table, column in _HISTORY]

        def pruned(connection: Connection, _epoch: int) -> int:
            return sum(connection.execute(statement).rowcount for statement in statements)

        return await self._write("be written", pruned)

    async def _write(self, what: str, function: Callable[[Connection, int], T]) -> T:
        """In one transaction in which nobody can take over; the function is given the epoch."""
        epoch = self._epoch
        if epoch is None:
            raise Fenced("This Watcher has not taken over the store: it may only read.")

        def fenced(connection: Connection) -> T:
            fencing.check(connection, epoch)
            return function(connection, epoch)

        with self._in_use(what):
            return await self._database.write(fenced)

    async def _read(self, what: str, function: Callable[[Connection], T]) -> T:
        try:
            with self._in_use(what):
                return await self._database.read(function)
        except ValueError as error:  # a time in a damaged file
            raise StoreError(_UNREADABLE.format(error)) from error

    def _upgrade(self, connection: Connection) -> None:
        self._database.check(connection)
        upgrade(connection, self._alembic_dir, self._database)

    @contextmanager
    def _in_use(self, what: str) -> Iterator[None]:
        if not self._open:
            raise StoreError("The store is not open.")
        self._running += 1
        self._idle.clear()
        try:
            with _translated(self._database, what):
                yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()


_UNREADABLE = (
    "The store holds a row that this version of Watcher cannot read ({}). If a newer one has written it, start that "
    "version again."
)


@contextmanager
def _translated(database: Database, what: str) -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise StoreError(f"The store could not {what}: all of its connections are busy.") from error
    except msgspec.DecodeError as error:
        raise StoreError(_UNREADABLE.format(error)) from error
    except database.errors as error:
        raise StoreError(f"The store could not {what}: {database.problem(error)}.") from error


def _database(url: str) -> Database:
    scheme, divided, _ = url.partition("://")
    if divided and scheme.startswith("postgres"):
        # SQLAlchemy's dialect takes 3 MiB: not for who stores in a file.
        from watcher.store import postgres

        if scheme in postgres.SCHEMES:
            return postgres.Database(url)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("store.url is no URL; an example: sqlite:////var/lib/watcher/watcher.db") from error
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(
            f"Watcher cannot store in {parsed.get_backend_name()}; use sqlite:////path/of/the/file or "
            "postgresql://user:password@host/database."
        )
    return sqlite.Database(parsed)


def _all(connection: Connection, statement: Select[Any]) -> MappingResult:
    """In portions, so that a large table is never in memory twice."""
    return connection.execute(statement.execution_options(yield_per=1000)).mappings()


def _delivered(connection: Connection, statement: Select[Any]) -> list[tuple[OutboxRow, datetime | None]]:
    return [(rows.decode_message(row["body"]), row["finished_at"]) for row in _all(connection, statement)]


def _load(connection: Connection) -> tuple[View, datetime | None]:
    view = View()
    for kind in rows.STATE:
        table = getattr(view, kind.name)
        for row in _all(connection, select(kind.table)):
            table.put(*kind.read(row))
    queued = select(tables.outbox.c.body).where(tables.outbox.c.state == MessageState.QUEUED.value)
    for row in _all(connection, queued):
        message = rows.decode_message(row["body"])
        view.outbox.put(message.id, message)
    stored = connection.execute(select(tables.meta)).mappings().one_or_none()
    if stored is None:
        return view, None
    view.meta = rows.decode_meta(stored["body"])
    return view, stored["last_commit"]


def _free(integration: tuple[str, str], now: datetime, limit: int) -> Select[Any]:
    outbox = tables.outbox.c
    return (
        select(outbox.id)
        .where(
            outbox.state == MessageState.QUEUED.value,
            outbox.receiver == integration[0],
            outbox.integration == integration[1],
            outbox.next_at <= now,
            or_(outbox.leased_until.is_(None), outbox.leased_until <= now),
        )
        .order_by(outbox.created_at, outbox.id)
        .limit(limit)
    )


def _leasing(free: Select[Any]) -> Update:
    """A common table expression runs once; Postgres may run a subquery again and again, with other rows each time."""
    chosen = select(free.cte("free").c.id)
    return update(tables.outbox).where(tables.outbox.c.id.in_(chosen)).returning(tables.outbox.c.body)


_HISTORY = (
    (tables.transitions, tables.transitions.c.at),
    (tables.decisions, tables.decisions.c.last_at),
    (tables.attempts, tables.attempts.c.at),
    (tables.silence_changes, tables.silence_changes.c.at),
    (tables.outbox, tables.outbox.c.finished_at),
)
"""Tables of which old rows go, and the time that makes a row old. A queued message has no `finished_at`."""


def _pruning(table: Table, column: ColumnElement[datetime], before: datetime, limit: int) -> Delete:
    oldest = select(table.c.id).where(column < before).order_by(column, table.c.id).limit(limit)
    return delete(table).where(table.c.id.in_(oldest))
