"""Outgoing events: an outbox, where it goes, and how far each event came at each place."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _event_deliveries()
    _event_endpoints()
    _event_streams()
    _events()


def downgrade() -> None:
    op.drop_table("events")
    op.drop_table("event_streams")
    op.drop_table("event_endpoints")
    op.drop_table("event_deliveries")


def _event_deliveries() -> None:
    op.create_table(
        "event_deliveries",
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("event_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("replays", sa.Integer(), nullable=False),
        sa.Column("rung_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "event_no", name=op.f("pk_event_deliveries")),
    )
    op.create_index(op.f("ix_event_deliveries_event_id"), "event_deliveries", ["event_id"], unique=False)
    op.create_index(
        "ix_event_deliveries_pending",
        "event_deliveries",
        ["endpoint_id", "customer_uid", "sequence"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(op.f("ix_event_deliveries_state_event_no"), "event_deliveries", ["state", "event_no"], unique=False)


def _event_endpoints() -> None:
    op.create_table(
        "event_endpoints",
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("event_types", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("previous_secret", sa.Text(), nullable=True),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_event_endpoints")),
    )
    op.create_index(
        "uq_event_endpoints_one_per_url",
        "event_endpoints",
        ["url"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _event_streams() -> None:
    op.create_table(
        "event_streams",
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("last_sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("customer_uid", name=op.f("pk_event_streams")),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("event_no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("customer_uid", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("merchant_uid", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_no", name=op.f("pk_events")),
        sa.UniqueConstraint("customer_uid", "sequence", name="uq_events_one_order"),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
    )
    op.create_index(op.f("ix_events_customer_uid_at"), "events", ["customer_uid", "at"], unique=False)
    op.create_index(op.f("ix_events_type_event_no"), "events", ["type", "event_no"], unique=False)
