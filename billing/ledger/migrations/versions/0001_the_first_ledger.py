"""The first ledger."""

import sqlalchemy as sa
from alembic import op

from billing.ledger.types import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PAID = sa.text("state = 'paid'")


def upgrade() -> None:
    op.create_table(
        "billing_keys",
        sa.Column("customer_uid", sa.String(length=80), nullable=False),
        sa.Column("pg_provider", sa.String(length=40), nullable=True),
        sa.Column("pg_id", sa.String(length=80), nullable=True),
        sa.Column("card_name", sa.String(length=80), nullable=True),
        sa.Column("card_number", sa.String(length=40), nullable=True),
        sa.Column("card_type", sa.Integer(), nullable=True),
        sa.Column("customer_id", sa.String(length=80), nullable=True),
        sa.Column("inserted_at", Instant(), nullable=True),
        sa.Column("updated_at", Instant(), nullable=True),
        sa.Column("sandbox", sa.Boolean(), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("customer_uid", name=op.f("pk_billing_keys")),
    )
    op.create_table(
        "card_vault",
        sa.Column("handle", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_card_vault")),
    )
    op.create_index(op.f("ix_card_vault_expires_at"), "card_vault", ["expires_at"], unique=False)

    op.create_table(
        "charges",
        sa.Column("merchant_uid", sa.String(length=40), nullable=False),
        sa.Column("workflow_id", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subscription_id", sa.String(length=40), nullable=True),
        sa.Column("customer_uid", sa.String(length=80), nullable=True),
        sa.Column("cycle", sa.Integer(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tax_free", sa.BigInteger(), nullable=False),
        sa.Column("vat_amount", sa.BigInteger(), nullable=True),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("sends", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("imp_uid", sa.String(length=40), nullable=True),
        sa.Column("code", sa.String(length=80), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_uid", name=op.f("pk_charges")),
        sa.UniqueConstraint("imp_uid", name=op.f("uq_charges_imp_uid")),
    )
    op.create_index(op.f("ix_charges_customer_uid"), "charges", ["customer_uid"], unique=False)
    op.create_index(op.f("ix_charges_state"), "charges", ["state"], unique=False)
    op.create_index(op.f("ix_charges_subscription_id"), "charges", ["subscription_id"], unique=False)
    op.create_index(
        "uq_charges_one_paid_per_cycle",
        "charges",
        ["subscription_id", "cycle"],
        unique=True,
        sqlite_where=PAID,
        postgresql_where=PAID,
    )

    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(length=120), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=120), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "payments",
        sa.Column("imp_uid", sa.String(length=40), nullable=False),
        sa.Column("merchant_uid", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cancelled_amount", sa.BigInteger(), nullable=False),
        sa.Column("customer_uid", sa.String(length=80), nullable=True),
        sa.Column("pg_provider", sa.String(length=40), nullable=True),
        sa.Column("paid_at", Instant(), nullable=True),
        sa.Column("failed_at", Instant(), nullable=True),
        sa.Column("fail_reason", sa.Text(), nullable=True),
        sa.Column("card_name", sa.String(length=80), nullable=True),
        sa.Column("card_number", sa.String(length=40), nullable=True),
        sa.Column("receipt_url", sa.Text(), nullable=True),
        sa.Column("sandbox", sa.Boolean(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("imp_uid", name=op.f("pk_payments")),
    )
    op.create_index(op.f("ix_payments_merchant_uid"), "payments", ["merchant_uid"], unique=False)

    op.create_table(
        "plans",
        sa.Column("plan_id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "version", name=op.f("pk_plans")),
    )
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.String(length=64), nullable=False),
        sa.Column("merchant_uid", sa.String(length=40), nullable=False),
        sa.Column("imp_uid", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("cancellation_id", sa.String(length=80), nullable=True),
        sa.Column("code", sa.String(length=80), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("refund_id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("cancellation_id", name=op.f("uq_refunds_cancellation_id")),
    )
    op.create_index(op.f("ix_refunds_merchant_uid"), "refunds", ["merchant_uid"], unique=False)

    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.String(length=40), nullable=False),
        sa.Column("customer_uid", sa.String(length=80), nullable=False),
        sa.Column("workflow_id", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("plan_id", sa.String(length=80), nullable=True),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("customer", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("cycle_state", sa.String(length=24), nullable=False),
        sa.Column("merchant_uid", sa.String(length=40), nullable=True),
        sa.Column("current_period_start", Instant(), nullable=True),
        sa.Column("current_period_end", Instant(), nullable=True),
        sa.Column("next_charge_at", Instant(), nullable=True),
        sa.Column("failed_attempts", sa.Integer(), nullable=False),
        sa.Column("cancel_at_period_end", sa.Boolean(), nullable=False),
        sa.Column("parked_reason", sa.Text(), nullable=True),
        sa.Column("last_failure", sa.Text(), nullable=True),
        sa.Column("pg_provider", sa.String(length=40), nullable=True),
        sa.Column("card", sa.String(length=80), nullable=True),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_subscriptions")),
    )
    op.create_index(op.f("ix_subscriptions_customer_uid"), "subscriptions", ["customer_uid"], unique=False)
    op.create_index(op.f("ix_subscriptions_next_charge_at"), "subscriptions", ["next_charge_at"], unique=False)
    op.create_index(op.f("ix_subscriptions_plan_id"), "subscriptions", ["plan_id"], unique=False)
    op.create_index(op.f("ix_subscriptions_started_at"), "subscriptions", ["started_at"], unique=False)
    op.create_index(op.f("ix_subscriptions_status"), "subscriptions", ["status"], unique=False)

    op.create_table(
        "webhook_inbox",
        sa.Column("inbox_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("imp_uid", sa.String(length=40), nullable=False),
        sa.Column("merchant_uid", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("cancellation_id", sa.String(length=80), nullable=False),
        sa.Column("route", sa.String(length=24), nullable=False),
        sa.Column("workflow_id", sa.String(length=120), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("disposition", sa.String(length=24), nullable=True),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("rung_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("inbox_id", name=op.f("pk_webhook_inbox")),
        sa.UniqueConstraint(
            "imp_uid",
            "merchant_uid",
            "status",
            "cancellation_id",
            name="uq_webhook_inbox_said_once",
        ),
    )
    op.create_index(op.f("ix_webhook_inbox_merchant_uid"), "webhook_inbox", ["merchant_uid"], unique=False)
    op.create_index(op.f("ix_webhook_inbox_rung_at"), "webhook_inbox", ["rung_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_webhook_inbox_rung_at"), "webhook_inbox")
    op.drop_index(op.f("ix_webhook_inbox_merchant_uid"), "webhook_inbox")

    op.drop_table("webhook_inbox")
    op.drop_index(op.f("ix_subscriptions_status"), "subscriptions")
    op.drop_index(op.f("ix_subscriptions_started_at"), "subscriptions")
    op.drop_index(op.f("ix_subscriptions_plan_id"), "subscriptions")
    op.drop_index(op.f("ix_subscriptions_next_charge_at"), "subscriptions")
    op.drop_index(op.f("ix_subscriptions_customer_uid"), "subscriptions")

    op.drop_table("subscriptions")
    op.drop_index(op.f("ix_refunds_merchant_uid"), "refunds")

    op.drop_table("refunds")
    op.drop_table("plans")
    op.drop_index(op.f("ix_payments_merchant_uid"), "payments")

    op.drop_table("payments")
    op.drop_table("idempotency_keys")
    op.drop_index("uq_charges_one_paid_per_cycle", "charges", sqlite_where=PAID, postgresql_where=PAID)
    op.drop_index(op.f("ix_charges_subscription_id"), "charges")
    op.drop_index(op.f("ix_charges_state"), "charges")
    op.drop_index(op.f("ix_charges_customer_uid"), "charges")

    op.drop_table("charges")
    op.drop_index(op.f("ix_card_vault_expires_at"), "card_vault")

    op.drop_table("card_vault")
    op.drop_table("billing_keys")
