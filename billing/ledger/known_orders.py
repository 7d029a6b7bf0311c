"""What is known here of orders and payments that were looked up at PortOne: several in one transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.known_order import AskedOrder, Known, KnownOrder, KnownRefund
from billing.domain.money import Money
from billing.domain.parked import Decision, ParkedKind
from billing.domain.records import ChargeKind
from billing.domain.states import ENDED, CycleState
from billing.ledger.engine import reading
from billing.ledger.tables import charges, decisions, payments, refunds, subscriptions


class KnownOrders:
    """Answers what the ledger has, in the order in which it was asked."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of(self, asked: Sequence[AskedOrder]) -> list[Known]:
        """What is known of each; nothing at all of what is neither an order nor a key of ours."""
        async with reading(self._engine) as connection:
            return [await _known(connection, each) for each in asked]


async def _known(connection: AsyncConnection, asked: AskedOrder) -> Known:
    query = select(charges).where(charges.c.merchant_uid == asked.merchant_uid)
    charge = (await connection.execute(query)).first()
    owner = await _owner(connection, charge, asked.billing_key)
    if charge is None and owner is None:
        return Known()
    living = owner is not None and owner.status not in ENDED and not await _is_superseded(connection, owner)
    order = None if charge is None else await _order(connection, charge, owner if living else None)
    return Known(
        order=order,
        customer_uid=owner.customer_uid if owner is not None else _whose(charge),
        subscription_id=owner.subscription_id if owner is not None else None,
        living=living,
        status=owner.status if owner is not None else None,
        refunds=await _refunds(connection, asked.imp_uid),
        seen=await _seen(connection, asked.imp_uid),
        kept=await _is_kept(connection, asked.imp_uid),
    )


async def _is_superseded(connection: AsyncConnection, owner: Row[Any]) -> bool:
    """Whether a later life has begun under the same customer_uid: one runs at a time, so this one runs no more.

    Its run was terminated, and could not write that it ended.
    """
    query = select(subscriptions.c.subscription_id).where(
        subscriptions.c.customer_uid == owner.customer_uid,
        or_(
            subscriptions.c.started_at > owner.started_at,
            and_(
                subscriptions.c.started_at == owner.started_at,
                subscriptions.c.subscription_id > owner.subscription_id,
            ),
        ),
    )
    return (await connection.execute(query.limit(1))).first() is not None


def _whose(charge: Row[Any] | None) -> str | None:
    """Of a one-time payment: the key that it stored, else its own order number."""
    return None if charge is None else charge.customer_uid or charge.merchant_uid


async def _owner(connection: AsyncConnection, charge: Row[Any] | None, billing_key: str | None) -> Row[Any] | None:
    query = select(subscriptions)
    if charge is not None and charge.subscription_id is not None:
        query = query.where(subscriptions.c.subscription_id == charge.subscription_id)
    elif charge is None and billing_key is not None:
        query = query.where(
            or_(subscriptions.c.customer_uid == billing_key, subscriptions.c.billing_key == billing_key)
        )
    else:
        return None
    newest = query.order_by(subscriptions.c.started_at.desc(), subscriptions.c.subscription_id.desc()).limit(1)
    return (await connection.execute(newest)).first()


async def _order(connection: AsyncConnection, charge: Row[Any], living: Row[Any] | None) -> KnownOrder:
    is_open = (
        living is not None
        and charge.kind is ChargeKind.CYCLE
        and charge.cycle == living.cycle
        and living.next_charge_at is not None
    )
    return KnownOrder(
        merchant_uid=charge.merchant_uid,
        kind=charge.kind,
        amount=Money(charge.amount, charge.currency),
        state=charge.state,
        paid=charge.paid_at is not None,
        imp_uid=charge.imp_uid,
        settled_at=charge.settled_at,
        tax_free=charge.tax_free,
        vat_amount=charge.vat_amount,
        cycle=charge.cycle,
        is_open=is_open,
        period_paid_by=await _paid_by(connection, charge),
    )


async def _paid_by(connection: AsyncConnection, charge: Row[Any]) -> str | None:
    if charge.cycle is None:
        return None
    query = select(charges.c.merchant_uid).where(
        charges.c.subscription_id == charge.subscription_id,
        charges.c.cycle == charge.cycle,
        charges.c.merchant_uid != charge.merchant_uid,
        charges.c.paid_at.is_not(None),
        charges.c.state != CycleState.REFUNDED,
    )
    found: str | None = (await connection.execute(query.limit(1))).scalar()
    return found


async def _refunds(connection: AsyncConnection, imp_uid: str) -> tuple[KnownRefund, ...]:
    if not imp_uid:
        return ()
    query = select(refunds).where(refunds.c.imp_uid == imp_uid).order_by(refunds.c.requested_at, refunds.c.refund_id)
    return tuple(
        KnownRefund(
            refund_id=row.refund_id,
            amount=row.amount,
            state=row.state,
            tax_free=row.tax_free,
            vat_amount=row.vat_amount,
            cancellation_id=row.cancellation_id,
        )
        for row in await connection.execute(query)
    )


async def _seen(connection: AsyncConnection, imp_uid: str) -> tuple[str, int] | None:
    query = select(payments.c.status, payments.c.cancelled_amount).where(payments.c.imp_uid == imp_uid)
    row = (await connection.execute(query)).first()
    return None if row is None else (row.status, row.cancelled_amount)


async def _is_kept(connection: AsyncConnection, imp_uid: str) -> bool:
    query = select(decisions.c.decision_id).where(
        decisions.c.imp_uid == imp_uid,
        decisions.c.kind.in_([ParkedKind.REFUND_REFUSED, ParkedKind.SECOND_PAYMENT]),
        decisions.c.decision == Decision.PAID,
    )
    return (await connection.execute(query.limit(1))).first() is not None
