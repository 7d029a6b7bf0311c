"""The first ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _billing_keys()
    _card_vault()
    _charge_results()
    _charges()
    _idempotency_keys()
    _payments()
    _plans()
    _refunds()
    _subscriptions()
    _webhook_inbox()


def downgrade() -> None:
    op.drop_table("webhook_inbox")
    op.drop_table("subscriptions")
    op.drop_table("refunds")
    op.drop_table("plans")
    op.drop_table("payments")
    op.drop_table("idempotency_keys")
    op.drop_table("charges")
    op.drop_table("charge_results")
    op.drop_table("card_vault")
    op.drop_table("billing_keys")


def _billing_keys() -> None:
    op.create_table(
        "billing_keys",
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("pg_provider", sa.Text(), nullable=True),
        sa.Column("pg_id", sa.Text(), nullable=True),
        sa.Column("card_name", sa.Text(), nullable=True),
        sa.Column("card_number", sa.Text(), nullable=True),
        sa.Column("card_type", sa.Integer(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sandbox", sa.Boolean(), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "card_number IS NULL OR (card_number LIKE '****-****-****-____')", name=op.f("ck_billing_keys_card_number")
        ),
        sa.PrimaryKeyConstraint("customer_uid", name=op.f("pk_billing_keys")),
    )


def _card_vault() -> None:
    op.create_table(
        "card_vault",
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_card_vault")),
    )
    op.create_index(op.f("ix_card_vault_expires_at"), "card_vault", ["expires_at"], unique=False)


def _charge_results() -> None:
    op.create_table(
        "charge_results",
        sa.Column(
            "result_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imp_uid", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("result_id", name=op.f("pk_charge_results")),
        sa.UniqueConstraint("merchant_uid", "state", "at", "imp_uid", name="uq_charge_results_booked_once"),
    )


def _charges() -> None:
    op.create_table(
        "charges",
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("customer_uid", sa.Text(), nullable=True),
        sa.Column("cycle", sa.Integer(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tax_free", sa.BigInteger(), nullable=False),
        sa.Column("vat_amount", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("imp_uid", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state <> 'paid' OR paid_at IS NOT NULL", name=op.f("ck_charges_paid_at")),
        sa.CheckConstraint("(subscription_id IS NULL) = (cycle IS NULL)", name=op.f("ck_charges_cycle")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_charges_amount")),
        sa.PrimaryKeyConstraint("merchant_uid", name=op.f("pk_charges")),
        sa.UniqueConstraint("imp_uid", name=op.f("uq_charges_imp_uid")),
        sa.UniqueConstraint("subscription_id", "cycle", "generation", name="uq_charges_one_per_generation"),
    )
    op.create_index(op.f("ix_charges_customer_uid_due_at"), "charges", ["customer_uid", "due_at"], unique=False)
    op.create_index(op.f("ix_charges_due_at_merchant_uid"), "charges", ["due_at", "merchant_uid"], unique=False)
    op.create_index(op.f("ix_charges_subscription_id_due_at"), "charges", ["subscription_id", "due_at"], unique=False)
    op.create_index(
        "uq_charges_one_paid_per_cycle",
        "charges",
        ["subscription_id", "cycle"],
        unique=True,
        sqlite_where=sa.text("paid_at IS NOT NULL AND state <> 'refunded'"),
        postgresql_where=sa.text("paid_at IS NOT NULL AND state <> 'refunded'"),
    )


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_claimed_at"), "idempotency_keys", ["claimed_at"], unique=False)


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("imp_uid", sa.Text(), nullable=False),
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cancelled_amount", sa.BigInteger(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=True),
        sa.Column("pg_provider", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fail_reason", sa.Text(), nullable=True),
        sa.Column("card_name", sa.Text(), nullable=True),
        sa.Column("card_number", sa.Text(), nullable=True),
        sa.Column("receipt_url", sa.Text(), nullable=True),
        sa.Column("sandbox", sa.Boolean(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "card_number IS NULL OR (card_number LIKE '****-****-****-____')", name=op.f("ck_payments_card_number")
        ),
        sa.PrimaryKeyConstraint("imp_uid", name=op.f("pk_payments")),
    )
    op.create_index(op.f("ix_payments_customer_uid"), "payments", ["customer_uid"], unique=False)
    op.create_index(op.f("ix_payments_merchant_uid"), "payments", ["merchant_uid"], unique=False)


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "version", name=op.f("pk_plans")),
    )


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.Text(), nullable=False),
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("imp_uid", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("cancellation_id", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.PrimaryKeyConstraint("refund_id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("cancellation_id", name=op.f("uq_refunds_cancellation_id")),
    )
    op.create_index(op.f("ix_refunds_imp_uid"), "refunds", ["imp_uid"], unique=False)
    op.create_index(op.f("ix_refunds_merchant_uid"), "refunds", ["merchant_uid"], unique=False)


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=True),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("customer", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("cycle_state", sa.Text(), nullable=False),
        sa.Column("merchant_uid", sa.Text(), nullable=True),
        sa.Column("current_period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_charge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_attempts", sa.Integer(), nullable=False),
        sa.Column("cancel_at_period_end", sa.Boolean(), nullable=False),
        sa.Column("parked_reason", sa.Text(), nullable=True),
        sa.Column("last_failure", sa.Text(), nullable=True),
        sa.Column("pg_provider", sa.Text(), nullable=True),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_subscriptions")),
    )
    op.create_index(
        op.f("ix_subscriptions_customer_uid_started_at"), "subscriptions", ["customer_uid", "started_at"], unique=False
    )
    op.create_index(op.f("ix_subscriptions_next_charge_at"), "subscriptions", ["next_charge_at"], unique=False)
    op.create_index(
        op.f("ix_subscriptions_plan_id_started_at"), "subscriptions", ["plan_id", "started_at"], unique=False
    )
    op.create_index(
        op.f("ix_subscriptions_started_at_subscription_id"),
        "subscriptions",
        ["started_at", "subscription_id"],
        unique=False,
    )
    op.create_index(op.f("ix_subscriptions_status_started_at"), "subscriptions", ["status", "started_at"], unique=False)


def _webhook_inbox() -> None:
    op.create_table(
        "webhook_inbox",
        sa.Column("inbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("imp_uid", sa.Text(), nullable=False),
        sa.Column("merchant_uid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cancellation_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rung_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("inbox_id", name=op.f("pk_webhook_inbox")),
        sa.UniqueConstraint("imp_uid", "merchant_uid", "status", "cancellation_id", name="uq_webhook_inbox_said_once"),
    )
    op.create_index(op.f("ix_webhook_inbox_merchant_uid"), "webhook_inbox", ["merchant_uid"], unique=False)
    op.create_index(
        "ix_webhook_inbox_to_be_rung",
        "webhook_inbox",
        ["inbox_id"],
        unique=False,
        sqlite_where=sa.text("rung_at IS NULL AND disposition IS NULL AND workflow_id IS NOT NULL"),
        postgresql_where=sa.text("rung_at IS NULL AND disposition IS NULL AND workflow_id IS NOT NULL"),
    )
