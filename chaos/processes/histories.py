"""Every history that was made in a siege, replayed on the code of each version that must be able to carry it."""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner

from api.replay import Replayed, replay_all
from chaos.invariants import Violation
from chaos.processes.releases import Kind, workflows_of
from chaos.versions import Histories

REPLAYS = "every history replays"
CARRIED = "every task is carried"
"""The names of the invariants."""

_AT_ONCE = 100
_PATCH_MARKER = "core_patch"
_DIVERGED = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
_SUBSCRIPTION = "subscription/"
_CODES = {Kind.OWN: Kind.OWN, Kind.DARK: Kind.LIT, Kind.LIT: Kind.LIT, Kind.CARELESS: Kind.CARELESS}
"""Dark and lit are one code: a replay takes a patch where the history has it."""


@dataclass(frozen=True, slots=True)
class Replays:
    """What became of every history, and which promises that breaks."""

    histories: Histories
    broken: Sequence[Violation]


async def every_history(temporal: Client) -> AsyncIterator[WorkflowHistory]:
    """The history of each run there is, open or closed, those of a chain after each other."""
    seen: set[str] = set()
    async for listed in temporal.list_workflows():
        run_id = listed.run_id
        # The list lags behind, and a run says itself which one follows it.
        while run_id and run_id not in seen:
            seen.add(run_id)
            history = await temporal.get_workflow_handle(listed.id, run_id=run_id).fetch_history()
            yield history
            run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id


async def replayed(temporal: Client, kinds: Collection[Kind]) -> Replays:
    """Replay every history of a namespace.

    Args:
        temporal: its client.
        kinds: of all releases that were given work; each must carry everything, but that the product's own code, which
            knows no patch, cannot carry what has taken one: nobody goes back there.
    """
    codes = sorted({_CODES[kind] for kind in kinds})
    counted, builds, broken = Histories(), set[str](), list[Violation]()
    async for some in _in_batches(every_history(temporal)):
        failed: dict[str, Violation] = {}
        for code in codes:
            carried = [each for each in some if code is not Kind.OWN or not has_taken_a_patch(each)]
            async for result in replay_all(_each(carried), workflows_of(code), UnsandboxedWorkflowRunner()):
                if result.failure is not None:
                    failed.setdefault(result.history.run_id, _does_not_replay(result, code))
        for history in some:
            own = _builds(history)
            builds |= own
            counted.moved += len(own) > 1
            counted.patched += has_taken_a_patch(history)
            broken += _failed_tasks(history)
        counted.made += len(some)
        counted.failed += len(failed)
        broken += failed.values()
    counted.replayed, counted.versions = counted.made - counted.failed, len(builds)
    return Replays(counted, broken)


async def _in_batches(histories: AsyncIterator[WorkflowHistory]) -> AsyncIterator[list[WorkflowHistory]]:
    """Some at a time: a night makes more than fits into memory."""
    some: list[WorkflowHistory] = []
    async for history in histories:
        some.append(history)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    yield some


async def _each(histories: Sequence[WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
    for history in histories:
        yield history


def has_taken_a_patch(history: WorkflowHistory) -> bool:
    """Whether a release that takes its patch has carried this run past it."""
    return any(event.marker_recorded_event_attributes.marker_name == _PATCH_MARKER for event in history.events)


def _builds(history: WorkflowHistory) -> set[str]:
    """The versions that have completed its workflow tasks."""
    completed = (event.workflow_task_completed_event_attributes for event in history.events)
    return {task.deployment_version.build_id for task in completed if task.started_event_id}


def _failed_tasks(history: WorkflowHistory) -> Iterator[Violation]:
    """Tasks that a version was given and whose history its code did not replay, also where another one went on."""
    for event in history.events:
        failed = event.workflow_task_failed_event_attributes
        if failed.cause == _DIVERGED:
            says = f"a task of {_named(history)} failed on {failed.worker_version.build_id or failed.identity}"
            yield Violation(CARRIED, _customer_of(history), history.run_id, f"{says}: {failed.failure.message[:300]}")


def _does_not_replay(result: Replayed, code: Kind) -> Violation:
    where = f" {result.divergence.reason}" if result.divergence else ""
    says = f"{_named(result.history)} does not replay on {code} code:{where} {result.failure}"
    return Violation(REPLAYS, _customer_of(result.history), result.history.run_id, says)


def _named(history: WorkflowHistory) -> str:
    return f"{history.workflow_id} ({len(history.events)} events)"


def _customer_of(history: WorkflowHistory) -> str:
    return history.workflow_id.removeprefix(_SUBSCRIPTION)
