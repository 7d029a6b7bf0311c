"""Replaying histories on the code of today, with a reason for each that does not replay."""

import dataclasses
import functools
import gzip
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import ParseError
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import Replayer, WorkflowRunner
from temporalio.workflow import Info

from api.asked import Asked
from api.divergence import Divergence, divergence
from api.fingerprint import Task, fingerprint
from billing.temporal import DATA_CONVERTER
from billing.workflow_runner import WatchedRunner

_MESSAGE = re.compile(r'message: "((?:[^"\\]|\\.)*)"')

HISTORY_SUFFIXES = (".json.gz", ".json")
"""What a history's file ends with: as `temporal workflow show -o json` writes it, compressed or not."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One history and what became of it.

    `failure` is Temporal's own message and None when the history replays.
    `divergence` says where code and history part, as far as the SDK let it be seen.
    """

    history: WorkflowHistory
    asked: Sequence[Task]
    failure: str | None = None
    divergence: Divergence | None = None


class NotAHistoryError(ValueError):
    """A file that holds no workflow's history."""


def read_history(path: Path) -> WorkflowHistory:
    """The history in a file, named like the file.

    Raises:
        NotAHistoryError: it holds something else.
    """
    name = path.name.removesuffix(".gz").removesuffix(".json")
    try:
        content = path.read_bytes()
        data = gzip.decompress(content) if path.suffix == ".gz" else content
        history = WorkflowHistory.from_json(name, data.decode())
    except (OSError, EOFError, ValueError, ParseError) as error:
        raise NotAHistoryError(f"{path}: {error or 'empty'}") from error
    if not history.events:
        raise NotAHistoryError(f"{path}: there are no events in it")
    return history


def history_files(folder: Path) -> list[Path]:
    """The histories in a folder and below it, by path."""
    return sorted(path for path in folder.rglob("*") if path.name.endswith(HISTORY_SUFFIXES))


async def replay_all(
    histories: AsyncIterator[WorkflowHistory], workflows: Sequence[type], runner: WorkflowRunner
) -> AsyncIterator[Replayed]:
    """Replay one history after the other on `workflows`; every one is answered, whatever became of those before it."""
    asked = Asked(DATA_CONVERTER)
    named = WorkflowHistory("", ())

    async def fed() -> AsyncIterator[WorkflowHistory]:
        nonlocal asked, named
        async for named in histories:
            asked = Asked(DATA_CONVERTER)
            # A workflow may decide by its own id, and a file has another name.
            yield dataclasses.replace(named, workflow_id=_id_it_ran_under(named))

    def listen(_info: Info, activation: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        asked.add(activation, completion)

    replayer = Replayer(
        workflows=workflows,
        data_converter=DATA_CONVERTER,
        workflow_runner=WatchedRunner(runner, listen),
        runtime=_quiet_runtime(),
    )
    async with replayer.workflow_replay_iterator(fed()) as results:
        async for result in results:
            failure, found = result.replay_failure, None
            if failure is not None:
                found = divergence(await fingerprint(named, DATA_CONVERTER), asked.tasks)
            yield Replayed(named, asked.tasks, _message(failure, asked.tasks) if failure else None, found)


def _id_it_ran_under(history: WorkflowHistory) -> str:
    return history.events[0].workflow_execution_started_event_attributes.workflow_id or history.workflow_id


@functools.cache
def _quiet_runtime() -> Runtime:
    """Temporal's core without its own warnings: what they say is told by `Replayed`, and in fewer words."""
    errors = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(errors)))


def _message(failure: Exception, asked: Sequence[Task]) -> str:
    """What failed, in one sentence: the code's own exception, or what Temporal says, out of the dump it comes in."""
    for task in asked:
        if task.failure is not None:
            return task.failure
    found = _MESSAGE.search(str(failure))
    return found[1] if found else str(failure)
