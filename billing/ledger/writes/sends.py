"""Whether a request may leave: one caller, once, ever, for each number (reliability.md 3.0, step T2)."""

from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.records import RefundState
from billing.domain.states import CycleState
from billing.ledger.errors import LedgerConflictError
from billing.ledger.tables import charges, refunds
from billing.ledger.upsert import written_at
from billing.ledger.writes.charges import MONEY_MOVED


async def mark_charge_sent(connection: AsyncConnection, merchant_uid: str, send_no: int, at: datetime) -> bool:
    """Whether the caller may send this charge for the `send_no`-th time.

    Each number leaves at most once, and none after a later one; a later one may leave though an earlier one never did.
    Never when the order was ever paid or something was paid that was not ordered so, nor when another order number
    of its cycle is paid.

    Raises:
        LedgerConflictError: the order was never opened; nothing may be sent without an intent.
    """
    twin = charges.alias()
    cycle_is_paid = exists().where(
        twin.c.subscription_id == charges.c.subscription_id,
        twin.c.cycle == charges.c.cycle,
        twin.c.merchant_uid != charges.c.merchant_uid,
        twin.c.paid_at.is_not(None),
        twin.c.state != CycleState.REFUNDED,
    )
    marked = await connection.execute(
        update(charges)
        .where(
            charges.c.merchant_uid == merchant_uid,
            charges.c.sends < send_no,
            charges.c.paid_at.is_(None),
            charges.c.state.not_in(MONEY_MOVED | {CycleState.MISMATCH}),
            ~cycle_is_paid,
        )
        .values(sends=send_no, sent_at=at, updated_at=written_at())
        .returning(charges.c.merchant_uid)
    )
    if marked.first() is not None:
        return True
    known = select(charges.c.merchant_uid).where(charges.c.merchant_uid == merchant_uid)
    if (await connection.execute(known)).first() is None:
        raise LedgerConflictError(f"order {merchant_uid!r} was never opened")
    return False


async def mark_refund_sent(connection: AsyncConnection, refund_id: str, send_no: int, at: datetime) -> bool:
    """Whether the caller may send this refund for the `send_no`-th time; never when it was refunded.

    Raises:
        LedgerConflictError: the refund was never opened.
    """
    marked = await connection.execute(
        update(refunds)
        .where(
            refunds.c.refund_id == refund_id,
            refunds.c.sends == send_no - 1,
            refunds.c.state != RefundState.REFUNDED,
        )
        .values(sends=send_no, sent_at=at, updated_at=written_at())
        .returning(refunds.c.refund_id)
    )
    if marked.first() is not None:
        return True
    known = select(refunds.c.refund_id).where(refunds.c.refund_id == refund_id)
    if (await connection.execute(known)).first() is None:
        raise LedgerConflictError(f"refund {refund_id!r} was never opened")
    return False
