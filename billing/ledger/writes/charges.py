"""Charges: the intent before the call, and what was found out afterwards (reliability.md 3.0)."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.records import ChargeIntent, ChargeResult, SubscriptionRecord
from billing.domain.states import CycleState
from billing.ledger.errors import LedgerConflictError
from billing.ledger.tables import charge_results, charges, payments
from billing.ledger.upsert import insert_once, written_at

AFTER_PAID = frozenset({CycleState.PAID, CycleState.MISMATCH, CycleState.REFUNDED})
"""What a paid charge may still be; anything else is an older look arriving late."""

MONEY_MOVED = frozenset({CycleState.PAID, CycleState.LATE_PAID, CycleState.REOPENED, CycleState.REFUNDED})
"""The states of a charge that was paid at some time, so that its order number must never be sent again."""

# Put together once: see `upsert`.
_STORED = select(charges).where(charges.c.merchant_uid == bindparam("of")).with_for_update()
_BOOK = update(charges).where(charges.c.merchant_uid == bindparam("of"))
_MOVE = update(charges).where(
    charges.c.merchant_uid == bindparam("of"),
    charges.c.due_at != bindparam("day"),
    charges.c.state.not_in(sorted(MONEY_MOVED)),
)
_PAID_TWIN = select(charges.c.merchant_uid).where(
    charges.c.subscription_id == bindparam("life"),
    charges.c.cycle == bindparam("period"),
    charges.c.merchant_uid != bindparam("but"),
    charges.c.paid_at.is_not(None),
    charges.c.state != CycleState.REFUNDED,
)
_OTHER_OWNER = union_all(
    *(
        select(table.c.merchant_uid).where(
            table.c.imp_uid == bindparam("payment"), table.c.merchant_uid != bindparam("but")
        )
        for table in (charges, payments)
    )
)


async def open_charge(connection: AsyncConnection, intent: ChargeIntent) -> None:
    """Open a charge; the same intent again is a no-op, but that an order not charged yet moves to its new day.

    Raises:
        LedgerConflictError: the order number stands for another amount, cycle or workflow, or the cycle's generation
            has another order number.
    """
    meaning = {
        "workflow_id": intent.workflow_id,
        "kind": intent.kind,
        "subscription_id": intent.subscription_id,
        "customer_uid": intent.customer_uid,
        "cycle": intent.cycle,
        "generation": intent.generation,
        "amount": intent.amount.amount,
        "currency": intent.amount.currency,
        "tax_free": intent.tax_free,
        "vat_amount": intent.vat_amount,
    }
    now = written_at()
    opened = await insert_once(
        connection,
        charges,
        {
            **meaning,
            "merchant_uid": intent.merchant_uid,
            "name": intent.name,
            "due_at": intent.due_at,
            "state": CycleState.PLANNED,
            "sends": 0,
            "created_at": now,
            "updated_at": now,
        },
    )
    if opened:
        return
    stored = await _stored(connection, intent.merchant_uid)
    if stored is None:
        raise LedgerConflictError(
            f"cycle {intent.cycle} of {intent.subscription_id!r} has another order number than {intent.merchant_uid!r}"
        )
    other = [name for name, value in meaning.items() if stored._mapping[name] != value]  # noqa: SLF001 - SQLAlchemy's documented name
    if other:
        raise LedgerConflictError(f"order {intent.merchant_uid!r} already stands for another {', '.join(other)}")
    if stored.state is CycleState.PLANNED and stored.due_at != intent.due_at:
        moved = {"of": intent.merchant_uid, "due_at": intent.due_at, "updated_at": now}
        await connection.execute(_BOOK, moved)


async def book_result(connection: AsyncConnection, result: ChargeResult) -> None:
    """Book what was found out; a result that was booked before, or is older than the last one, changes nothing.

    Paid is left only for refunded, or for mismatch when a later look puts it in doubt; refunded is the end.

    Raises:
        LedgerConflictError: the order was never opened, another charge of the cycle is paid, the imp_uid belongs to
            another order, or the order is paid by another imp_uid.
    """
    charge = await _stored(connection, result.merchant_uid)
    if charge is None:
        raise LedgerConflictError(f"order {result.merchant_uid!r} was never opened")
    _refuse_another_payment(charge, result)
    owner = await _other_owner(connection, result)
    if owner is not None and result.state is not CycleState.MISMATCH:
        raise LedgerConflictError(f"payment {result.imp_uid!r} already belongs to order {owner!r}")
    if not await _note(connection, result) or not _moves(charge, result):
        return
    if result.state is CycleState.PAID:
        await _refuse_a_second_paid(connection, charge)
    booked = {
        "of": result.merchant_uid,
        "state": result.state,
        "imp_uid": _imp_uid(charge, result, owner),
        "code": result.code,
        "message": result.message,
        "paid_at": _paid_at(charge, result),
        "settled_at": result.at,
        "due_at": result.due_at or charge.due_at,
        "updated_at": written_at(),
    }
    await connection.execute(_BOOK, booked)


async def follow_schedule(connection: AsyncConnection, record: SubscriptionRecord) -> None:
    """Keep the day of a charge that stands at PortOne as PortOne has it: it moves with another card, a retry, a pause.

    A charge that was paid keeps its day.
    """
    if record.cycle_state is CycleState.REGISTERED and record.merchant_uid and record.next_charge_at is not None:
        await move_charge(connection, record.merchant_uid, record.next_charge_at)


async def move_charge(connection: AsyncConnection, merchant_uid: str, due_at: datetime) -> None:
    """Let a charge that is not paid be due on another day."""
    moved = {"of": merchant_uid, "day": due_at, "due_at": due_at, "updated_at": written_at()}
    await connection.execute(_MOVE, moved)


async def _stored(connection: AsyncConnection, merchant_uid: str) -> Row[Any] | None:
    return (await connection.execute(_STORED, {"of": merchant_uid})).first()


async def _note(connection: AsyncConnection, result: ChargeResult) -> bool:
    values = {
        "merchant_uid": result.merchant_uid,
        "state": result.state,
        "at": result.at,
        "imp_uid": result.imp_uid or "",
        "code": result.code,
        "message": result.message,
    }
    return await insert_once(connection, charge_results, values)


def _moves(charge: Row[Any], result: ChargeResult) -> bool:
    if charge.state is CycleState.REFUNDED or (charge.state is CycleState.PAID and result.state not in AFTER_PAID):
        return False
    if result.state is CycleState.REFUNDED:
        # The end, whatever was thought in the meantime: but a second payment that went back leaves the first one.
        return charge.imp_uid is None or result.imp_uid in (None, charge.imp_uid)
    if charge.state is CycleState.PAID and result.state is CycleState.PAID:
        return charge.imp_uid is None and result.imp_uid is not None
    if result.state is CycleState.PAID and charge.paid_at is None and charge.state is not CycleState.MISMATCH:
        # Money that moved is booked whatever was thought in the meantime.
        return True
    return charge.settled_at is None or result.at >= charge.settled_at


def _imp_uid(charge: Row[Any], result: ChargeResult, owner: str | None) -> str | None:
    kept: str | None = charge.imp_uid
    # A mismatch only reports somebody else's payment, it must not take it away from its order;
    # and whatever is said of a paid charge later, the payment that paid it stays.
    paid = kept is not None and charge.paid_at is not None
    return kept if result.imp_uid is None or owner is not None or paid else result.imp_uid


def _paid_at(charge: Row[Any], result: ChargeResult) -> Any:
    if result.state is CycleState.PAID:
        return charge.paid_at or result.at
    return charge.paid_at if result.state in AFTER_PAID else None


def _refuse_another_payment(charge: Row[Any], result: ChargeResult) -> None:
    both_paid = charge.state is CycleState.PAID and result.state is CycleState.PAID
    if both_paid and None not in (charge.imp_uid, result.imp_uid) and charge.imp_uid != result.imp_uid:
        raise LedgerConflictError(
            f"order {charge.merchant_uid!r} is paid by {charge.imp_uid!r}, it cannot be paid by {result.imp_uid!r}"
        )


async def _refuse_a_second_paid(connection: AsyncConnection, charge: Row[Any]) -> None:
    if charge.cycle is None:
        return
    period = {"life": charge.subscription_id, "period": charge.cycle, "but": charge.merchant_uid}
    if (twin := (await connection.execute(_PAID_TWIN, period)).scalar()) is not None:
        raise LedgerConflictError(
            f"cycle {charge.cycle} of {charge.subscription_id!r} is already paid by {twin!r}, "
            f"{charge.merchant_uid!r} cannot be paid too"
        )


async def _other_owner(connection: AsyncConnection, result: ChargeResult) -> str | None:
    if result.imp_uid is None:
        return None
    payment = {"payment": result.imp_uid, "but": result.merchant_uid}
    owner: str | None = (await connection.execute(_OTHER_OWNER, payment)).scalar()
    return owner
