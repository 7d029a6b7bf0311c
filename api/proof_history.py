"""The events of Temporal's histories that led to a charge: those that name its order number or one of its payments."""

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

_MOST_RUNS = 500
_RPC = timedelta(seconds=5)
_PREFIX = "EVENT_TYPE_"


@dataclass(frozen=True, slots=True)
class LeadingEvent:
    """One event of a history, with what it was about in the words that a person reads in the Temporal UI."""

    at: datetime
    run_id: str
    event_id: int
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class LeadingHistory:
    """The events that led to a charge, oldest first.

    `gone` says what Temporal has no more, and why; None where every run is still there.
    """

    workflow_id: str
    events: tuple[LeadingEvent, ...]
    runs: int
    gone: str | None = None


async def leading_history(temporal: Client, workflow_id: str, names: Collection[str]) -> LeadingHistory:
    """Every event of every run of a workflow id that names one of the `names`.

    Raises:
        RPCError: Temporal is away.
    """
    histories = [history async for history in _histories(temporal, workflow_id)]
    histories.sort(key=lambda history: history.events[0].event_time.ToDatetime(UTC))
    found = [event for history in histories for event in await _leading(temporal, history, names)]
    gone = _gone(workflow_id, histories)
    if not found and gone is None:
        gone = f"No run that Temporal still has of {workflow_id} names it: the one that did is over its retention."
    return LeadingHistory(workflow_id, tuple(found), len(histories), gone)


async def _histories(temporal: Client, workflow_id: str) -> AsyncIterator[WorkflowHistory]:
    listed = temporal.list_workflows(f"WorkflowId = '{workflow_id}'", limit=_MOST_RUNS, rpc_timeout=_RPC)
    runs = {run.run_id async for run in listed}
    # The list lags a little behind: the newest run is asked for by itself.
    for run_id in (*runs, None):
        try:
            handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
            if run_id is None and (await handle.describe()).run_id in runs:
                continue
            yield await handle.fetch_history()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


def _gone(workflow_id: str, histories: list[WorkflowHistory]) -> str | None:
    if not histories:
        return f"Temporal has no run of {workflow_id} any more: its retention is over, or it was deleted."
    begun = histories[0].events[0]
    before = begun.workflow_execution_started_event_attributes.continued_execution_run_id
    if before and before not in {_run_id(history) for history in histories}:
        at = begun.event_time.ToDatetime(UTC)
        return f"Runs before {at:%Y-%m-%d %H:%M:%S} UTC are gone from Temporal: their retention is over."
    return None


async def _leading(temporal: Client, history: WorkflowHistory, names: Collection[str]) -> list[LeadingEvent]:
    wanted = [name.encode() for name in names if name]
    run_id, found = _run_id(history), []
    scheduled: dict[int, str] = {}
    for event in history.events:
        attributes = _attributes(event)
        begun_by = getattr(attributes, "scheduled_event_id", 0) if attributes is not None else 0
        payloads = await _readable(temporal, [*_payloads(attributes), event.user_metadata.summary])
        names_it = any(name in payload for name in wanted for payload in payloads)
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED and names_it:
            scheduled[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            continue
        if names_it or begun_by in scheduled:
            words = _words(event, payloads[-1], scheduled.get(begun_by, ""))
            kind = EventType.Name(event.event_type).removeprefix(_PREFIX).lower()
            found.append(LeadingEvent(event.event_time.ToDatetime(UTC), run_id, event.event_id, kind, words))
    return found


def _run_id(history: WorkflowHistory) -> str:
    return history.events[0].workflow_execution_started_event_attributes.original_execution_run_id


def _attributes(event: HistoryEvent) -> Message | None:
    name = event.WhichOneof("attributes")
    return getattr(event, name) if name else None


def _payloads(message: Message | None) -> Iterable[Payload]:
    """Every payload in a message, however deep."""
    if message is None:
        return
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            values = [each for each in value.values() if isinstance(each, Message)]
        else:
            values = list(value) if field.is_repeated else [value]
        for each in values:
            yield from _payloads(each)


async def _readable(temporal: Client, payloads: list[Payload]) -> list[bytes]:
    """What stands in the payloads, decoded where a codec has encoded them."""
    codec = temporal.data_converter.payload_codec
    read = []
    for payload in payloads:
        decoded = await codec.decode([payload]) if codec is not None and payload.data else [payload]
        read.append(b"".join(each.data for each in decoded))
    return read


def _words(event: HistoryEvent, summary: bytes, activity: str) -> str:
    """What an event is about: its activity, signal or update by name, and the summary beside it."""
    parts = [
        activity,
        event.activity_task_scheduled_event_attributes.activity_type.name,
        event.workflow_execution_signaled_event_attributes.signal_name,
        event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name,
        event.activity_task_failed_event_attributes.failure.message,
        summary.decode(errors="replace").strip('"'),
    ]
    return ": ".join(dict.fromkeys(part for part in parts if part))
