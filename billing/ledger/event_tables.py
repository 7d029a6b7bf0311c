"""The tables of the outgoing events: an outbox, where it goes, and how far it came at each place."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, Table, UniqueConstraint, text

from billing.domain.delivery import DeliveryState
from billing.ledger.tables import metadata
from billing.ledger.types import Id, Instant, State, Words

# One row for each order of events, locked by whoever adds to it until the commit: numbers are committed in order.
event_streams = Table(
    "event_streams",
    metadata,
    Column("customer_uid", Id, primary_key=True),
    Column("last_sequence", Integer, nullable=False),
)

events = Table(
    "events",
    metadata,
    # SQLite counts by itself only in a column of exactly INTEGER.
    Column("event_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("event_id", Id, nullable=False, unique=True),
    Column("type", Id, nullable=False),
    Column("customer_uid", Id, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("subscription_id", Id),
    Column("merchant_uid", Id),
    Column("at", Instant, nullable=False),
    Column("summary", Words, nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("customer_uid", "sequence", name="uq_events_one_order"),
    Index(None, "customer_uid", "at"),
    Index(None, "type", "event_no"),
)

event_endpoints = Table(
    "event_endpoints",
    metadata,
    Column("endpoint_id", Id, primary_key=True),
    Column("url", Words, nullable=False),
    Column("description", Words),
    # NULL takes every type.
    Column("event_types", JSON(none_as_null=True)),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Words),
    Column("failing_since", Instant),
    Column("failed_at", Instant),
    # Sealed, see event_secrets.py; NULL once the endpoint is deleted.
    Column("secret", Id),
    Column("previous_secret", Id),
    Column("previous_secret_until", Instant),
    Column("deleted_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

_LIVING = text("deleted_at IS NULL")

Index(
    "uq_event_endpoints_one_per_url",
    event_endpoints.c.url,
    unique=True,
    sqlite_where=_LIVING,
    postgresql_where=_LIVING,
)

event_deliveries = Table(
    "event_deliveries",
    metadata,
    Column("endpoint_id", Id, primary_key=True),
    Column("event_no", BigInteger, primary_key=True, autoincrement=False),
    # Copied from the event, which never changes: the next one of an order is found without a join.
    Column("event_id", Id, nullable=False, index=True),
    Column("customer_uid", Id, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("state", State(DeliveryState), nullable=False),
    Column("attempts", Integer, nullable=False),
    # NULL is at once: the clock of a test may stand elsewhere than that of the workflow that will ask.
    Column("due_at", Instant),
    Column("attempted_at", Instant),
    Column("last_status", Integer),
    Column("last_error", Words),
    Column("response", Words),
    Column("replays", Integer, nullable=False),
    Column("rung_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "state", "event_no"),
)

_PENDING = text("state = 'pending'")

Index(
    "ix_event_deliveries_pending",
    event_deliveries.c.endpoint_id,
    event_deliveries.c.customer_uid,
    event_deliveries.c.sequence,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)
