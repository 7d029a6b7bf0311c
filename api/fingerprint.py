"""What a workflow asked of Temporal, command by command, as its history tells it.

Replay compares commands by kind and name, in their order: a list of them is the workflow's fingerprint.
Notes (summaries, search attribute values, names of updates) are for the reader; nothing compares them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.common.v1 import SearchAttributes
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter

CHANGE_VERSION = "TemporalChangeVersion"
"""The search attribute that the SDK itself writes beside the marker of a patch."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a workflow asked for; `kind` and `name` are what replay compares, `event_id` is where it stands."""

    kind: str
    name: str = ""
    note: str = ""
    event_id: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What must be the same for a history to replay."""
        return self.kind, self.name

    def __str__(self) -> str:
        # Most commands are activities, and their names are verbs: they need no kind in front.
        words = (self.kind if self.kind != "activity" else "", self.name, self.note)
        return " ".join(word for word in words if word)


@dataclass(slots=True)
class Task:
    """The commands with which the code answered one workflow task.

    `event_id` is the id of its WorkflowTaskStarted event; `failure` is why the code had no answer.
    """

    event_id: int
    commands: list[Command] = field(default_factory=list)
    failure: str | None = None


def text(tasks: Iterable[Task]) -> str:
    """A line for each command, in order."""
    return "".join(f"{command}\n" for task in tasks for command in task.commands)


def workflow_type(history: WorkflowHistory) -> str:
    """The name of the workflow that a history tells of."""
    return history.events[0].workflow_execution_started_event_attributes.workflow_type.name


async def fingerprint(history: WorkflowHistory, converter: DataConverter) -> list[Task]:
    """The workflow tasks of a history with the commands that each of them left there."""
    reading, tasks, started = _Reading(), list[Task](), 0
    for event in history.events:
        if event.HasField("workflow_task_started_event_attributes"):
            started = event.event_id
        elif event.HasField("workflow_task_completed_event_attributes"):
            tasks.append(Task(started))
        elif (command := reading.command(event, await _summary(event, converter))) is not None:
            tasks[-1].commands.append(command)
    return tasks


async def _summary(event: HistoryEvent, converter: DataConverter) -> str:
    if not event.user_metadata.HasField("summary"):
        return ""
    return quoted((await converter.decode([event.user_metadata.summary], [str]))[0])


class _Reading:
    """What was read so far, for events that refer back to an earlier one."""

    def __init__(self) -> None:
        self._notes: dict[int, str] = {}
        self._updates: dict[str, str] = {}
        self._readers: dict[str, Callable[[Any, str], Command | None]] = {
            "activity_task_scheduled": lambda at, summary: Command("activity", at.activity_type.name, summary),
            "activity_task_cancel_requested": self._cancels("cancel activity", "scheduled_event_id"),
            "timer_started": lambda _, summary: Command("timer", note=summary),
            "timer_canceled": self._cancels("cancel timer", "started_event_id"),
            "upsert_workflow_search_attributes": lambda at, _: upsert(at.search_attributes),
            "workflow_properties_modified": lambda at, _: Command("memo", note=names(at.upserted_memo.fields)),
            "marker_recorded": lambda at, _: _marker(at),
            "workflow_execution_update_accepted": self._update_accepted,
            "workflow_execution_update_completed": self._update_completed,
            "start_child_workflow_execution_initiated": lambda at, summary: Command(
                "child workflow", at.workflow_type.name, summary
            ),
            "signal_external_workflow_execution_initiated": lambda at, _: Command("signal workflow", at.signal_name),
            "request_cancel_external_workflow_execution_initiated": lambda *_: Command("cancel workflow"),
            "workflow_execution_completed": lambda *_: Command("complete"),
            "workflow_execution_failed": lambda *_: Command("fail"),
            "workflow_execution_canceled": lambda *_: Command("canceled"),
            "workflow_execution_continued_as_new": lambda *_: Command("continue as new"),
        }

    def command(self, event: HistoryEvent, summary: str) -> Command | None:
        """The command that an event answers; None for what happened to the workflow instead of by it."""
        name = event.WhichOneof("attributes") or ""
        read = self._readers.get(name.removesuffix("_event_attributes"))
        found = read(getattr(event, name), summary) if read else None
        if found is None:
            return None
        self._notes[event.event_id] = found.note
        return Command(found.kind, found.name, found.note, event.event_id)

    def _cancels(self, kind: str, refers_by: str) -> Callable[[Any, str], Command]:
        return lambda at, _: Command(kind, note=self._notes.get(getattr(at, refers_by), ""))

    def _update_accepted(self, at: Any, _summary: str) -> Command:
        self._updates[at.protocol_instance_id] = at.accepted_request.input.name
        return Command("accept update", note=at.accepted_request.input.name)

    def _update_completed(self, at: Any, _summary: str) -> Command:
        return Command("answer update", note=self._updates.get(at.meta.update_id, ""))


def _marker(at: Any) -> Command:
    if at.marker_name != "core_patch":
        return Command("marker", at.marker_name)
    data: Any = DataConverter.default.payload_converter.from_payload(at.details["patch-data"].payloads[0])
    return Command("patch", data["id"])


def upsert(attributes: SearchAttributes) -> Command | None:
    """A change of search attributes; None for the one that comes with every patch."""
    if set(attributes.indexed_fields) == {CHANGE_VERSION}:
        return None
    # Search attributes are never encrypted: the server must read them.
    decode = DataConverter.default.payload_converter.from_payload
    values = {name: decode(payload) for name, payload in sorted(attributes.indexed_fields.items())}
    return Command("upsert", note=" ".join(f"{name}={value}" for name, value in values.items() if value is not None))


def names(fields: Iterable[str]) -> str:
    """Names in a fixed order."""
    return " ".join(sorted(fields))


def quoted(summary: str) -> str:
    """A summary as a note."""
    return f'"{summary}"'
