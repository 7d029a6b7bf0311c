"""Until when a subscription's run is waited for, and an index that finds what is overdue."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEX = "ix_subscriptions_due_by"
_ENDED = "('canceled', 'expired', 'incomplete_expired')"


def upgrade() -> None:
    with op.batch_alter_table("subscriptions") as table:
        table.add_column(sa.Column("waits_until", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("due_by", sa.DateTime(timezone=True), nullable=True))
    # What a row that nobody writes any more can say; every other one says more with its next write.
    op.execute(
        f"UPDATE subscriptions SET due_by = next_charge_at WHERE ended_at IS NULL AND status NOT IN {_ENDED}"  # noqa: S608 - names of our own
    )
    must_move = sa.text("due_by IS NOT NULL")
    op.create_index(
        _INDEX, "subscriptions", ["due_by", "subscription_id"], sqlite_where=must_move, postgresql_where=must_move
    )


def downgrade() -> None:
    op.drop_index(_INDEX, "subscriptions")
    with op.batch_alter_table("subscriptions") as table:
        table.drop_column("due_by")
        table.drop_column("waits_until")
