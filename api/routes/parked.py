"""/v1/parked: what a person must decide, in one list; and the decisions."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from api.attempt import Attempt
from api.command_models import DecisionBody
from api.commanding import find_subscription, names_of, new_order_id, place, send_update
from api.dependencies import Desk, DeskDep, caller_of
from api.errors import Problem
from api.idempotency import OnceDep, answer
from api.models import CustomerUid
from api.overdue import cursor_of, overdue_periods, run_of
from api.strict_route import StrictRoute
from api.views import decision_view, overdue_view, parked_view
from billing.domain.refusals import PORTONE_UNAVAILABLE
from billing.domain.subscription.start import subscription_workflow_id
from billing.ledger import Cursor, ParkedRow
from workflows.subscription.commands.decide import Decide
from workflows.unexpected_payment.contracts import FactDecided
from workflows.unexpected_payment.workflow import LateFactWorkflow

router = APIRouter(prefix="/v1/parked", tags=["parked"], dependencies=[Depends(caller_of)], route_class=StrictRoute)

_SUBSCRIPTIONS = subscription_workflow_id("")


@router.get("")
async def list_parked(
    desk: DeskDep,
    *,
    customer_uid: CustomerUid | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: str | None = None,
    overdue_after: str | None = None,
) -> dict[str, Any]:
    """Everything that stands until a person decides, oldest first: what is known, and what each decision would do.

    Beside it, under `overdue`, what is due and neither paid nor parked nor waited for, the longest overdue first: there
    the run is to be put right. Each list has a cursor of its own.
    """
    cursor, overdue_cursor = _read(after), _read(overdue_after, "overdue_after")
    rows = await desk.ledger.parking.page(customer_uid=customer_uid, limit=limit + 1, after=cursor)
    late = await overdue_periods(desk, customer_uid=customer_uid, limit=limit + 1, after=overdue_cursor)
    shown, shown_late = rows[:limit], late[:limit]
    runs = await asyncio.gather(*(run_of(desk, each) for each in shown_late))
    return {
        "parked": [parked_view(desk, row, await desk.ledger.list_payments(row.merchant_uid)) for row in shown],
        "next": shown[-1].cursor.encode() if len(rows) > limit else None,
        "overdue": [overdue_view(desk, each, run) for each, run in zip(shown_late, runs, strict=True)],
        "overdue_next": cursor_of(shown_late[-1]).encode() if len(late) > limit else None,
    }


@router.get("/{customer_uid}/decisions")
async def list_decisions(customer_uid: CustomerUid, desk: DeskDep) -> dict[str, Any]:
    """What persons have decided under a customer_uid, with who and why, oldest first."""
    return {"decisions": [decision_view(each) for each in await desk.ledger.parking.decisions(customer_uid)]}


@router.post("/{customer_uid}")
async def decide(customer_uid: CustomerUid, body: DecisionBody, once: OnceDep, desk: DeskDep) -> Response:
    """Decide; it is validated, carried out, and recorded with who and why."""

    async def do(attempt: Attempt) -> Response:
        row = await _what_stands(desk, customer_uid, body.parked_id)
        message = Decide(decision=body.decision, by=body.by, reason=body.reason, parked_id=row.parked_id)
        if row.workflow_id.startswith(_SUBSCRIPTIONS):
            return await place(desk, customer_uid, "decide", message, attempt)
        return await _decide_on_a_fact(desk, row, message, attempt)

    return await once(new_order_id(), do, names=names_of(customer_uid), alone=False)


async def _what_stands(desk: Desk, customer_uid: str, parked_id: str | None) -> ParkedRow:
    rows = await desk.ledger.parking.page(customer_uid=customer_uid, limit=200)
    if parked_id is not None:
        row = next((each for each in rows if each.parked_id == parked_id), None)
        if row is None:
            raise Problem(409, "already_decided", "it stands no longer, or never did under this customer_uid")
        return row
    if not rows:
        await find_subscription(desk, customer_uid)
        raise Problem(409, "nothing_parked", "nothing stands parked under this customer_uid")
    if len(rows) > 1:
        ids = [row.parked_id for row in rows]
        raise Problem(409, "several_parked", "several things stand parked; name the parked_id", parked_ids=ids)
    return rows[0]


async def _decide_on_a_fact(desk: Desk, row: ParkedRow, message: Decide, attempt: Attempt) -> Response:
    # The workflows of a late fact and of a schedule that was left on a key take the same update.
    handle = desk.temporal.get_workflow_handle_for(LateFactWorkflow.run, row.workflow_id)
    decided = await send_update(desk, handle, "decide", message, FactDecided, attempt=attempt)
    if decided is None:
        return attempt.open_answer()
    if not decided.done:
        attempt.is_void()
        reason = decided.message or "it could not be carried out"
        status = PORTONE_UNAVAILABLE.status if decided.code == PORTONE_UNAVAILABLE.code else 409
        raise Problem(status, decided.code or "not_done", reason, merchant_uid=row.merchant_uid)
    view = {
        "parked_id": row.parked_id,
        "merchant_uid": row.merchant_uid,
        "state": decided.state.value if decided.state else None,
        "refunded_amount": decided.refunded.amount if decided.refunded else None,
    }
    return answer(200, view)


def _read(after: str | None, field: str = "after") -> Cursor | None:
    if after is None:
        return None
    try:
        return Cursor.decode(after)
    except ValueError:
        raise Problem(422, "invalid_cursor", "is not a cursor of this list", field=field) from None
