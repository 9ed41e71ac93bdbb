"""What one commit writes, inside a transaction that somebody else began: upserts and deletions in batches.

Each table takes at most one statement of each sort, run over many rows (executemany): one by one it is thirty times
slower. The functions are synchronous; a `Database` runs them where they keep nobody waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Insert, and_, bindparam, case, null, select, update

from watcher.model.changes import Changes
from watcher.model.state import Decision, MessageState, Meta, OutboxRow
from watcher.store import tables
from watcher.store.batch import Batch
from watcher.store.counting import Line, Matter, count, matter
from watcher.store.database import Excluded, Special
from watcher.store.keys import matter_text
from watcher.store.rows import (
    STATE,
    Kind,
    Row,
    attempt_row,
    body,
    decision,
    decision_row,
    message_row,
    silence_change_row,
    transition_row,
)

Upsert = Callable[[Any, Special | None], Insert]
"""A database's own (`database.Database.upsert`)."""

Stamp = tuple[int, int]
"""Which commit it is: the leader's epoch, and its own count."""

# A statement over more rows could outlast its time limit, however fast each row is.
_WRITTEN_AT_ONCE = 5000

# Both databases take at most some 32,766 parameters a statement.
# https://www.sqlite.org/limits.html#max_variable_number
_LOOKED_UP_AT_ONCE = 500


class Writer:
    """Holds the statements, which are costly to make. `owner` leases what a commit enqueues for `lease_for`."""

    def __init__(self, upsert: Upsert, owner: str, lease_for: timedelta) -> None:
        self._owner = owner
        self._lease_for = lease_for
        self._upserts = {kind.name: Batch(upsert(kind.table, None)) for kind in STATE}
        self._deletes = {kind.name: _delete(kind) for kind in STATE}
        self._transitions = Batch(tables.transitions.insert())
        self._decisions = Batch(tables.decisions.insert())
        self._attempts = Batch(tables.attempts.insert())
        self._silence_changes = Batch(tables.silence_changes.insert())
        self._upsert_message = upsert(tables.outbox, _kept_lease)
        self._upsert_meta = upsert(tables.meta, None)
        self._touch_meta = upsert(tables.meta, lambda _: {"body": tables.meta.c.body})

    def write(self, connection: Connection, changes: Changes, at: datetime, stamp: Stamp) -> None:
        for kind in STATE:
            self._write_state(connection, kind, getattr(changes, kind.name))
        self._write_outbox(connection, changes, at)
        _add(connection, self._transitions, [transition_row(row) for row in changes.transitions])
        if changes.decisions:
            self._write_decisions(connection, changes.decisions)
        _add(connection, self._attempts, [attempt_row(row) for row in changes.attempts])
        _add(connection, self._silence_changes, [silence_change_row(row) for row in changes.silence_changes])
        if changes.accepted:
            _run(connection, _DELETE_ACCEPTED, [{"id": number} for number in changes.accepted])
        statement = self._touch_meta if changes.meta is None else self._upsert_meta
        row = {"last_commit": at, "body": body(changes.meta or Meta()), "epoch": stamp[0], "number": stamp[1]}
        connection.execute(statement, [{"id": 1, **row}])

    def _write_state(self, connection: Connection, kind: Kind, rows: Mapping[Any, Any]) -> None:
        gone = [kind.key(key) for key, row in rows.items() if row is None]
        kept = [kind.key(key) | kind.write(row) for key, row in rows.items() if row is not None]
        if gone:
            _run(connection, self._deletes[kind.name], gone)
        _add(connection, self._upserts[kind.name], kept)

    def _write_decisions(self, connection: Connection, decisions: Sequence[Decision]) -> None:
        matters = [(matter(made), made) for made in decisions]
        latest = _latest(connection, {about for about, _ in matters})
        stored = {line.id: (line, line.count) for line in latest.values()}
        added = count(matters, latest)
        counted = [
            {"line": id, "new_count": line.count, "new_last_at": line.last_at}
            for id, (line, before) in stored.items()
            if line.count != before
        ]
        if counted:
            _run(connection, _COUNT_UP, counted)
        superseded = [{"line": id} for id, (line, _) in stored.items() if not line.latest]
        if superseded:
            _run(connection, _SUPERSEDE, superseded)
        _add(connection, self._decisions, [_line_row(line) for line in added])

    def _write_outbox(self, connection: Connection, changes: Changes, at: datetime) -> None:
        written: dict[str, OutboxRow | None] = dict(changes.outbox)
        for row in changes.finished:
            if changes.outbox.get(row.id) is None:
                written[row.id] = row
        gone = [{"id": id} for id, row in written.items() if row is None]
        kept = [message_row(row, at) | self._lease(row, at) for row in written.values() if row is not None]
        if gone:
            _run(connection, _DELETE_MESSAGE, gone)
        if kept:
            _run(connection, self._upsert_message, kept)

    def _lease(self, row: OutboxRow, at: datetime) -> Row:
        """The lease of a row that is not stored yet."""
        if row.state is MessageState.QUEUED and row.attempts == 0:
            return {"lease_owner": self._owner, "leased_until": at + self._lease_for}
        return {"lease_owner": None, "leased_until": None}


def _delete(kind: Kind) -> Executable:
    return kind.table.delete().where(and_(*(c == bindparam(c.name) for c in kind.table.primary_key)))


_DELETE_ACCEPTED = tables.inbox.delete().where(tables.inbox.c.id == bindparam("id"))
_DELETE_MESSAGE = tables.outbox.delete().where(tables.outbox.c.id == bindparam("id"))


def _kept_lease(new: Excluded) -> dict[str, ColumnElement[Any]]:
    """A stored row keeps its lease while its schedule is as it was: somebody may be sending it right now."""
    old = tables.outbox.c
    same = and_(
        new.state == MessageState.QUEUED.value,
        old.attempts == new.attempts,
        old.next_at == new.next_at,
    )
    return {
        "lease_owner": case((same, old.lease_owner), else_=null()),
        "leased_until": case((same, old.leased_until), else_=null()),
    }


def _add(connection: Connection, batch: Batch, rows: Sequence[Row]) -> None:
    for some in _slices(rows, _WRITTEN_AT_ONCE):
        batch.run(connection, some)


def _run(connection: Connection, statement: Executable, rows: Sequence[Row]) -> None:
    for some in _slices(rows, _WRITTEN_AT_ONCE):
        connection.execute(statement, some)


def stamp(connection: Connection) -> Stamp | None:
    """Of the last commit."""
    row = connection.execute(_STAMP).one_or_none()
    return None if row is None else (row.epoch, row.number)


_STAMP = select(tables.meta.c.epoch, tables.meta.c.number)


_SUPERSEDE = update(tables.decisions).where(tables.decisions.c.id == bindparam("line")).values(matter=None)
_COUNT_UP = (
    update(tables.decisions)
    .where(tables.decisions.c.id == bindparam("line"))
    .values(count=bindparam("new_count"), last_at=bindparam("new_last_at"))
)


def _line_row(line: Line) -> Row:
    about = matter_text(*matter(line.decision)) if line.latest else None
    return decision_row(line.decision) | {"count": line.count, "last_at": line.last_at, "matter": about}


_LATEST = select(tables.decisions).where(tables.decisions.c.matter.in_(bindparam("matters", expanding=True)))


def _latest(connection: Connection, matters: Collection[Matter]) -> dict[Matter, Line]:
    wanted = [matter_text(*about) for about in matters]
    latest = {}
    for some in _slices(wanted, _LOOKED_UP_AT_ONCE):
        for row in connection.execute(_LATEST, {"matters": some}).mappings():
            made = decision(row)
            latest[matter(made)] = Line(decision=made, last_at=row["last_at"], count=row["count"], id=row["id"])
    return latest


def _slices(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
