"""Who may write: the last one who took over, checked inside every transaction that writes.

A leader that lost its Lease without knowing it (it was stopped, or cut off) is kept out by the database itself. Whoever
takes over writes the one row of `leadership`; whoever writes anything reads that row first, and holds it (Postgres: FOR
SHARE; on SQLite there is one writer at a time) until its transaction ends. So taking over waits for a commit that is
running, and a commit that begins later finds an epoch that is not its own. What decides who is leader lives elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import Connection, Insert, Table, delete, func, insert, select, update

from watcher.ports import Fenced, Leader
from watcher.store import tables
from watcher.store.database import Special

_KEPT = 1000
"""Rows of `epochs`: a leader that restarts all the time must not fill the disk."""

_LEADER = select(tables.leadership).where(tables.leadership.c.id == 1)
_HELD = _LEADER.with_for_update(read=True)


def leader(connection: Connection) -> Leader | None:
    row = connection.execute(_LEADER).mappings().one_or_none()
    if row is None:
        return None
    return Leader(epoch=row["epoch"], holder=row["holder"], address=row["address"], since=row["since"])


def check(connection: Connection, epoch: int) -> None:
    """Fenced if another one took over after `epoch`; if not, nobody does before the transaction ends."""
    row = connection.execute(_HELD).mappings().one_or_none()
    if row is None or row["epoch"] != epoch:
        found = "nobody" if row is None else f"{row['holder']} (epoch {row['epoch']})"
        raise Fenced(f"The store was this Watcher's in epoch {epoch}; now {found} holds it, and nothing was written.")


def take_over(connection: Connection, upsert: Callable[[Table, Special], Any], holder: str, address: str) -> int:
    """The new epoch. Frees what the earlier one leased."""
    statement = cast(Insert, upsert(tables.leadership, lambda _: {"epoch": tables.leadership.c.epoch + 1}))
    row = {"id": 1, "epoch": 1, "holder": holder, "address": address, "since": func.now()}
    epoch: int = connection.execute(statement.values(row).returning(tables.leadership.c.epoch)).scalar_one()
    connection.execute(insert(tables.epochs).values(epoch=epoch, holder=holder, began=func.now()))
    connection.execute(delete(tables.epochs).where(tables.epochs.c.epoch <= epoch - _KEPT))
    release(connection)
    return epoch


def release(connection: Connection) -> None:
    """Free every leased message."""
    leased = tables.outbox.c.leased_until.is_not(None)
    connection.execute(update(tables.outbox).where(leased).values(lease_owner=None, leased_until=None))
