"""The subscription's row: one for each life, replaced only by a higher revision."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.overdue import due_by
from billing.domain.records import ChargeRegistered, SubscriptionRecord
from billing.domain.states import CycleState
from billing.ledger.tables import subscriptions
from billing.ledger.upsert import upsert, written_at

# Put together once: see `upsert`. The row waits for its day from then on, as `overdue.due_by` says of it too.
_REGISTERED = (
    update(subscriptions)
    .where(
        subscriptions.c.subscription_id == bindparam("of"),
        subscriptions.c.merchant_uid == bindparam("order"),
        subscriptions.c.revision == bindparam("before"),
        subscriptions.c.ended_at.is_(None),
        subscriptions.c.next_charge_at.is_not(None),
    )
    .values(cycle_state=CycleState.REGISTERED, waits_until=None, due_by=subscriptions.c.next_charge_at)
    .returning(subscriptions.c.next_charge_at)
)


async def write_subscription(connection: AsyncConnection, record: SubscriptionRecord) -> bool:
    """Write the row unless this revision or a higher one stands there already; whether it was written."""
    values = {
        "subscription_id": record.subscription_id,
        "customer_uid": record.customer_uid,
        "workflow_id": record.workflow_id,
        "status": record.status,
        "plan_id": record.plan.plan_id,
        "plan": record.plan,
        "customer": asdict(record.customer),
        "metadata": dict(record.metadata),
        "revision": record.revision,
        "cycle": record.cycle,
        "cycle_state": record.cycle_state,
        "merchant_uid": record.merchant_uid,
        "current_period_start": record.current_period_start,
        "current_period_end": record.current_period_end,
        "next_charge_at": record.next_charge_at,
        "failed_attempts": record.failed_attempts,
        "cancel_at_period_end": record.cancel_at_period_end,
        "parked_reason": record.parked_reason,
        "last_failure": record.last_failure,
        "pg_provider": record.pg_provider,
        "card": record.card,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "end_reason": record.end_reason,
        "billing_key": record.billing_key,
        "life": record.life,
        "waits_until": record.waits_until,
        "due_by": due_by(record),
    }
    return await upsert(
        connection,
        subscriptions,
        values,
        changes=[name for name in values if name != "subscription_id"],
        only_if=_is_newer,
        compare=False,
    )


async def write_registered(connection: AsyncConnection, registered: ChargeRegistered) -> datetime | None:
    """Show that a charge is registered where the row is the one before; the day on which it is due, None where not."""
    row = {
        "of": registered.subscription_id,
        "order": registered.merchant_uid,
        "before": registered.revision - 1,
        "revision": registered.revision,
        "updated_at": written_at(),
    }
    found: datetime | None = (await connection.execute(_REGISTERED, row)).scalar_one_or_none()
    return found


def _is_newer(fresh: Any) -> ColumnElement[bool]:
    newer: ColumnElement[bool] = subscriptions.c.revision < fresh.revision
    return newer
