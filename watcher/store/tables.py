"""The tables, as SQLAlchemy Core. `alembic/versions/` makes the same ones; a test compares the two.

Columns that are looked up, sorted or joined on are real columns, and so is every field of the history (people query
it). The rest of a row of the current state is one text column, `body`: the JSON that msgspec makes of the record in
`watcher/model/state.py` and `remembered.py`. A record may therefore gain a field with a default without a migration;
renaming or removing one needs a migration that rewrites the bodies. Keys of several fields are one text column
(`keys.py`).

All times are UTC. Of a scope only `known` and `forbidden` are stored: the rest lives as long as a process, like pods.
Nothing here is SQLite's own, so that the same tables serve Postgres.

A migration only adds (alembic/README.md): an older Watcher works on beside a newer one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
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


class Words(TypeDecorator[str]):
    """A text that may come from outside. Postgres keeps no NUL in a text: it becomes U+FFFD, on SQLite too.

    https://www.postgresql.org/docs/current/datatype-character.html
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None or "\0" not in value else value.replace("\0", "\ufffd")


OF_ANY_LENGTH = {"of any length": True}
"""Said of an index: on Postgres it is a hash. As an option of that dialect it would load it, 2 MiB, for SQLite too."""

# SQLite numbers rows by itself only where the type is exactly INTEGER (https://www.sqlite.org/autoinc.html).
_Serial = BigInteger().with_variant(Integer, "sqlite")


def _body() -> Column[str]:
    """JSON, which escapes a NUL."""
    return Column("body", Text, nullable=False)


def _key(name: str) -> Column[str]:
    return Column(name, Words, primary_key=True)


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
    Column("receiver", Words, nullable=False),
    Column("integration", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("next_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", Words),
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
    Column("epoch", Integer),
    Column("number", BigInteger),
)
"""One row, 1; every commit writes its `last_commit`, and which commit it was: the leader's epoch and its own count."""

# ---- what is to be judged ----

inbox = Table(
    "inbox",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # Or SQLite would give the last number again once its row is gone.
    sqlite_autoincrement=True,
)
"""What was accepted and is in no commit yet: the commit that judges it takes it out."""

# ---- who may write ----

leadership = Table(
    "leadership",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("holder", Words, nullable=False),
    Column("address", Words, nullable=False),
    Column("since", Utc, nullable=False),
)
"""One row, 1: the last one who took over."""

epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("holder", Words, nullable=False),
    Column("began", Utc, nullable=False),
)
"""All who took over, for people who want to know."""

# ---- the history: appended, pruned by age ----

transitions = Table(
    "transitions",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("alert", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("before", Words, nullable=False),
    Column("after", Words, nullable=False),
    Column("why", Words, nullable=False),
    Index(None, "at"),
    Index(None, "alert", info=OF_ANY_LENGTH),
)
decisions = Table(
    "decisions",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("group_id", Words, nullable=False),
    Column("receiver", Words, nullable=False),
    Column("integration", Words, nullable=False),
    Column("alert", Words, nullable=False),
    Column("verdict", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("message", Words, nullable=False),
    Column("count", Integer, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("matter", Words),
    Index(None, "matter", unique=True),
    Index(None, "last_at"),
    Index(None, "alert", info=OF_ANY_LENGTH),
)
"""`matter`: group, receiver, integration and alert as one text, on the newest line about them only: an equal decision
counts there. One column, since SQLite looks through the whole table for a list of (a, b, c, d)."""

silence_changes = Table(
    "silence_changes",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", Utc, nullable=False),
    Column("silence", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("action", Words, nullable=False),
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
    Column("message", Words, nullable=False),
    Column("outcome", Words, nullable=False),
    Index(None, "message"),
    Index(None, "at"),
)
