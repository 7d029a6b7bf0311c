"""The ledger's tables: uniqueness stands in the schema, not only in code (design section 2).

`created_at` and `updated_at` say when a row was written, by the clock of whoever wrote it.
Every other instant is one that the caller gave: PortOne's, or the workflow's.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from billing.domain.parked import Decision, ParkedKind
from billing.domain.records import ChargeKind, Disposition, RefundState
from billing.domain.states import ConsentState, CycleState, SubscriptionStatus
from billing.ledger.types import Id, Instant, Life, State, Terms, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts by itself only in a column of exactly this type.
ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

# Of a card number nothing but the last four digits is kept (reliability.md 6.1).
_MASKED = "card_number IS NULL OR (card_number LIKE '****-****-****-____')"


def _written() -> tuple[Column[object], Column[object]]:
    return Column("created_at", Instant, nullable=False), Column("updated_at", Instant, nullable=False)


subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscription_id", Id, primary_key=True),
    Column("customer_uid", Id, nullable=False),
    Column("workflow_id", Id, nullable=False),
    Column("status", State(SubscriptionStatus), nullable=False),
    Column("plan_id", Id),
    Column("plan", Terms, nullable=False),
    Column("customer", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("cycle_state", State(CycleState), nullable=False),
    Column("merchant_uid", Id),
    Column("current_period_start", Instant),
    Column("current_period_end", Instant),
    Column("next_charge_at", Instant, index=True),
    Column("failed_attempts", Integer, nullable=False),
    Column("cancel_at_period_end", Boolean, nullable=False),
    Column("parked_reason", Words),
    Column("last_failure", Words),
    Column("pg_provider", Words),
    Column("card", Words),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("end_reason", Words),
    Column("billing_key", Id),
    Column("life", Life),
    Column("waits_until", Instant),
    # `overdue.due_by` of the row, so that what is overdue is found by an index.
    Column("due_by", Instant),
    *_written(),
    Index(None, "billing_key"),
    Index(None, "parked_reason"),
    Index(None, "customer_uid", "started_at"),
    Index(None, "started_at", "subscription_id"),
    Index(None, "status", "started_at"),
    Index(None, "plan_id", "started_at"),
)

_MUST_MOVE = text("due_by IS NOT NULL")

Index(
    "ix_subscriptions_due_by",
    subscriptions.c.due_by,
    subscriptions.c.subscription_id,
    sqlite_where=_MUST_MOVE,
    postgresql_where=_MUST_MOVE,
)

charges = Table(
    "charges",
    metadata,
    Column("merchant_uid", Id, primary_key=True),
    Column("workflow_id", Id, nullable=False),
    Column("kind", State(ChargeKind), nullable=False),
    Column("subscription_id", Id),
    Column("customer_uid", Id),
    Column("cycle", Integer),
    Column("generation", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Id, nullable=False),
    Column("name", Words, nullable=False),
    Column("tax_free", BigInteger, nullable=False),
    Column("vat_amount", BigInteger),
    Column("due_at", Instant, nullable=False),
    Column("state", State(CycleState), nullable=False),
    Column("sends", Integer, nullable=False),
    Column("sent_at", Instant),
    Column("imp_uid", Id, unique=True),
    Column("code", Words),
    Column("message", Words),
    Column("paid_at", Instant),
    Column("settled_at", Instant),
    *_written(),
    UniqueConstraint("subscription_id", "cycle", "generation", name="uq_charges_one_per_generation"),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint("(subscription_id IS NULL) = (cycle IS NULL) OR kind = 'change'", name="cycle"),
    CheckConstraint("state <> 'paid' OR paid_at IS NOT NULL", name="paid_at"),
    Index(None, "customer_uid", "due_at"),
    Index(None, "subscription_id", "due_at"),
    Index(None, "workflow_id", "due_at"),
    Index(None, "due_at", "merchant_uid"),
    Index(None, "settled_at", "merchant_uid"),
)

_HOLDS_ITS_CYCLE = text("paid_at IS NOT NULL AND state <> 'refunded'")

# `paid_at` stays when a paid charge turns out to be in doubt (`mismatch`): until it is refunded or proven unpaid,
# no other charge of the cycle can be booked as paid.
Index(
    "uq_charges_one_paid_per_cycle",
    charges.c.subscription_id,
    charges.c.cycle,
    unique=True,
    sqlite_where=_HOLDS_ITS_CYCLE,
    postgresql_where=_HOLDS_ITS_CYCLE,
)

charge_results = Table(
    "charge_results",
    metadata,
    Column("result_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("merchant_uid", Id, nullable=False),
    Column("state", State(CycleState), nullable=False),
    Column("at", Instant, nullable=False),
    # Empty rather than NULL, which is equal to nothing: a result that was booked is booked once.
    Column("imp_uid", Id, nullable=False),
    Column("code", Words),
    Column("message", Words),
    UniqueConstraint("merchant_uid", "state", "at", "imp_uid", name="uq_charge_results_booked_once"),
)

consents = Table(
    "consents",
    metadata,
    Column("consent_no", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("consent_id", Id, nullable=False),
    Column("subscription_id", Id, nullable=False),
    Column("customer_uid", Id, nullable=False),
    Column("state", State(ConsentState), nullable=False),
    Column("need", JSON, nullable=False),
    Column("evidence", JSON),
    Column("at", Instant, nullable=False),
    UniqueConstraint("consent_id", "state", "at", name="uq_consents_kept_once"),
    Index(None, "customer_uid", "at"),
)

parked = Table(
    "parked",
    metadata,
    Column("parked_id", Id, primary_key=True),
    Column("kind", State(ParkedKind), nullable=False),
    Column("workflow_id", Id, nullable=False),
    Column("customer_uid", Id, nullable=False),
    Column("subscription_id", Id),
    Column("reason", Words, nullable=False),
    Column("known", JSON, nullable=False),
    Column("merchant_uid", Id, nullable=False),
    Column("imp_uid", Id),
    Column("parked_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("revision", Integer, nullable=False),
    *_written(),
    Index(None, "customer_uid", "parked_at"),
)

_STANDS = text("closed_at IS NULL")

Index(
    "ix_parked_standing",
    parked.c.parked_at,
    parked.c.parked_id,
    sqlite_where=_STANDS,
    postgresql_where=_STANDS,
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", Id, primary_key=True),
    Column("parked_id", Id, nullable=False, index=True),
    Column("kind", State(ParkedKind), nullable=False),
    Column("workflow_id", Id, nullable=False),
    Column("customer_uid", Id, nullable=False),
    Column("subscription_id", Id),
    Column("merchant_uid", Id, nullable=False),
    Column("imp_uid", Id, index=True),
    Column("parked_reason", Words, nullable=False),
    Column("decision", State(Decision), nullable=False),
    Column("by", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "customer_uid", "at"),
)

payments = Table(
    "payments",
    metadata,
    Column("imp_uid", Id, primary_key=True),
    Column("merchant_uid", Id, nullable=False, index=True),
    Column("status", Words, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Id, nullable=False),
    Column("cancelled_amount", BigInteger, nullable=False),
    Column("customer_uid", Id, index=True),
    Column("pg_provider", Words),
    Column("paid_at", Instant),
    Column("failed_at", Instant),
    Column("fail_reason", Words),
    Column("card_name", Words),
    Column("card_number", Words),
    Column("receipt_url", Words),
    Column("sandbox", Boolean),
    Column("name", Words),
    *_written(),
    CheckConstraint(_MASKED, name="card_number"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", Id, primary_key=True),
    Column("merchant_uid", Id, nullable=False, index=True),
    Column("imp_uid", Id, nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Id, nullable=False),
    Column("state", State(RefundState), nullable=False),
    Column("reason", Words),
    Column("cancellation_id", Id, unique=True),
    Column("code", Words),
    Column("message", Words),
    Column("sends", Integer, nullable=False),
    Column("sent_at", Instant),
    Column("requested_at", Instant, nullable=False),
    Column("state_at", Instant, nullable=False),
    Column("tax_free", BigInteger, nullable=False, server_default="0"),
    Column("vat_amount", BigInteger),
    *_written(),
    # PortOne reads 0 as everything (facts.md 2.8).
    CheckConstraint("amount > 0", name="amount"),
)

billing_keys = Table(
    "billing_keys",
    metadata,
    Column("customer_uid", Id, primary_key=True),
    Column("pg_provider", Words),
    Column("pg_id", Words),
    Column("card_name", Words),
    Column("card_number", Words),
    Column("card_type", Integer),
    Column("customer_id", Words),
    Column("issued_at", Instant),
    Column("changed_at", Instant),
    Column("sandbox", Boolean),
    Column("deleted", Boolean, nullable=False),
    *_written(),
    CheckConstraint(_MASKED, name="card_number"),
)

webhook_inbox = Table(
    "webhook_inbox",
    metadata,
    Column("inbox_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("imp_uid", Id, nullable=False),
    Column("merchant_uid", Id, nullable=False, index=True),
    Column("status", Id, nullable=False),
    Column("cancellation_id", Id, nullable=False),
    Column("route", Id, nullable=False),
    Column("workflow_id", Id),
    Column("count", Integer, nullable=False),
    Column("disposition", State(Disposition)),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("rung_at", Instant),
    UniqueConstraint("imp_uid", "merchant_uid", "status", "cancellation_id", name="uq_webhook_inbox_said_once"),
)

_TO_BE_RUNG = text("rung_at IS NULL AND disposition IS NULL AND workflow_id IS NOT NULL")

Index(
    "ix_webhook_inbox_to_be_rung",
    webhook_inbox.c.inbox_id,
    sqlite_where=_TO_BE_RUNG,
    postgresql_where=_TO_BE_RUNG,
)

plans = Table(
    "plans",
    metadata,
    Column("plan_id", Id, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("terms", Terms, nullable=False),
    Column("created_at", Instant, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Id, primary_key=True),
    Column("key", Id, primary_key=True),
    Column("fingerprint", Id, nullable=False),
    Column("resource", Id, nullable=False),
    Column("status", Integer),
    Column("body", Words),
    Column("claimed_at", Instant, nullable=False, index=True),
    Column("finished_at", Instant),
)

card_vault = Table(
    "card_vault",
    metadata,
    Column("handle", Id, primary_key=True),
    Column("key_id", Id, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

health_checks = Table(
    "health_checks",
    metadata,
    Column("name", Id, primary_key=True),
    Column("checks", BigInteger, nullable=False),
    Column("checked_at", Instant, nullable=False),
)
