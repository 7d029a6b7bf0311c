"""`gudok replay`: does the code of today carry on what is written in these histories?

A deploy asks it twice: of the committed histories before a change lands, and with `--open` of the running workflows
before a version is given work (docs/runbooks/deploy.md).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.text import Text
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from api.fingerprint import fingerprint, text, workflow_type
from api.replay import NotAHistoryError, Replayed, history_files, read_history, replay_all
from billing.deployments import OPEN
from billing.temporal import DATA_CONVERTER, connect

COMMITTED = Path("tests/replay/histories")
"""Where a checkout keeps the histories that every version must replay."""

_COLOURS = {"-": "red", "+": "green", "@": "cyan"}


@dataclass(frozen=True, slots=True)
class Source:
    """Histories, and how many of them there are."""

    histories: AsyncIterator[WorkflowHistory]
    count: int


def replay(
    what: Annotated[
        str | None,
        typer.Argument(help=f"A folder, a file, or a workflow id; without it {COMMITTED}."),
    ] = None,
    *,
    every_open: Annotated[bool, typer.Option("--open", help="Every running workflow on Temporal.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="With --open: so many of them, the newest first.")] = None,
    commands: Annotated[bool, typer.Option("--commands", help="Print the commands of each history.")] = False,
) -> None:
    """Replay histories on this code, and say of each that does not replay which command parts the two."""
    # A workflow task that fails is what this looks for: it is told here, in fewer words than the SDK's own.
    logger = logging.getLogger("temporalio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        fine = asyncio.run(_replay(what, every_open=every_open, limit=limit, commands=commands))
    except NotAHistoryError as error:
        raise typer.BadParameter(str(error)) from None
    finally:
        logger.setLevel(level)
    if not fine:
        raise typer.Exit(1)


async def _replay(what: str | None, *, every_open: bool, limit: int | None, commands: bool) -> bool:
    from worker import SANDBOX, WORKFLOWS  # noqa: PLC0415 - the composition root stands beside the packages

    console = Console()
    source = await _running(await connect(), WORKFLOWS, limit) if every_open else await _named(what)
    replayed = failed = 0
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("replaying", total=source.count)
        async for result in replay_all(source.histories, WORKFLOWS, SandboxedWorkflowRunner(restrictions=SANDBOX)):
            replayed += 1
            progress.update(bar, advance=1, description=escape(result.history.workflow_id))
            if result.failure is not None:
                failed += 1
                _tell(console, result)
            if commands:
                console.print(Text(text(await fingerprint(result.history, DATA_CONVERTER))), soft_wrap=True)
    console.print(f"{replayed - failed} of {replayed} histories replay on this code")
    return failed == 0


def _tell(console: Console, result: Replayed) -> None:
    history = result.history
    lines = [Text.assemble(("does not replay", "red"), f"  {history.workflow_id} ({workflow_type(history)})")]
    lines.append(Text(f"  {result.failure}"))
    if result.divergence is not None:
        lines.append(Text(f"  {result.divergence.reason}", style="bold"))
        lines += [Text(line, style=_COLOURS.get(line[:1], "")) for line in result.divergence.diff.splitlines()]
    for line in lines:
        console.print(line, soft_wrap=True)


async def _named(what: str | None) -> Source:
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


async def _running(temporal: Client, workflows: Sequence[type], limit: int | None) -> Source:
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
