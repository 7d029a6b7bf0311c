"""The ledger's central write, part by part; every part does nothing the second time."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Table, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.plans import PlanTerms
from billing.domain.records import (
    ChargeIntent,
    ChargeResult,
    RefundRecord,
    RefundState,
    SubscriptionRecord,
    WebhookDisposition,
)
from billing.domain.states import CycleState
from billing.ledger.errors import LedgerConflictError
from billing.ledger.tables import billing_keys, charges, payments, refunds, subscriptions, webhook_inbox

PLAN_TERMS = TypeAdapter(PlanTerms)

Values = Mapping[str, Any]

AFTER_PAID = frozenset({CycleState.PAID, CycleState.REFUNDED, CycleState.MISMATCH})
"""What a paid charge may still become; anything else is an older look arriving late."""


def insert_into(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows `ON CONFLICT`, in the words of the database at hand."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


async def write_subscription(connection: AsyncConnection, record: SubscriptionRecord) -> None:
    """Write the subscription's row unless a higher revision already stands there."""
    values = {
        "subscription_id": record.subscription_id,
        "customer_uid": record.customer_uid,
        "workflow_id": record.workflow_id,
        "status": record.status.value,
        "plan_id": record.plan.plan_id,
        "plan": PLAN_TERMS.dump_python(record.plan, mode="json"),
        "customer": asdict(record.customer),
        "metadata": dict(record.metadata),
        "revision": record.revision,
        "cycle": record.cycle,
        "cycle_state": record.cycle_state.value,
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
    }
    insert = insert_into(connection, subscriptions).values(**values)
    await connection.execute(
        insert.on_conflict_do_update(
            index_elements=["subscription_id"],
            set_={name: insert.excluded[name] for name in values if name != "subscription_id"},
            where=subscriptions.c.revision < insert.excluded.revision,
        )
    )


async def write_intent(connection: AsyncConnection, intent: ChargeIntent) -> None:
    """Open a charge; the same intent again is a no-op.

    Raises:
        LedgerConflictError: the order number already stands for another amount or another workflow.
    """
    values = {
        "merchant_uid": intent.merchant_uid,
        "workflow_id": intent.workflow_id,
        "kind": intent.kind.value,
        "subscription_id": intent.subscription_id,
        "customer_uid": intent.customer_uid,
        "cycle": intent.cycle,
        "generation": intent.generation,
        "amount": intent.amount.amount,
        "currency": intent.amount.currency,
        "name": intent.name,
        "tax_free": intent.tax_free,
        "vat_amount": intent.vat_amount,
        "due_at": intent.due_at,
        "state": CycleState.PLANNED.value,
        "sends": 0,
        "created_at": intent.due_at,
    }
    insert = insert_into(connection, charges).values(**values).on_conflict_do_nothing()
    await connection.execute(insert)
    columns = (charges.c.workflow_id, charges.c.amount, charges.c.currency, charges.c.cycle)
    stored = (await connection.execute(select(*columns).where(charges.c.merchant_uid == intent.merchant_uid))).first()
    expected = (intent.workflow_id, intent.amount.amount, intent.amount.currency, intent.cycle)
    if stored is None or tuple(stored) != expected:
        raise LedgerConflictError(f"order {intent.merchant_uid!r} already stands for something else")


async def write_result(connection: AsyncConnection, result: ChargeResult) -> None:
    """Say where a charge stands; `paid` is left only for `refunded` or `mismatch`.

    Raises:
        LedgerConflictError: the order is not known, another charge of the cycle is paid, or the imp_uid is taken.
    """
    known = (
        await connection.execute(
            select(charges.c.state, charges.c.subscription_id, charges.c.cycle)
            .where(charges.c.merchant_uid == result.merchant_uid)
            .with_for_update()
        )
    ).first()
    if known is None:
        raise LedgerConflictError(f"order {result.merchant_uid!r} was never opened")
    if known.state == CycleState.PAID and result.state not in AFTER_PAID:
        return
    await _refuse_a_taken_imp_uid(connection, result)
    if result.state is CycleState.PAID and known.subscription_id is not None:
        other = select(charges.c.merchant_uid).where(
            charges.c.subscription_id == known.subscription_id,
            charges.c.cycle == known.cycle,
            charges.c.state == CycleState.PAID.value,
            charges.c.merchant_uid != result.merchant_uid,
        )
        if (twin := (await connection.execute(other)).scalar()) is not None:
            raise LedgerConflictError(f"cycle {known.cycle} is already paid by {twin!r}")
    await connection.execute(
        update(charges)
        .where(charges.c.merchant_uid == result.merchant_uid)
        .values(
            state=result.state.value,
            imp_uid=result.imp_uid,
            code=result.code,
            message=result.message,
            settled_at=result.at,
        )
    )


async def _refuse_a_taken_imp_uid(connection: AsyncConnection, result: ChargeResult) -> None:
    if result.imp_uid is None:
        return
    taken = select(charges.c.merchant_uid).where(
        charges.c.imp_uid == result.imp_uid, charges.c.merchant_uid != result.merchant_uid
    )
    if (owner := (await connection.execute(taken)).scalar()) is not None:
        raise LedgerConflictError(f"payment {result.imp_uid!r} already belongs to order {owner!r}")


async def write_payment(connection: AsyncConnection, fact: PaymentFact) -> None:
    """Keep what PortOne said of a payment; a later look replaces an earlier one, `paid_at` is never lost.

    Raises:
        LedgerConflictError: the imp_uid already belongs to another order.
    """
    stored = (
        await connection.execute(select(payments.c.merchant_uid).where(payments.c.imp_uid == fact.imp_uid))
    ).scalar()
    if stored is not None and stored != fact.merchant_uid:
        raise LedgerConflictError(f"payment {fact.imp_uid!r} already belongs to order {stored!r}")
    values = {
        "imp_uid": fact.imp_uid,
        "merchant_uid": fact.merchant_uid,
        "status": fact.status,
        "amount": fact.amount.amount,
        "currency": fact.amount.currency,
        "cancelled_amount": fact.cancelled_amount,
        "customer_uid": fact.customer_uid,
        "pg_provider": fact.pg_provider,
        "paid_at": fact.paid_at,
        "failed_at": fact.failed_at,
        "fail_reason": fact.fail_reason,
        "card_name": fact.card_name,
        "card_number": fact.card_number,
        "receipt_url": fact.receipt_url,
        "sandbox": fact.sandbox,
        "name": fact.name,
    }
    # What a later look may be silent about is kept.
    changes = {name: value for name, value in values.items() if name != "imp_uid" and value is not None}
    await _upsert(connection, payments, ("imp_uid",), values, changes)


async def write_billing_key(connection: AsyncConnection, key: BillingKeyFact) -> None:
    """Keep a billing key, masked; a key that is there is not deleted."""
    values = {**asdict(key), "deleted": False}
    await _upsert(connection, billing_keys, ("customer_uid",), values, values)


async def write_deleted_billing_key(connection: AsyncConnection, customer_uid: str) -> None:
    """Mark a billing key as deleted; its masked card stays readable."""
    values: Values = {"customer_uid": customer_uid, "deleted": True}
    await _upsert(connection, billing_keys, ("customer_uid",), values, {"deleted": True})


async def write_refund(connection: AsyncConnection, refund: RefundRecord) -> None:
    """Open or settle a refund; `refunded` is final."""
    settled = None if refund.state is RefundState.INTENT else refund.at
    values = {
        "refund_id": refund.refund_id,
        "merchant_uid": refund.merchant_uid,
        "imp_uid": refund.imp_uid,
        "amount": refund.amount.amount,
        "currency": refund.amount.currency,
        "state": refund.state.value,
        "reason": refund.reason,
        "cancellation_id": refund.cancellation_id,
        "code": refund.code,
        "message": refund.message,
        "requested_at": refund.at,
        "settled_at": settled,
    }
    changes = {name: values[name] for name in ("state", "cancellation_id", "code", "message", "settled_at")}
    insert = insert_into(connection, refunds).values(**values)
    await connection.execute(
        insert.on_conflict_do_update(
            index_elements=["refund_id"],
            set_=changes,
            where=and_(
                refunds.c.state != RefundState.REFUNDED.value,
                or_(insert.excluded.state != RefundState.INTENT.value, refunds.c.state == RefundState.INTENT.value),
            ),
        )
    )


async def write_disposition(connection: AsyncConnection, webhook: WebhookDisposition) -> None:
    """Close the inbox rows of one reported payment; a row that is closed stays as it was closed."""
    await connection.execute(
        update(webhook_inbox)
        .where(
            webhook_inbox.c.merchant_uid == webhook.merchant_uid,
            webhook_inbox.c.imp_uid == webhook.imp_uid,
            webhook_inbox.c.status == webhook.status,
            webhook_inbox.c.disposition.is_(None),
        )
        .values(disposition=webhook.disposition.value)
    )


async def _upsert(
    connection: AsyncConnection, table: Table, keys: tuple[str, ...], values: Values, changes: Values
) -> None:
    insert = insert_into(connection, table).values(**values)
    await connection.execute(insert.on_conflict_do_update(index_elements=list(keys), set_=dict(changes)))
