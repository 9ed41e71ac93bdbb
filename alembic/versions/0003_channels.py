"""How each integration does: its rate and its failures."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("integration", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("receiver", "integration", name="pk_channels"),
    )


def downgrade() -> None:
    op.drop_table("channels")
