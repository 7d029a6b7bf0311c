"""/v1/parked: what a person must decide, in one list; and the decisions."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from api.dependencies import CallerDep, DeskDep, caller_of
from api.errors import Problem
from api.idempotency import once
from api.models import CustomerUid
from api.order_models import DecisionBody
from api.ordering import place
from api.views import parked_view
from billing.ledger import Cursor
from workflows.orders import Decide

router = APIRouter(prefix="/v1/parked", tags=["parked"], dependencies=[Depends(caller_of)])


@router.get("")
async def list_parked(
    desk: DeskDep, *, limit: Annotated[int, Query(ge=1, le=200)] = 50, after: str | None = None
) -> dict[str, Any]:
    """Everything that stands until a person decides: what is known, and the allowed decisions."""
    cursor = _read(after)
    rows = await desk.ledger.list_subscriptions(parked=True, limit=limit + 1, after=cursor)
    shown = rows[:limit]
    payments = [await desk.ledger.list_payments(row.merchant_uid) if row.merchant_uid else [] for row in shown]
    return {
        "parked": [parked_view(desk, row, found) for row, found in zip(shown, payments, strict=True)],
        "next": shown[-1].cursor.encode() if len(rows) > limit else None,
    }


@router.post("/{customer_uid}")
async def decide(
    customer_uid: CustomerUid, body: DecisionBody, request: Request, desk: DeskDep, caller: CallerDep
) -> Response:
    """Decide; it is validated, carried out, and recorded with who and why."""

    async def do(resource: str) -> Response:
        message = Decide(decision=body.decision, by=body.by, reason=body.reason)
        return await place(desk, customer_uid, "decide", message, resource)

    return await once(request, desk, caller, f"o{secrets.token_hex(12)}", do)


def _read(after: str | None) -> Cursor | None:
    if after is None:
        return None
    try:
        return Cursor.decode(after)
    except ValueError:
        raise Problem(422, "invalid_cursor", "is not a cursor of this list", field="after") from None
