"""What PortOne said of each payment: one row for each imp_uid, which only moves the way PortOne's own does."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.facts import PaymentFact, mask_to_last_four
from billing.ledger.errors import LedgerConflictError
from billing.ledger.tables import charges, payments
from billing.ledger.upsert import Values, upsert
from billing.ledger.writes.charges import MONEY_MOVED

_STORED = (
    select(payments.c.merchant_uid, payments.c.status, payments.c.cancelled_amount)
    .where(payments.c.imp_uid == bindparam("of"))
    .with_for_update()
)
_PAID_ORDER = select(charges.c.merchant_uid).where(
    charges.c.imp_uid == bindparam("of"), charges.c.state.in_(sorted(MONEY_MOVED))
)

_ORDER = {"ready": 0, "failed": 1, "paid": 2, "cancelled": 3}


async def write_payment(connection: AsyncConnection, fact: PaymentFact) -> None:
    """Keep what a look-up said; what it is silent about (`paid_at`, the receipt) stays as it was known.

    A look that was taken before the stored one and arrives after it changes nothing: PortOne's payments go from ready
    to failed, paid and cancelled and never back, and their `cancelled_amount` only grows (facts.md 2.8).

    Raises:
        LedgerConflictError: the imp_uid already belongs to another order.
    """
    stored = (await connection.execute(_STORED, {"of": fact.imp_uid})).first()
    owner = await _paid_order(connection, fact.imp_uid) if stored is None else stored.merchant_uid
    if owner is not None and owner != fact.merchant_uid:
        raise LedgerConflictError(
            f"payment {fact.imp_uid!r} belongs to order {owner!r}, it cannot be that of {fact.merchant_uid!r}"
        )
    if stored is not None and _is_older(fact, stored.status, stored.cancelled_amount):
        return
    values = _values(fact)
    said = [name for name, value in values.items() if value is not None and name not in ("imp_uid", "merchant_uid")]
    # Nobody but a racing writer can have put another order here since the look above; then the row is not ours.
    written = await upsert(connection, payments, values, changes=said, only_if=_is_of_the_same_order)
    if not written and stored is None:
        await write_payment(connection, fact)


def _values(fact: PaymentFact) -> Values:
    return {
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
        "card_number": mask_to_last_four(fact.card_number),
        "receipt_url": fact.receipt_url,
        "sandbox": fact.sandbox,
        "name": fact.name,
    }


async def _paid_order(connection: AsyncConnection, imp_uid: str) -> str | None:
    owner: str | None = (await connection.execute(_PAID_ORDER, {"of": imp_uid})).scalar()
    return owner


def _is_older(fact: PaymentFact, status: str, cancelled_amount: int) -> bool:
    if fact.cancelled_amount < cancelled_amount:
        return True
    # A status that is not known here is PortOne's news: it replaces and is replaced.
    return _ORDER.get(fact.status, 9) < _ORDER.get(status, 0)


def _is_of_the_same_order(fresh: Any) -> ColumnElement[bool]:
    same: ColumnElement[bool] = payments.c.merchant_uid == fresh.merchant_uid
    return same
