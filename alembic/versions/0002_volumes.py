"""What is remembered of the usage of volumes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "volumes",
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("claim", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("namespace", "claim", "node", name="pk_volumes"),
    )


def downgrade() -> None:
    op.drop_table("volumes")
