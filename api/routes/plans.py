"""/v1/plans: the plan catalogue with versioned prices."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from api.attempt import Attempt
from api.dependencies import DeskDep, caller_of
from api.errors import Problem
from api.idempotency import OnceDep, answer
from api.models import CatalogPlanBody, PlanId
from api.strict_route import StrictRoute
from api.views import plan_row_view

router = APIRouter(prefix="/v1/plans", tags=["plans"], dependencies=[Depends(caller_of)], route_class=StrictRoute)


@router.post("", status_code=201)
async def put_plan(body: CatalogPlanBody, once: OnceDep, desk: DeskDep) -> Response:
    """Store a plan; changed terms become a new version, and running subscriptions keep theirs."""

    async def put(attempt: Attempt) -> Response:
        if body.amount > desk.settings.max_amount:
            raise Problem(422, "amount_too_large", f"at most {desk.settings.max_amount}", field="amount")
        attempt.writes()
        return answer(201, plan_row_view(await desk.ledger.put_plan(body.plan_id, body.terms(), desk.now())))

    return await once(body.plan_id, put, by_body=False)


@router.get("")
async def list_plans(desk: DeskDep) -> dict[str, Any]:
    """The newest version of every plan."""
    return {"plans": [plan_row_view(row) for row in await desk.ledger.list_plans()]}


@router.get("/{plan_id}")
async def get_plan(
    plan_id: PlanId, desk: DeskDep, version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None
) -> dict[str, Any]:
    """One version of a plan, the newest when none is named."""
    row = await desk.ledger.get_plan(plan_id, version)
    if row is None:
        raise Problem(404, "plan_not_found", "there is no such plan")
    return plan_row_view(row)
