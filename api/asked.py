"""What code asks of Temporal while it replays a history, command by command."""

from collections.abc import Callable
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter

from api.fingerprint import Command, Task, names, quoted, upsert

_STARTS = {"schedule_activity", "start_timer"}
_CANCELS = {"request_cancel_activity": "schedule_activity", "cancel_timer": "start_timer"}


class Asked:
    """The commands of one replay, workflow task by workflow task.

    What Temporal's core drops by itself is dropped here too: what is started and cancelled within one task, the refusal
    of an update, the answer to a query.
    """

    def __init__(self, converter: DataConverter) -> None:
        self.tasks: list[Task] = []
        self._converter = converter
        self._started: dict[tuple[str, int], Command] = {}
        self._updates: dict[str, str] = {}
        self._accepted: set[str] = set()
        self._readers: dict[str, Callable[[Any, str], Command | None]] = {
            "schedule_activity": lambda at, summary: Command("activity", at.activity_type, summary),
            "start_timer": lambda _, summary: Command("timer", note=summary),
            "request_cancel_activity": lambda at, _: self._cancel("cancel activity", "schedule_activity", at.seq),
            "cancel_timer": lambda at, _: self._cancel("cancel timer", "start_timer", at.seq),
            "upsert_workflow_search_attributes": lambda at, _: upsert(at.search_attributes),
            "modify_workflow_properties": lambda at, _: Command("memo", note=names(at.upserted_memo.fields)),
            "set_patch_marker": lambda at, _: Command("patch", at.patch_id),
            "update_response": lambda at, _: self._update_response(at),
            "start_child_workflow_execution": lambda at, summary: Command("child workflow", at.workflow_type, summary),
            "signal_external_workflow_execution": lambda at, _: Command("signal workflow", at.signal_name),
            "request_cancel_external_workflow_execution": lambda *_: Command("cancel workflow"),
            "complete_workflow_execution": lambda *_: Command("complete"),
            "fail_workflow_execution": lambda *_: Command("fail"),
            "cancel_workflow_execution": lambda *_: Command("canceled"),
            "continue_as_new_workflow_execution": lambda *_: Command("continue as new"),
        }

    def add(self, activation: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        """Take the code's answer to one activation; a workflow task may need several of them."""
        jobs = activation.jobs
        if any(job.HasField("remove_from_cache") or job.HasField("query_workflow") for job in jobs):
            return
        if not self.tasks or self.tasks[-1].event_id != activation.history_length:
            self.tasks.append(Task(activation.history_length))
        task = self.tasks[-1]
        self._updates |= {
            job.do_update.protocol_instance_id: job.do_update.name for job in jobs if job.HasField("do_update")
        }
        if completion.HasField("failed"):
            converter = self._converter
            error = converter.failure_converter.from_failure(completion.failed.failure, converter.payload_converter)
            task.failure = str(error)
        for command in completion.successful.commands:
            self._take(task, command)

    def _take(self, task: Task, command: WorkflowCommand) -> None:
        kind = command.WhichOneof("variant") or ""
        at: Any = getattr(command, kind)
        if kind in _CANCELS:
            taken_back = self._started.get((_CANCELS[kind], at.seq))
            if any(earlier is taken_back for earlier in task.commands):
                task.commands = [earlier for earlier in task.commands if earlier is not taken_back]
                return
        read = self._readers.get(kind)
        found = read(at, self._summary(command)) if read else None
        if found is not None:
            task.commands.append(found)
            if kind in _STARTS:
                self._started[kind, at.seq] = found

    def _summary(self, command: WorkflowCommand) -> str:
        if not command.user_metadata.HasField("summary"):
            return ""
        return quoted(self._converter.payload_converter.from_payload(command.user_metadata.summary, str))

    def _cancel(self, kind: str, started_by: str, seq: int) -> Command:
        started = self._started.get((started_by, seq))
        return Command(kind, note=started.note if started else "")

    def _update_response(self, at: Any) -> Command | None:
        name = self._updates.get(at.protocol_instance_id, "")
        if at.HasField("accepted"):
            self._accepted.add(at.protocol_instance_id)
            return Command("accept update", note=name)
        return Command("answer update", note=name) if at.protocol_instance_id in self._accepted else None
