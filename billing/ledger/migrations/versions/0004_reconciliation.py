"""Runs of the reconciliation, the differences they find, and the schedules as PortOne was last seen to have them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_charges_settled_at_merchant_uid"), "charges", ["settled_at", "merchant_uid"], unique=False)
    _differences()
    _portone_schedules()
    _reconciliation_runs()


def downgrade() -> None:
    op.drop_table("reconciliation_runs")
    op.drop_table("portone_schedules")
    op.drop_table("differences")
    op.drop_index(op.f("ix_charges_settled_at_merchant_uid"), table_name="charges")


def _differences() -> None:
    op.create_table(
        "differences",
        sa.Column(
            "difference_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("imp_uid", sa.Text(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("portone", sa.Text(), nullable=False),
        sa.Column("ledger", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("times_opened", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_run", sa.Text(), nullable=False),
        sa.Column("rung_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("accepted_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("difference_id", name=op.f("pk_differences")),
        sa.UniqueConstraint(
            "kind", "merchant_uid", "imp_uid", "customer_uid", "detail", name="uq_differences_found_once"
        ),
    )
    op.create_index(op.f("ix_differences_merchant_uid"), "differences", ["merchant_uid"], unique=False)
    op.create_index(
        "ix_differences_open",
        "differences",
        ["difference_id"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _portone_schedules() -> None:
    op.create_table(
        "portone_schedules",
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("schedule_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("payment_status", sa.Text(), nullable=True),
        sa.Column("imp_uid", sa.Text(), nullable=True),
        sa.Column("last_run", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("merchant_uid", name=op.f("pk_portone_schedules")),
    )


def _reconciliation_runs() -> None:
    op.create_table(
        "reconciliation_runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("schedules_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_reconciliation_runs")),
    )
    op.create_index(
        op.f("ix_reconciliation_runs_started_at_run_id"), "reconciliation_runs", ["started_at", "run_id"], unique=False
    )
