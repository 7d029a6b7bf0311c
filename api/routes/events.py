"""/v1/events and /v1/event-deliveries: what was told, how far it came, and telling it again."""

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from api.attempt import Attempt
from api.dependencies import DeskDep, caller_of
from api.errors import Problem
from api.event_bell import ring
from api.event_models import EndpointId, EventId, ReplayBody
from api.event_views import delivery_view, event_view
from api.idempotency import OnceDep, answer
from api.models import CustomerUid
from api.strict_route import StrictRoute
from billing.domain.delivery import DeliveryState
from billing.domain.events import EventType

router = APIRouter(prefix="/v1", tags=["events"], dependencies=[Depends(caller_of)], route_class=StrictRoute)

Limit = Annotated[int, Query(ge=1, le=200)]
# Numbers as far as every database counts.
Number = Annotated[int, Query(ge=0, le=2**63 - 1)]


@router.get("/events")
async def list_events(
    desk: DeskDep,
    *,
    customer_uid: CustomerUid | None = None,
    type: EventType | Literal["endpoint.ping"] | None = None,  # noqa: A002 - the wire's name
    after: Number | None = None,
    limit: Limit = 50,
    order: Literal["asc", "desc"] = "asc",
) -> dict[str, Any]:
    """A page of events by their number, the oldest first unless `order=desc`; `after` is the number last seen."""
    rows = await desk.ledger.events.page(
        customer_uid=customer_uid,
        type_name=type.value if isinstance(type, EventType) else type,
        after=after,
        limit=limit + 1,
        newest_first=order == "desc",
    )
    page = rows[:limit]
    return {"events": [event_view(row) for row in page], "next": page[-1].event_no if len(rows) > limit else None}


@router.get("/events/{event_id}")
async def get_event(event_id: EventId, desk: DeskDep) -> dict[str, Any]:
    """One event, and how far it came at every endpoint."""
    row = await desk.ledger.events.get(event_id)
    if row is None:
        raise _not_found()
    deliveries = await desk.ledger.events.deliveries(event_id=event_id, limit=200)
    return {**event_view(row), "deliveries": [delivery_view(each) for each in deliveries]}


@router.post("/events/{event_id}/replay", status_code=202)
async def replay_event(event_id: EventId, once: OnceDep, desk: DeskDep, body: ReplayBody | None = None) -> Response:
    """Send an event again under the same `webhook-id`, with all its attempts; it comes before those that still wait."""
    endpoint_id = body.endpoint_id if body else None

    async def replay(attempt: Attempt) -> Response:
        if await desk.ledger.events.get(event_id) is None:
            raise _not_found()
        if endpoint_id is not None and await desk.endpoints.get(endpoint_id) is None:
            raise Problem(422, "endpoint_not_found", "there is no such endpoint", field="endpoint_id")
        attempt.writes()
        waiting = await desk.ledger.events.replay(event_id, endpoint_id)
        if waiting is None:
            detail = "no enabled endpoint was meant to get this event; name one, or enable it"
            raise Problem(409, "no_endpoint", detail)
        await ring(desk, waiting)
        attempt.is_settled()
        return answer(202, {"event_id": event_id, "endpoint_ids": [each.endpoint_id for each in waiting]})

    return await once(event_id, replay, by_body=False)


@router.get("/event-deliveries")
async def list_deliveries(
    desk: DeskDep,
    *,
    state: DeliveryState | None = None,
    endpoint_id: EndpointId | None = None,
    customer_uid: CustomerUid | None = None,
    after: str | None = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """A page of deliveries, newest event first: `state=parked` is what a person should look at."""
    rows = await desk.ledger.events.deliveries(
        state=state,
        endpoint_id=endpoint_id,
        customer_uid=customer_uid,
        after=_read_cursor(after),
        limit=limit + 1,
    )
    page = rows[:limit]
    following = _cursor(page[-1].cursor) if len(rows) > limit else None
    return {"deliveries": [delivery_view(row) for row in page], "next": following}


def _not_found() -> Problem:
    return Problem(404, "event_not_found", "there is no such event")


def _cursor(cursor: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(f"{cursor[0]} {cursor[1]}".encode()).decode()


def _read_cursor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    try:
        number, _, endpoint_id = base64.urlsafe_b64decode(text).decode("ascii").partition(" ")
        if not (number.isdecimal() and len(number) < 19 and endpoint_id.isprintable()):  # noqa: PLR2004 - digits of 2**63
            raise ValueError("no number")  # noqa: TRY301 - one answer for everything that is no cursor
        return int(number), endpoint_id
    except ValueError:
        raise Problem(422, "invalid_cursor", "is not a cursor of this list", field="after") from None
