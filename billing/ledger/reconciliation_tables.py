"""The tables of the reconciliation: its runs, what they found, and PortOne's schedules as they were last seen."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, UniqueConstraint, text

from billing.domain.differences import Difference, DifferenceState, RunState
from billing.ledger.tables import ROW_NUMBER, metadata
from billing.ledger.types import Id, Instant, State, Words

reconciliation_runs = Table(
    "reconciliation_runs",
    metadata,
    Column("run_id", Id, primary_key=True),
    Column("state", State(RunState), nullable=False),
    Column("window_start", Instant, nullable=False),
    Column("window_end", Instant, nullable=False),
    Column("schedules_end", Instant, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("error", Words),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index(None, "started_at", "run_id"),
)

differences = Table(
    "differences",
    metadata,
    Column("difference_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    # Empty rather than NULL, which is equal to nothing: a difference that was found is one row.
    Column("kind", State(Difference), nullable=False),
    Column("merchant_uid", Id, nullable=False),
    Column("imp_uid", Id, nullable=False),
    Column("customer_uid", Id, nullable=False),
    Column("detail", Id, nullable=False),
    Column("portone", Words, nullable=False),
    Column("ledger", Words, nullable=False),
    Column("amount", BigInteger),
    Column("currency", Id),
    Column("subscription_id", Id),
    Column("workflow_id", Id),
    Column("state", State(DifferenceState), nullable=False),
    Column("times_opened", Integer, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("last_run", Id, nullable=False),
    Column("rung_at", Instant),
    Column("resolved_at", Instant),
    Column("accepted_at", Instant),
    Column("accepted_by", Words),
    Column("accepted_why", Words),
    UniqueConstraint("kind", "merchant_uid", "imp_uid", "customer_uid", "detail", name="uq_differences_found_once"),
    Index(None, "merchant_uid"),
)

_OPEN = text("state = 'open'")

Index("ix_differences_open", differences.c.difference_id, sqlite_where=_OPEN, postgresql_where=_OPEN)

portone_schedules = Table(
    "portone_schedules",
    metadata,
    Column("merchant_uid", Id, primary_key=True),
    Column("customer_uid", Id, nullable=False),
    Column("status", Words, nullable=False),
    Column("schedule_at", Instant, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Id, nullable=False),
    Column("payment_status", Words),
    Column("imp_uid", Id),
    Column("last_run", Id, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
