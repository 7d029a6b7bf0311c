"""The messages of delivering events; they carry ids, never an address, a secret or an event's data."""

from datetime import datetime

from billing.domain.delivery import DeliveryState
from billing.domain.message import Message


def event_delivery_workflow_id(endpoint_id: str, customer_uid: str) -> str:
    """The workflow id of delivering one customer_uid's events to one endpoint: one run at a time, so in order."""
    return f"events/{endpoint_id}/{customer_uid}"


def sending_task_queue(task_queue: str) -> str:
    """The task queue on which events are sent: a stranger's slow server takes no place that a charge needs."""
    return f"{task_queue}-events"


class StartEventDelivery(Message):
    """Deliver the events of `customer_uid` to an endpoint until none is left.

    `roll_after_events` continues as new after that many history events, beside the server's own suggestion.
    """

    endpoint_id: str
    customer_uid: str
    roll_after_events: int | None = None


class NextDelivery(Message):
    """Ask the ledger whose turn it is; `at` is the workflow's clock."""

    endpoint_id: str
    customer_uid: str
    at: datetime


class DeliveryDue(Message):
    """The event whose turn it is: ids only. `due_at` None means at once; `attempts` have been made."""

    event_id: str
    type: str
    attempts: int
    due_at: datetime | None = None


class SendEvent(Message):
    """Send an event as attempt number `attempt`; the ledger counts it before it leaves."""

    endpoint_id: str
    event_id: str
    attempt: int
    at: datetime


class SendAnswer(Message):
    """What became of an attempt: the delivery's state, the status the endpoint answered, or why there was none.

    `state` is None when the attempt was not made: it was made before, or the endpoint is disabled.
    """

    state: DeliveryState | None = None
    status: int | None = None
    error: str | None = None
