"""Refunds: the intent before the call, and what it came to."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.records import RefundRecord, RefundState
from billing.ledger.errors import LedgerConflictError
from billing.ledger.tables import refunds
from billing.ledger.upsert import insert_once, written_at


async def write_refund(connection: AsyncConnection, refund: RefundRecord) -> None:
    """Open or settle a refund; `refunded` is final, and an older word never replaces a newer one.

    Raises:
        LedgerConflictError: the refund_id stands for another payment or amount, or the cancellation_id is that of
            another refund.
    """
    meaning = {
        "merchant_uid": refund.merchant_uid,
        "imp_uid": refund.imp_uid,
        "amount": refund.amount.amount,
        "currency": refund.amount.currency,
    }
    progress = {
        "state": refund.state,
        "cancellation_id": refund.cancellation_id,
        "code": refund.code,
        "message": refund.message,
        "state_at": refund.at,
    }
    await _refuse_a_taken_cancellation(connection, refund)
    now = written_at()
    opened = await insert_once(
        connection,
        refunds,
        {
            **meaning,
            **progress,
            "refund_id": refund.refund_id,
            "reason": refund.reason,
            "tax_free": refund.tax_free,
            "vat_amount": refund.vat_amount,
            "sends": 0,
            "requested_at": refund.at,
            "created_at": now,
            "updated_at": now,
        },
    )
    if opened:
        return
    query = select(refunds).where(refunds.c.refund_id == refund.refund_id).with_for_update()
    stored = (await connection.execute(query)).one()
    other = [name for name, value in meaning.items() if stored._mapping[name] != value]  # noqa: SLF001 - SQLAlchemy's documented name
    if other:
        raise LedgerConflictError(f"refund {refund.refund_id!r} already stands for another {', '.join(other)}")
    if _moves(RefundState(stored.state), refund, older=refund.at < stored.state_at):
        if refund.cancellation_id is None:
            progress["cancellation_id"] = stored.cancellation_id
        if all(stored._mapping[name] == value for name, value in progress.items()):  # noqa: SLF001 - SQLAlchemy's documented name
            return
        await connection.execute(
            update(refunds).where(refunds.c.refund_id == refund.refund_id).values(**progress, updated_at=written_at())
        )


def _moves(stored: RefundState, refund: RefundRecord, *, older: bool) -> bool:
    if stored is RefundState.REFUNDED or refund.state is RefundState.INTENT:
        return False
    return refund.state is RefundState.REFUNDED or stored is RefundState.INTENT or not older


async def _refuse_a_taken_cancellation(connection: AsyncConnection, refund: RefundRecord) -> None:
    if refund.cancellation_id is None:
        return
    query = select(refunds.c.refund_id).where(
        refunds.c.cancellation_id == refund.cancellation_id, refunds.c.refund_id != refund.refund_id
    )
    if (owner := (await connection.execute(query)).scalar()) is not None:
        raise LedgerConflictError(f"cancellation {refund.cancellation_id!r} already belongs to refund {owner!r}")
