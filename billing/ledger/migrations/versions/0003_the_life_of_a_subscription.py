"""What a subscription holds beside its period, the key it charges, and charges of plan changes inside a period."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OLD = "(subscription_id IS NULL) = (cycle IS NULL)"
_NEW = f"{_OLD} OR kind = 'change'"


def upgrade() -> None:
    with op.batch_alter_table("subscriptions") as table:
        table.add_column(sa.Column("billing_key", sa.Text(), nullable=True))
        table.add_column(sa.Column("life", sa.JSON(), nullable=True))
    op.create_index("ix_subscriptions_billing_key", "subscriptions", ["billing_key"])
    op.create_index("ix_subscriptions_parked_reason", "subscriptions", ["parked_reason"])
    op.create_index("ix_charges_workflow_id_due_at", "charges", ["workflow_id", "due_at"])
    _check_cycle(_NEW)
    op.create_table(
        "consents",
        sa.Column("consent_no", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("consent_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("need", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("consent_no", name="pk_consents"),
        sa.UniqueConstraint("consent_id", "state", "at", name="uq_consents_kept_once"),
    )
    op.create_index("ix_consents_customer_uid_at", "consents", ["customer_uid", "at"])


def downgrade() -> None:
    op.drop_table("consents")
    _check_cycle(_OLD)
    op.drop_index("ix_charges_workflow_id_due_at", "charges")
    op.drop_index("ix_subscriptions_parked_reason", "subscriptions")
    op.drop_index("ix_subscriptions_billing_key", "subscriptions")
    with op.batch_alter_table("subscriptions") as table:
        table.drop_column("life")
        table.drop_column("billing_key")


def _check_cycle(condition: str) -> None:
    with op.batch_alter_table("charges") as table:
        table.drop_constraint(op.f("ck_charges_cycle"), type_="check")
        table.create_check_constraint(op.f("ck_charges_cycle"), condition)
