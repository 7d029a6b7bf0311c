"""What stands parked, what was decided of it and by whom, and the parts of a refund."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("refunds") as table:
        table.add_column(sa.Column("tax_free", sa.BigInteger(), server_default="0", nullable=False))
        table.add_column(sa.Column("vat_amount", sa.BigInteger(), nullable=True))
    op.create_table(
        "parked",
        sa.Column("parked_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("known", sa.JSON(), nullable=False),
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("imp_uid", sa.Text(), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("parked_id", name="pk_parked"),
    )
    op.create_index("ix_parked_customer_uid_parked_at", "parked", ["customer_uid", "parked_at"])
    stands = sa.text("closed_at IS NULL")
    op.create_index(
        "ix_parked_standing", "parked", ["parked_at", "parked_id"], sqlite_where=stands, postgresql_where=stands
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("parked_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("imp_uid", sa.Text(), nullable=True),
        sa.Column("parked_reason", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_parked_id", "decisions", ["parked_id"])
    op.create_index("ix_decisions_imp_uid", "decisions", ["imp_uid"])
    op.create_index("ix_decisions_customer_uid_at", "decisions", ["customer_uid", "at"])


def downgrade() -> None:
    op.drop_table("decisions")
    op.drop_table("parked")
    with op.batch_alter_table("refunds") as table:
        table.drop_column("vat_amount")
        table.drop_column("tax_free")
