"""Reading the history with filters, page by page; the newest first.

Alerts stand in the history by their key, one text: the database narrows the lines down to those whose text holds what
is asked for, and `Asked.fits` has the last word. `kept.py` does the same in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, or_, select

from watcher.model.history import Asked, DecisionLine, TransitionLine
from watcher.model.identity import AlertKey
from watcher.store import rows, tables
from watcher.store.keys import alert_key, alert_text

_MOST_ALERTS = 200
"""Named in a statement; more are looked for line by line."""
_PORTION = 200


def transitions(connection: Connection, asked: Asked, limit: int) -> list[TransitionLine]:
    table = tables.transitions.c
    statement = _asked(tables.transitions, asked)
    if asked.begin is not None:
        statement = statement.where(table.at >= asked.begin)
    if asked.name:
        named = table.subject.contains(f"/{asked.name}", autoescape=True)
        statement = statement.where(or_(named, _holds(table.alert, asked.name)))
    found = (TransitionLine(number=row["id"], transition=rows.transition(row)) for row in _lines(connection, statement))
    return list(islice((one for one in found if asked.fits(one.transition.alert, one.transition.subject)), limit))


def decisions(connection: Connection, asked: Asked, limit: int) -> list[DecisionLine]:
    table = tables.decisions.c
    statement = _asked(tables.decisions, asked)
    if asked.begin is not None:
        statement = statement.where(table.last_at >= asked.begin)
    if asked.name:
        statement = statement.where(_holds(table.alert, asked.name))
    if asked.receiver:
        statement = statement.where(table.receiver == asked.receiver)
    if asked.verdict:
        statement = statement.where(table.verdict == asked.verdict)
    found = (_decision_line(row) for row in _lines(connection, statement))
    return list(islice((one for one in found if asked.fits(one.decision.alert)), limit))


def alert_keys(connection: Connection) -> list[AlertKey]:
    texts = select(tables.transitions.c.alert).union(select(tables.decisions.c.alert))
    found = (alert_key(text) for text in connection.execute(texts).scalars())
    return [key for key in found if key is not None]


def _asked(table: Table, asked: Asked) -> Select[Any]:
    statement = select(table).order_by(table.c.id.desc())
    if asked.before is not None:
        statement = statement.where(table.c.id < asked.before)
    if asked.end is not None:
        statement = statement.where(table.c.at <= asked.end)
    if asked.alerts is not None and len(asked.alerts) <= _MOST_ALERTS:
        statement = statement.where(table.c.alert.in_(sorted(map(alert_text, asked.alerts))))
    for word in asked.words:
        statement = statement.where(_holds(table.c.alert, word))
    return statement


def _holds(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """The key's text has this among its fields."""
    return column.contains(msgspec.json.encode(word).decode(), autoescape=True)


def _lines(connection: Connection, statement: Select[Any]) -> Iterable[RowMapping]:
    """Until enough are found: what is left is not read."""
    with connection.execute(statement.execution_options(yield_per=_PORTION)) as result:
        yield from result.mappings()


def _decision_line(row: RowMapping) -> DecisionLine:
    return DecisionLine(number=row["id"], decision=rows.decision(row), count=row["count"], last_at=row["last_at"])
