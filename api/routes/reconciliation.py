"""/v1/reconciliation: compare PortOne with the ledger and the workflows now, and read what differs."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field, model_validator
from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy

from api.attempt import Attempt
from api.dependencies import Desk, DeskDep, caller_of
from api.difference_views import difference_view, progress_view, run_view
from api.errors import Problem
from api.idempotency import OnceDep, answer
from api.models import Body, InstantField, Words
from api.running import require_temporal, within
from api.starting import RPC_TIMEOUT
from api.strict_route import StrictRoute
from api.views import Json
from billing.domain.differences import DifferenceState, RunState
from billing.ledger import Cursor, DifferenceRow
from workflows.reconciliation.contracts import DEMAND_PREFIX, ReconciliationShown, StartReconciliation
from workflows.reconciliation.workflow import ReconciliationWorkflow

router = APIRouter(
    prefix="/v1/reconciliation", tags=["reconciliation"], dependencies=[Depends(caller_of)], route_class=StrictRoute
)

LONGEST = timedelta(days=3_660)
"""The longest window that is compared at once: ten years."""

DifferenceId = Annotated[int, Path(ge=1, le=2**63 - 1)]
"""A number as far as every database counts."""


class ReconciliationBody(Body):
    """POST /v1/reconciliation; without a window, the last three days until now."""

    start: Annotated[InstantField | None, Field(alias="from")] = None
    end: Annotated[InstantField | None, Field(alias="to")] = None
    settle_minutes: Annotated[int, Field(ge=0, le=1_440)] = 10

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        start, end = self.start or datetime.now(UTC), self.end or datetime.now(UTC)
        if abs(end - start) > LONGEST:
            raise ValueError(f"from and to, or the one and now, must lie at most {LONGEST.days} days apart")
        if self.start and self.end and end <= start:
            raise ValueError("to must be after from")
        return self

    def order(self, horizon_days: int) -> StartReconciliation:
        """The same for the workflow, in UTC."""
        return StartReconciliation(
            start=self.start,
            end=self.end,
            settle_minutes=self.settle_minutes,
            horizon_days=horizon_days,
        )


class AcceptBody(Body):
    """POST /v1/reconciliation/differences/{id}/accept: who takes it as it is, and why."""

    who: Words
    why: Words


@router.post("", status_code=202)
async def reconcile(once: OnceDep, desk: DeskDep, body: ReconciliationBody | None = None) -> Response:
    """Compare now; 200 with what was counted when it is done soon, else 202 with a link to the run."""
    order = (body or ReconciliationBody()).order(desk.settings.schedule_horizon_days)

    async def run(attempt: Attempt) -> Response:
        await require_temporal(desk.temporal.get_workflow_handle(attempt.resource))
        attempt.leaves()
        handle = await desk.temporal.start_workflow(
            ReconciliationWorkflow.run,
            args=[order, None],
            id=attempt.resource,
            task_queue=desk.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="PortOne against the ledger and the workflows, on demand",
            rpc_timeout=RPC_TIMEOUT,
        )
        attempt.has_begun()
        try:
            shown = await within(desk.settings.first_answer_seconds, handle.result())
        except WorkflowFailureError:
            attempt.is_void()
            raise _failed() from None
        shown = shown or ReconciliationShown(run_id=attempt.resource, state=RunState.RUNNING)
        return answer(200 if shown.state is RunState.DONE else 202, progress_view(shown) | names(attempt.resource))

    def names(run_id: str | None) -> Json:
        return {"run_id": run_id, "run_url": desk.run_url(run_id)} if run_id is not None else {}

    return await once(DEMAND_PREFIX + secrets.token_hex(8), run, names=names, by_body=False)


@router.get("/runs")
async def list_runs(
    desk: DeskDep, *, limit: Annotated[int, Query(ge=1, le=200)] = 20, after: str | None = None
) -> Json:
    """A page of runs, newest first; `next` is the `after` of the next page."""
    rows = await desk.ledger.differences.runs(limit + 1, _read_cursor(after))
    more = rows[limit - 1] if len(rows) > limit else None
    return {
        "runs": [{**run_view(row), "run_url": desk.run_url(row.run_id)} for row in rows[:limit]],
        "next": more.cursor.encode() if more else None,
    }


@router.get("/differences")
async def list_differences(
    desk: DeskDep,
    *,
    state: DifferenceState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Json:
    """A page of differences, newest first; `next` is the `after` of the next page."""
    rows = await desk.ledger.differences.page(state=state, limit=limit + 1, after=after)
    more = rows[limit - 1] if len(rows) > limit else None
    return {
        "differences": [_with_link(desk, row) for row in rows[:limit]],
        "next": more.difference_id if more else None,
    }


@router.post("/differences/{difference_id}/accept")
async def accept_difference(difference_id: DifferenceId, body: AcceptBody, once: OnceDep, desk: DeskDep) -> Response:
    """Take an open difference as it is: it is never rung or opened again, and who and why are kept."""

    async def accept(attempt: Attempt) -> Response:
        attempt.writes()
        accepted = await desk.ledger.differences.accept(difference_id, body.who, body.why, desk.now())
        row = await desk.ledger.differences.get(difference_id)
        if row is None:
            raise Problem(404, "difference_not_found", "there is no such difference")
        if not accepted:
            raise Problem(409, "difference_not_open", f"this difference is {row.state.value}", state=row.state.value)
        return answer(200, _with_link(desk, row))

    return await once(str(difference_id), accept, by_body=False)


def _with_link(desk: Desk, row: DifferenceRow) -> Json:
    return {**difference_view(row), "run_url": desk.run_url(row.workflow_id) if row.workflow_id else None}


def _failed() -> Problem:
    return Problem(503, "reconciliation_failed", "not everything could be compared; the run says why")


def _read_cursor(text: str | None) -> Cursor | None:
    try:
        return Cursor.decode(text) if text is not None else None
    except ValueError:
        raise Problem(422, "invalid_cursor", "is not a cursor of this list", field="after") from None
