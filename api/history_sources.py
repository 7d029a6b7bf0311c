"""Where recorded histories come from: a folder, a file, a workflow id, or everything that runs on Temporal."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from api.replay import history_files, read_history
from billing.deployments import OPEN
from billing.temporal import connect

COMMITTED = Path("tests/replay/histories")
"""Where a checkout keeps the histories that every version must replay."""


@dataclass(frozen=True, slots=True)
class Source:
    """Histories, and how many of them there are."""

    histories: AsyncIterator[WorkflowHistory]
    count: int


async def named(what: str | None) -> Source:
    """The histories of a folder, a file or a workflow id.

    Raises:
        BadParameter: it is none of them.
    """
    path = COMMITTED if what is None else Path(what)
    if path.is_dir():
        files = history_files(path)
    elif path.is_file():
        files = [path]
    elif what is None:
        raise typer.BadParameter(f"there is no {COMMITTED} here; name a folder, a file or a workflow id, or use --open")
    else:
        return Source(_each([await _fetch(await connect(), what)]), 1)
    if not files:
        raise typer.BadParameter(f"there is no history in {path}")
    return Source(_from_files(files), len(files))


async def _fetch(temporal: Client, workflow_id: str) -> WorkflowHistory:
    try:
        return await temporal.get_workflow_handle(workflow_id).fetch_history()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise typer.BadParameter(f"{workflow_id} is neither a file nor a workflow that Temporal knows") from None


async def running(temporal: Client, workflows: Sequence[type], limit: int | None) -> Source:
    """The running workflows of our own types; one that ends or continues as new meanwhile is left out."""
    types = ", ".join(f'"{workflow.__name__}"' for workflow in workflows)
    query = f"{OPEN} AND WorkflowType IN ({types})"
    count = (await temporal.count_workflows(query)).count

    async def histories() -> AsyncIterator[WorkflowHistory]:
        async for found in temporal.list_workflows(query, limit=limit):
            try:
                yield await temporal.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise

    return Source(histories(), count if limit is None else min(limit, count))


async def _from_files(files: Sequence[Path]) -> AsyncIterator[WorkflowHistory]:
    for path in files:
        yield read_history(path)


async def _each(histories: Sequence[WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
    for history in histories:
        yield history
