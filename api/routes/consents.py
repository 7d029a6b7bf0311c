"""/v1/subscriptions/{customer_uid}/consents: what buyers were asked, and what they answered, as evidence."""

from typing import Any

from fastapi import APIRouter, Depends

from api.commanding import find_subscription
from api.dependencies import DeskDep, caller_of
from api.models import CustomerUid
from api.strict_route import StrictRoute
from api.views import consent_view

router = APIRouter(
    prefix="/v1/subscriptions/{customer_uid}",
    tags=["orders"],
    dependencies=[Depends(caller_of)],
    route_class=StrictRoute,
)


@router.get("/consents")
async def consents(customer_uid: CustomerUid, desk: DeskDep) -> dict[str, Any]:
    """Every question and every answer, oldest first; a question that was answered stands before its answer."""
    record = await find_subscription(desk, customer_uid)
    found = await desk.ledger.list_consents(record.customer_uid)
    return {"customer_uid": record.customer_uid, "consents": [consent_view(consent) for consent in found]}
