"""/v1/subscriptions/{customer_uid}/timeline: the whole history of a subscription, readable by a person."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.dependencies import DeskDep, caller_of
from api.errors import Problem
from api.event_views import history_view
from api.models import CustomerUid
from api.strict_route import StrictRoute
from billing.ledger import Cursor

router = APIRouter(
    prefix="/v1/subscriptions", tags=["subscriptions"], dependencies=[Depends(caller_of)], route_class=StrictRoute
)


@router.get("/{customer_uid}/timeline")
async def get_timeline(
    customer_uid: CustomerUid,
    desk: DeskDep,
    after: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Events, charges, refunds and webhooks of a customer_uid in one list, oldest first."""
    try:
        cursor = None if after is None else Cursor.decode(after)
    except ValueError:
        raise Problem(422, "invalid_cursor", "is not a cursor of this list", field="after") from None
    rows = await desk.ledger.history(customer_uid, limit=limit + 1, after=cursor)
    if not rows and await desk.ledger.get_subscription(customer_uid) is None:
        raise Problem(404, "subscription_not_found", "there is no subscription under this customer_uid")
    page = rows[:limit]
    following = Cursor(page[-1].at, page[-1].id).encode() if len(rows) > limit else None
    return {"customer_uid": customer_uid, "timeline": [history_view(row) for row in page], "next": following}
