"""Hypothesis strategies for records, made from their types: a field that is added is tested without a word here."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from watcher.model.changes import Changes
from watcher.model.remembered import ContainerHistory, ScopeState, VolumeHistory
from watcher.model.state import Alert, Attempt, Decision, Group, Member, MessageState, Meta, OutboxRow, Told, Transition

# NUL and half surrogate pairs are no text to a database (Postgres refuses the one, UTF-8 the other).
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
_TIMES = st.timedeltas(timedelta(), timedelta(days=80_000)).map(lambda span: datetime(1970, 1, 2, tzinfo=UTC) + span)
_JSON = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    bool: st.booleans(),
    bytes: st.binary(max_size=24),
    int: st.integers(-(2**31), 2**31 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    datetime: _TIMES,
    timedelta: st.timedeltas(timedelta(days=-400), timedelta(days=400)),
    type(None): st.none(),
    Any: _JSON,
}


@cache
def of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that occurs in a record."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(of, args))
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(of(args[0]), max_size=2).map(tuple)
    if origin is list:
        return st.lists(of(args[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(of(args[0]), of(args[1]), max_size=2)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return record(kind)
    raise TypeError(f"no strategy for {kind}")


def record(kind: type[msgspec.Struct], **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    fields = {name: fixed[name] if name in fixed else of(hints[name]) for name in kind.__struct_fields__}
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


_LEAVING = record(OutboxRow, state=st.sampled_from([MessageState.DELIVERED, MessageState.DEAD]))
_QUEUED = record(OutboxRow, state=st.just(MessageState.QUEUED))


def _table(rows: st.SearchStrategy[Any], key: Callable[[Any], Any]) -> st.SearchStrategy[dict[Any, Any]]:
    return st.lists(rows, max_size=3).map(lambda made: {key(row): row for row in made})


@st.composite
def changes(draw: st.DrawFn) -> Changes:
    """Rows of every stored table, and history."""
    leaving = draw(st.lists(_LEAVING, max_size=2))
    queued = draw(_table(_QUEUED, lambda row: row.id))
    return Changes(
        meta=draw(st.none() | record(Meta)),
        scopes=draw(_table(record(ScopeState), lambda row: row.scope)),
        histories=draw(_table(record(ContainerHistory), lambda row: (row.uid, row.container))),
        volumes=draw(_table(record(VolumeHistory), lambda row: row.key)),
        members=draw(_table(record(Member), lambda row: row.key)),
        alerts=draw(_table(record(Alert), lambda row: row.key)),
        groups=draw(_table(record(Group), lambda row: row.id)),
        told=draw(_table(record(Told), lambda row: row.key)),
        outbox={row.id: None for row in leaving} | queued,
        finished=leaving,
        transitions=draw(st.lists(record(Transition), max_size=3)),
        decisions=draw(st.lists(record(Decision), max_size=3)),
        attempts=draw(st.lists(record(Attempt), max_size=3)),
    )
