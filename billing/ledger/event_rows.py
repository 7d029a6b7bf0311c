"""What the ledger answers about outgoing events, the endpoints they go to, and how far each came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from billing.domain.delivery import DeliveryState


class EventStream(NamedTuple):
    """One order of events at one endpoint, to be rung: whatever stands in it up to `sequence` waits."""

    endpoint_id: str
    customer_uid: str
    sequence: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event; `event_no` counts all of them, `sequence` those of its customer_uid."""

    event_no: int
    event_id: str
    type: str
    customer_uid: str
    sequence: int
    subscription_id: str | None
    merchant_uid: str | None
    at: datetime
    summary: str
    data: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """Where events go, without its secrets; `event_types` None takes every type."""

    endpoint_id: str
    url: str
    description: str | None
    event_types: tuple[str, ...] | None
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """How far one event came at one endpoint; `due_at` None means at once."""

    endpoint_id: str
    event_no: int
    event_id: str
    type: str
    customer_uid: str
    state: DeliveryState
    attempts: int
    due_at: datetime | None
    attempted_at: datetime | None
    last_status: int | None
    last_error: str | None
    response: str | None
    replays: int
    created_at: datetime
    updated_at: datetime

    @property
    def cursor(self) -> tuple[int, str]:
        """Where a list that ends with this row goes on."""
        return self.event_no, self.endpoint_id


@dataclass(frozen=True, slots=True)
class DeliveryTurn:
    """The event whose turn it is in one order at one endpoint, and when; `attempts` have been made."""

    event_id: str
    type: str
    attempts: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event ready to be sent: where to, and the secrets that sign it, the newest first; never leaves a process."""

    url: str
    secrets: tuple[str, ...]
    event: EventRow

    def __repr__(self) -> str:
        """Without address and secrets."""
        return f"Parcel({self.event.event_id!r})"


@dataclass(frozen=True, slots=True)
class Sent:
    """What an attempt brought: a status and the beginning of the answer, or why there was none."""

    status: int | None = None
    error: str | None = None
    response: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptClosed:
    """What an attempt led to: the delivery's state, and why the endpoint was disabled by it, if it was."""

    state: DeliveryState
    disabled_reason: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of a customer_uid's history: `kind` is event, charge, refund or webhook, `name` what happened to it."""

    at: datetime
    kind: str
    id: str
    name: str
    text: str | None
    merchant_uid: str | None
    imp_uid: str | None
    amount: int | None
    currency: str | None
