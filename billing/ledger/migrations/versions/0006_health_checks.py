"""The row that is written and read back to know that the ledger can be used."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "health_checks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("checks", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_health_checks"),
    )


def downgrade() -> None:
    op.drop_table("health_checks")
