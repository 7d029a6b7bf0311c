"""What may be asked about outgoing events, as strict as every other body."""

from typing import Annotated

from pydantic import AfterValidator, Field

from api.models import Body, Words
from billing.domain.endpoint_url import MAX_URL_LENGTH
from billing.domain.event_catalogue import EVENT_ID
from billing.domain.events import EventType


def _event_id(value: str) -> str:
    if EVENT_ID.fullmatch(value) is None:
        raise ValueError("must be 1 to 100 of letters, digits, _ : and -")
    return value


def _each_once(types: list[EventType]) -> list[EventType]:
    if len(set(types)) != len(types):
        raise ValueError("must name each type once")
    return types


EndpointId = Annotated[str, Field(pattern=r"^ep_[0-9a-f]{24}$")]
EventId = Annotated[str, AfterValidator(_event_id)]
Address = Annotated[str, Field(min_length=1, max_length=MAX_URL_LENGTH)]
EventTypes = Annotated[list[Annotated[EventType, Field(strict=False)]], Field(min_length=1), AfterValidator(_each_once)]


class EndpointBody(Body):
    """POST /v1/event-endpoints; without event_types every event is sent."""

    url: Address
    event_types: EventTypes | None = None
    description: Words | None = None


class EndpointChangeBody(Body):
    """PATCH /v1/event-endpoints/{endpoint_id}; what is not named stays, `event_types: null` is every event."""

    url: Address | None = None
    event_types: EventTypes | None = None
    description: Words | None = None
    enabled: bool | None = None


class RotateBody(Body):
    """POST /v1/event-endpoints/{endpoint_id}/rotate-secret; how long the old secret signs beside the new one."""

    overlap_hours: Annotated[int, Field(ge=0, le=168)] | None = None


class ReplayBody(Body):
    """POST /v1/events/{event_id}/replay; without an endpoint_id to every enabled endpoint that it was meant for."""

    endpoint_id: EndpointId | None = None
