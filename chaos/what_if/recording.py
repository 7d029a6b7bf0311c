"""What a history says: the start, what came in and when, and what the run asked for and was answered."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from temporalio.activity import _Definition as ActivityDefinition
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.workflow._definition import _Definition

from billing.domain.records import ChargeRegistered, LedgerEntry
from billing.temporal import DATA_CONVERTER
from workflows import ports
from workflows.contracts import ScheduleAnswer
from workflows.refund.workflow import RefundWorkflow
from workflows.subscription.workflow import SubscriptionWorkflow

SUBSCRIPTION = "SubscriptionWorkflow"
REFUND = "RefundWorkflow"

_ENDS = {
    "workflow_execution_completed": "completed",
    "workflow_execution_failed": "failed",
    "workflow_execution_canceled": "canceled",
    "workflow_execution_terminated": "terminated",
    "workflow_execution_timed_out": "timed out",
    "workflow_execution_continued_as_new": "continued as new",
}
_FAILED = ("activity_task_failed", "child_workflow_execution_failed")
_NO_ANSWER = (
    "activity_task_timed_out",
    "activity_task_canceled",
    "child_workflow_execution_timed_out",
    "child_workflow_execution_canceled",
    "child_workflow_execution_terminated",
)


class UnreadableError(ValueError):
    """A history that today's code cannot read: a message of it has another shape than today's."""


@dataclass(slots=True)
class Call:
    """One activity, or one child run, that the recorded run asked for.

    `at` is when its code asked, `seen_at` when it went on with the outcome, a result or a failure; None where none came
    before the end.
    """

    name: str
    args: tuple[Any, ...]
    event_id: int
    at: datetime
    seen_at: datetime | None = None
    result: Any = None
    failure: ApplicationError | None = None

    @property
    def entry(self) -> LedgerEntry | None:
        """What it wrote to the ledger, if that is what it was for."""
        entry: LedgerEntry | None = self.args[0] if self.name == "record" else None
        return entry

    @property
    def registered(self) -> ChargeRegistered | None:
        """The charge of which it wrote to the ledger that it is registered."""
        if not isinstance(self.result, ScheduleAnswer) or not self.result.recorded:
            return None
        registered: ChargeRegistered | None = self.args[0].records
        return registered


@dataclass(slots=True)
class Input:
    """A signal or an accepted update, at the instant at which the recorded run took it; `refused` is its answer."""

    at: datetime
    name: str
    args: tuple[Any, ...]
    is_update: bool
    refused: bool = False


@dataclass(slots=True)
class Recording:
    """One run as it was recorded.

    `tasks` are its workflow tasks, each with when it was to begin and when a worker had taken it. `foreign` are names
    of what it asked for, or was sent, that today's code does not know.
    """

    name: str
    workflow_id: str
    args: tuple[Any, ...]
    begun: datetime
    end: datetime
    ended: str = "running"
    inputs: list[Input] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    tasks: list[tuple[datetime, datetime]] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)


async def recording_of(history: WorkflowHistory) -> Recording | None:
    """What the history of a subscription says; None before its first workflow task.

    Raises:
        UnreadableError: a message of it is not one of today's code.
    """
    reading = _Reading(history)
    try:
        for event in history.events:
            await reading.take(event)
    except UnreadableError:
        raise
    except Exception as error:
        # Whatever a converter raises: pydantic, JSON, a codec.
        why = next(iter(str(error).splitlines()), "")
        raise UnreadableError(f"event {reading.event_id} is not readable: {type(error).__name__}: {why}") from error
    return reading.recording if reading.recording.tasks else None


@cache
def _activities() -> dict[str, ActivityDefinition]:
    found = {}
    for owner in vars(ports).values():
        for each in vars(owner).values() if isinstance(owner, type) else ():
            definition = ActivityDefinition.from_callable(each) if callable(each) else None
            if definition is not None:
                found[definition.name or ""] = definition
    return found


_OWN = _Definition.must_from_class(SubscriptionWorkflow)
_CHILDREN = {REFUND: _Definition.must_from_class(RefundWorkflow)}


class _Reading:
    """What was read so far, for events that refer back to an earlier one."""

    def __init__(self, history: WorkflowHistory) -> None:
        began = history.events[0].workflow_execution_started_event_attributes
        at = _instant(history.events[0])
        self.recording = Recording(history.workflow_id, began.workflow_id or history.workflow_id, (), at, at)
        self.event_id = 1
        self._asked: dict[int, Call] = {}
        self._answered: list[Call] = []
        self._signaled: list[Input] = []
        self._updates: dict[str, Input] = {}
        self._to_begin = self._started = at

    async def take(self, event: HistoryEvent) -> None:
        """Read one event."""
        self.event_id = event.event_id
        which = event.WhichOneof("attributes") or ""
        name, at = which.removesuffix("_event_attributes"), getattr(event, which, None)
        recording, instant = self.recording, _instant(event)
        recording.end = max(recording.end, instant)
        recording.ended = _ENDS.get(name, recording.ended)
        if name in _FAILED:
            await self._failed(at, getattr(at, "failure", None))
        elif name in _NO_ANSWER:
            await self._failed(at, None)
        else:
            taken = getattr(self, f"_{name}", None)
            if taken is not None:
                await taken(at, instant)

    # ------------------------------------------------------------ the run and its tasks

    async def _workflow_execution_started(self, at: Any, _instant: datetime) -> None:
        self.recording.args = await _decoded(at.input.payloads, _OWN.arg_types)

    async def _workflow_task_scheduled(self, _at: Any, instant: datetime) -> None:
        self._to_begin = instant

    async def _workflow_task_started(self, _at: Any, instant: datetime) -> None:
        self._started = instant

    async def _workflow_task_completed(self, _at: Any, _instant: datetime) -> None:
        # What a task saw that failed, or that nobody finished, is seen by the one after it.
        recording, began = self.recording, self._started
        if not recording.tasks:
            recording.begun = began
        recording.tasks.append((self._to_begin, began))
        for call in self._answered:
            call.seen_at = began
        for each in self._signaled:
            each.at = began
            recording.inputs.append(each)
        self._answered, self._signaled = [], []

    # ------------------------------------------------------------ what came in

    async def _workflow_execution_signaled(self, at: Any, instant: datetime) -> None:
        definition = _OWN.signals.get(at.signal_name)
        if definition is None:
            self.recording.foreign.add(f"signal {at.signal_name}")
            return
        args = await _decoded(at.input.payloads, definition.arg_types)
        self._signaled.append(Input(instant, at.signal_name, args, is_update=False))

    async def _workflow_execution_update_accepted(self, at: Any, instant: datetime) -> None:
        asked = at.accepted_request.input
        definition = _OWN.updates.get(asked.name)
        if definition is None:
            self.recording.foreign.add(f"update {asked.name}")
            return
        begun = self.recording.tasks[-1][1] if self.recording.tasks else instant
        args = await _decoded(asked.args.payloads, definition.arg_types)
        taken = self._updates[at.protocol_instance_id] = Input(begun, asked.name, args, is_update=True)
        self.recording.inputs.append(taken)

    async def _workflow_execution_update_completed(self, at: Any, _instant: datetime) -> None:
        taken = self._updates.get(at.meta.update_id)
        if taken is not None:
            taken.refused = at.outcome.HasField("failure")

    # ------------------------------------------------------------ what was asked for

    async def _activity_task_scheduled(self, at: Any, _instant: datetime) -> None:
        definition = _activities().get(at.activity_type.name)
        if definition is None:
            self.recording.foreign.add(f"activity {at.activity_type.name}")
            return
        args = await _decoded(at.input.payloads, definition.arg_types)
        self._ask(at.activity_type.name, args)

    async def _start_child_workflow_execution_initiated(self, at: Any, _instant: datetime) -> None:
        definition = _CHILDREN.get(at.workflow_type.name)
        if definition is not None:
            args = await _decoded(at.input.payloads, definition.arg_types)
            self._ask(at.workflow_type.name, args)

    async def _activity_task_completed(self, at: Any, _instant: datetime) -> None:
        call = self._asked.get(at.scheduled_event_id)
        if call is not None:
            await self._completed(call, at.result.payloads, _activities()[call.name].ret_type)

    async def _child_workflow_execution_completed(self, at: Any, _instant: datetime) -> None:
        call = self._asked.get(at.initiated_event_id)
        if call is not None:
            await self._completed(call, at.result.payloads, _CHILDREN[call.name].ret_type)

    async def _completed(self, call: Call, payloads: Any, shape: Any) -> None:
        decoded = await _decoded(payloads, [shape])
        call.result = decoded[0] if decoded else None
        self._answered.append(call)

    async def _failed(self, at: Any, failure: Failure | None) -> None:
        call = self._asked.get(getattr(at, "scheduled_event_id", 0) or getattr(at, "initiated_event_id", 0))
        if call is None:
            return
        error = await DATA_CONVERTER.decode_failure(failure) if failure is not None else None
        kind = error.type if isinstance(error, ApplicationError) else None
        call.failure = ApplicationError(str(error or "no answer came"), type=kind, non_retryable=True)
        self._answered.append(call)

    def _ask(self, name: str, args: tuple[Any, ...]) -> None:
        # Its code acts at the instant of its task, whenever the server writes what it asked for.
        call = self._asked[self.event_id] = Call(name, args, self.event_id, self._started)
        self.recording.calls.append(call)


async def _decoded(payloads: Any, shapes: Any) -> tuple[Any, ...]:
    wanted = list(shapes or ())[: len(payloads)]
    return tuple(await DATA_CONVERTER.decode(payloads, wanted or None))


def _instant(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)
