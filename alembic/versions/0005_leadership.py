"""Who may write, which commit was the last, and the history of one alert by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "leadership",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_leadership"),
    )
    op.create_table(
        "epochs",
        sa.Column("epoch", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("began", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="pk_epochs"),
    )
    op.add_column("meta", sa.Column("epoch", sa.Integer))
    op.add_column("meta", sa.Column("number", sa.BigInteger))
    # An alert's key may be longer than what a B-tree of Postgres takes.
    op.create_index("ix_transitions_alert", "transitions", ["alert"], postgresql_using="hash")
    op.create_index("ix_decisions_alert", "decisions", ["alert"], postgresql_using="hash")


def downgrade() -> None:
    op.drop_index("ix_decisions_alert", "decisions")
    op.drop_index("ix_transitions_alert", "transitions")
    op.drop_column("meta", "number")
    op.drop_column("meta", "epoch")
    op.drop_table("epochs")
    op.drop_table("leadership")
