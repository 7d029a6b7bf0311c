"""/v1/test-clocks: one subscription's whole world moves in time, in local and test mode, against an emulator."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, Field, model_validator

from api.advances import Advance, Advances, ClockStatus, why_refused
from api.attempt import Attempt
from api.clock import NoTestClockError, Step, WorldTime, world_time
from api.commanding import find_subscription
from api.dependencies import Desk, DeskDep, caller_of, desk_of
from api.distance import FARTHEST, read_distance
from api.errors import Problem
from api.idempotency import OnceDep, answer
from api.models import Body, CustomerUid, InstantField
from api.strict_route import StrictRoute
from api.views import Json, instant, subscription_view
from billing.domain import bounds
from billing.ledger.rows import SubscriptionRow


def _distance(text: str) -> str:
    read_distance(text)
    return text


class AdvanceBody(Body):
    """POST /v1/test-clocks/{customer_uid}/advance: how far, or to which instant."""

    distance: Annotated[str, Field(max_length=40), AfterValidator(_distance)] | None = None
    to: InstantField | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.distance is None) == (self.to is None):
            raise ValueError("give either distance or to")
        return self

    def target(self, now: datetime) -> datetime:
        """The instant to move to.

        Raises:
            Problem: 422 for one that does not lie ahead, or too far.
        """
        if self.distance is None:
            return self.to or now
        try:
            target = read_distance(self.distance).after(now)
        except ValueError as error:
            raise Problem(422, "invalid_request", str(error), field="distance") from None
        if (fault := bounds.instant_fault(target)) is not None:
            raise Problem(422, "invalid_request", f"where it leads to {fault}", field="distance")
        return target


def _allowed(request: Request) -> None:
    """Refuse before anything is looked up.

    Raises:
        Problem: 403 in production mode, or against PortOne itself.
    """
    if (reason := why_refused(desk_of(request).settings)) is not None:
        raise Problem(403, "test_clocks_refused", reason)


def _advances_of(request: Request) -> Advances:
    advances: Advances = request.app.state.advances
    return advances


AdvancesDep = Annotated[Advances, Depends(_advances_of)]

router = APIRouter(
    prefix="/v1/test-clocks",
    tags=["test clocks"],
    dependencies=[Depends(caller_of), Depends(_allowed)],
    route_class=StrictRoute,
)


@router.get("/{customer_uid}")
async def get_test_clock(customer_uid: CustomerUid, desk: DeskDep, advances: AdvancesDep) -> Json:
    """Where a subscription's world stands in time, and how far its newest advance has come."""
    # Before the rest is: whoever reads that it moves no longer also reads where it came to stand.
    moved = _moved_view(advances.newest(customer_uid))
    record = await find_subscription(desk, customer_uid)
    return _view(desk, record, await _time_of(desk, customer_uid), moved)


@router.post("/{customer_uid}/advance", status_code=202)
async def advance_test_clock(
    customer_uid: CustomerUid, body: AdvanceBody, *, once: OnceDep, desk: DeskDep, advances: AdvancesDep
) -> Response:
    """Move from due to due, any distance; 202 while it moves, 200 when a repeated request finds it there."""
    await find_subscription(desk, customer_uid)
    time = await _time_of(desk, customer_uid)
    drawn = _resource(body.target(time.now))

    async def move(attempt: Attempt) -> Response:
        resource = attempt.resource
        target = _target_of(resource)
        newest = advances.newest(customer_uid)
        if newest is not None and newest.status is ClockStatus.ADVANCING:
            if newest.target != target or resource == drawn:
                until = {"target": instant(newest.target)}
                raise Problem(409, "test_clock_advancing", "an advance of this subscription is under way", **until)
        elif time.now < target:
            if target - time.now > FARTHEST:
                raise Problem(422, "invalid_request", "must be at most a hundred years ahead", field="to")
            newest = advances.begin(customer_uid, time.now, target)
        elif resource == drawn:
            raise Problem(422, "invalid_request", "must lie ahead", field="to")
        record = await find_subscription(desk, customer_uid)
        view = _view(desk, record, time, _moved_view(newest))
        return answer(202 if view["status"] is ClockStatus.ADVANCING else 200, view)

    return await once(drawn, move, by_body=False)


def _resource(target: datetime) -> str:
    """The target travels in what the Idempotency-Key stands for: whoever asks again goes to the same instant."""
    return f"clock_{round(target.timestamp() * 1000)}_{secrets.token_hex(6)}"


def _target_of(resource: str) -> datetime:
    return datetime.fromtimestamp(int(resource.split("_")[1]) / 1000, UTC)


async def _time_of(desk: Desk, customer_uid: str) -> WorldTime:
    try:
        return await world_time(desk.settings.portone_url, customer_uid)
    except NoTestClockError as error:
        raise Problem(409, "no_test_clock", str(error)) from None


def _view(desk: Desk, record: SubscriptionRow, time: WorldTime, moved: Json) -> Json:
    return {
        "customer_uid": record.customer_uid,
        "now": instant(time.now),
        "next_due": instant(time.next_due),
        **moved,
        "subscription": subscription_view(desk, record),
    }


def _moved_view(advance: Advance | None) -> Json:
    if advance is None:
        return {"status": ClockStatus.READY, "advance": None}
    shown = {
        "from": instant(advance.start),
        "target": instant(advance.target),
        "steps": advance.steps,
        "charges": advance.charges,
        "latest_steps": [_step_view(step) for step in advance.latest],
        "failure": advance.failure,
    }
    return {"status": advance.status, "advance": shown}


def _step_view(step: Step) -> Json:
    return {
        "at": instant(step.at),
        "status": step.snapshot.status.value,
        "period": step.snapshot.cycle,
        "failed_attempts": step.snapshot.failed_attempts,
        "charged": [
            {"merchant_uid": each.merchant_uid, "amount": each.amount, "currency": each.currency}
            for each in step.charged
        ],
    }
