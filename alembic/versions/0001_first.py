"""The first tables.

What each column means stands in watcher/store/tables.py; this file stays as it is once it has been released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _state()
    _outbox()
    _history()


def downgrade() -> None:
    for table in (
        "attempts",
        "decisions",
        "transitions",
        "meta",
        "outbox",
        "told",
        "groups",
        "alerts",
        "members",
        "container_histories",
        "scopes",
    ):
        op.drop_table(table)


def _state() -> None:
    op.create_table(
        "scopes",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("known", sa.Boolean, nullable=False),
        sa.Column("forbidden", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("kind", "namespace", name="pk_scopes"),
    )
    _rows("container_histories", "uid", "container")
    _rows("members", "key")
    _rows("alerts", "key")
    _rows("groups", "id")
    _rows("told", "receiver", "integration", "alert")
    op.create_table(
        "meta",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("last_commit", _TIME, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_meta"),
    )


def _rows(name: str, *keys: str) -> None:
    op.create_table(
        name,
        *(sa.Column(key, sa.Text, nullable=False) for key in keys),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("integration", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("next_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_owner", sa.Text),
        sa.Column("leased_until", _TIME),
        sa.Column("finished_at", _TIME),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    _index("outbox", "state", "receiver", "integration", "created_at", "id")
    _index("outbox", "created_at", "id")
    _index("outbox", "finished_at")


def _history() -> None:
    op.create_table(
        "transitions",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transitions"),
    )
    _index("transitions", "at")
    op.create_table(
        "decisions",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("integration", sa.Text, nullable=False),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.Column("matter", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_matter", "decisions", ["matter"], unique=True)
    _index("decisions", "last_at")
    op.create_table(
        "attempts",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    _index("attempts", "message")
    _index("attempts", "at")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
