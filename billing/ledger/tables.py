"""The ledger's tables: uniqueness stands in the schema, not only in code (design section 2)."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from billing.ledger.types import Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscription_id", String(40), primary_key=True),
    Column("customer_uid", String(80), nullable=False, index=True),
    Column("workflow_id", String(120), nullable=False),
    Column("status", String(24), nullable=False, index=True),
    Column("plan_id", String(80), index=True),
    Column("plan", JSON, nullable=False),
    Column("customer", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("cycle_state", String(24), nullable=False),
    Column("merchant_uid", String(40)),
    Column("current_period_start", Instant),
    Column("current_period_end", Instant),
    Column("next_charge_at", Instant, index=True),
    Column("failed_attempts", Integer, nullable=False),
    Column("cancel_at_period_end", Boolean, nullable=False),
    Column("parked_reason", Text),
    Column("last_failure", Text),
    Column("pg_provider", String(40)),
    Column("card", String(80)),
    Column("started_at", Instant, nullable=False, index=True),
    Column("ended_at", Instant),
    Column("end_reason", Text),
)

charges = Table(
    "charges",
    metadata,
    Column("merchant_uid", String(40), primary_key=True),
    Column("workflow_id", String(120), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subscription_id", String(40), index=True),
    Column("customer_uid", String(80), index=True),
    Column("cycle", Integer),
    Column("generation", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("name", Text, nullable=False),
    Column("tax_free", BigInteger, nullable=False),
    Column("vat_amount", BigInteger),
    Column("due_at", Instant, nullable=False),
    Column("state", String(24), nullable=False, index=True),
    Column("sends", Integer, nullable=False, server_default="0"),
    Column("sent_at", Instant),
    Column("imp_uid", String(40), unique=True),
    Column("code", String(80)),
    Column("message", Text),
    Column("settled_at", Instant),
    Column("created_at", Instant, nullable=False),
)
Index(
    "uq_charges_one_paid_per_cycle",
    charges.c.subscription_id,
    charges.c.cycle,
    unique=True,
    sqlite_where=text("state = 'paid'"),
    postgresql_where=text("state = 'paid'"),
)

payments = Table(
    "payments",
    metadata,
    Column("imp_uid", String(40), primary_key=True),
    Column("merchant_uid", String(40), nullable=False, index=True),
    Column("status", String(24), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("cancelled_amount", BigInteger, nullable=False),
    Column("customer_uid", String(80)),
    Column("pg_provider", String(40)),
    Column("paid_at", Instant),
    Column("failed_at", Instant),
    Column("fail_reason", Text),
    Column("card_name", String(80)),
    Column("card_number", String(40)),
    Column("receipt_url", Text),
    Column("sandbox", Boolean),
    Column("name", Text),
)

refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", String(64), primary_key=True),
    Column("merchant_uid", String(40), nullable=False, index=True),
    Column("imp_uid", String(40), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("state", String(24), nullable=False),
    Column("reason", Text),
    Column("cancellation_id", String(80), unique=True),
    Column("code", String(80)),
    Column("message", Text),
    Column("requested_at", Instant, nullable=False),
    Column("settled_at", Instant),
)

billing_keys = Table(
    "billing_keys",
    metadata,
    Column("customer_uid", String(80), primary_key=True),
    Column("pg_provider", String(40)),
    Column("pg_id", String(80)),
    Column("card_name", String(80)),
    Column("card_number", String(40)),
    Column("card_type", Integer),
    Column("customer_id", String(80)),
    Column("inserted_at", Instant),
    Column("updated_at", Instant),
    Column("sandbox", Boolean),
    Column("deleted", Boolean, nullable=False),
)

webhook_inbox = Table(
    "webhook_inbox",
    metadata,
    Column("inbox_id", Integer, primary_key=True, autoincrement=True),
    Column("imp_uid", String(40), nullable=False),
    Column("merchant_uid", String(40), nullable=False, index=True),
    Column("status", String(24), nullable=False),
    Column("cancellation_id", String(80), nullable=False),
    Column("route", String(24), nullable=False),
    Column("workflow_id", String(120)),
    Column("count", Integer, nullable=False),
    Column("disposition", String(24)),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("rung_at", Instant, index=True),
    UniqueConstraint("imp_uid", "merchant_uid", "status", "cancellation_id", name="uq_webhook_inbox_said_once"),
)

plans = Table(
    "plans",
    metadata,
    Column("plan_id", String(80), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("terms", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", String(120), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("resource", String(120), nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("created_at", Instant, nullable=False),
)

card_vault = Table(
    "card_vault",
    metadata,
    Column("handle", String(64), primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)
