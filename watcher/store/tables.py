"""The tables, as SQLAlchemy Core. `alembic/versions/` makes the same ones; a test compares the two.

Columns that are looked up, sorted or joined on are real columns, and so is every field of the history (people query
it). The rest of a row of the current state is one text column, `body`: the JSON that msgspec makes of the record in
`watcher/model/state.py`. A record may therefore gain a field with a default without a migration; renaming or
removing one needs a migration that rewrites the bodies. Keys of several fields are one text column (`keys.py`).

All times are UTC. Of a scope only `known` and `forbidden` are stored: the rest lives as long as a process, like pods.
Nothing here is SQLite's own, so that the same tables serve Postgres.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Dialect, Index, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"})


class Utc(TypeDecorator[datetime]):
    """A time with its zone on both sides. SQLite keeps it as text without a zone, which sorts as the time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only where the type is exactly INTEGER (https://www.sqlite.org/autoinc.html).
_Serial = BigInteger().with_variant(Integer, "sqlite")


def _body() -> Column[str]:
    return Column("body", Text, nullable=False)


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


# ---- the current state: the view ----

scopes = Table(
    "scopes",
    metadata,
    _key("kind"),
    _key("namespace"),
    Column("known", Boolean, nullable=False),
    Column("forbidden", Boolean, nullable=False),
)
container_histories = Table("container_histories", metadata, _key("uid"), _key("container"), _body())
volumes = Table("volumes", metadata, _key("namespace"), _key("claim"), _key("node"), _body())
members = Table("members", metadata, _key("key"), _body())
alerts = Table("alerts", metadata, _key("key"), _body())
groups = Table("groups", metadata, _key("id"), _body())
told = Table("told", metadata, _key("receiver"), _key("integration"), _key("alert"), _body())

silences = Table("silences", metadata, _key("id"), _body())
channels = Table("channels", metadata, _key("receiver"), _key("integration"), _body())

outbox = Table(
    "outbox",
    metadata,
    _key("id"),
    Column("receiver", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("next_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("leased_until", Utc),
    Column("finished_at", Utc),
    _body(),
    Index(None, "state", "receiver", "integration", "created_at", "id"),
    Index(None, "created_at", "id"),
    Index(None, "finished_at"),
)
"""Rows that are delivered or dead stay, with `finished_at`, until they are pruned."""

meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_commit", Utc, nullable=False),
    _body(),
)
"""One row, 1; every commit writes its `last_commit`."""

# ---- the history: appended, pruned by age ----

transitions = Table(
    "transitions",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("alert", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("why", Text, nullable=False),
    Index(None, "at"),
)
decisions = Table(
    "decisions",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("alert", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("matter", Text),
    Index(None, "matter", unique=True),
    Index(None, "last_at"),
)
"""`matter`: group, receiver, integration and alert as one text, on the newest line about them only: an equal decision
counts there. One column, since SQLite looks through the whole table for a list of (a, b, c, d)."""

silence_changes = Table(
    "silence_changes",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("silence", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False),
    _body(),
    Index(None, "silence"),
    Index(None, "at"),
)
"""Who made, changed or ended which silence."""

attempts = Table(
    "attempts",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("message", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Index(None, "message"),
    Index(None, "at"),
)
