"""`python -m chaos.what_if`: what `gudok replay --what-if` hands on to."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from temporalio.client import WorkflowHistory

from api.fingerprint import workflow_type
from api.history_sources import Source, named, running
from api.replay import NotAHistoryError
from billing.temporal import connect
from chaos.what_if.comparing import compared
from chaos.what_if.recording import SUBSCRIPTION, UnreadableError, recording_of
from chaos.what_if.report import Found, tell, tell_sum, tell_unreadable, write_json
from workflows.subscription.workflow import SubscriptionWorkflow

app = typer.Typer(add_completion=False)


@app.command()
def what_if(
    what: Annotated[str | None, typer.Argument(help="A folder, a file, or a workflow id.")] = None,
    *,
    every_open: Annotated[bool, typer.Option("--open", help="Every running subscription on Temporal.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="With --open: so many of them, the newest first.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write what was found to this file.")] = None,
) -> None:
    """Run what came in of recorded subscriptions on this code, and show where money would differ."""
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder for {json_file}", param_hint="--json")
    # What today's code raises is told here, in fewer words than the SDK's own.
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    console, found = Console(), Found()
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("reading", total=None)
        with asyncio.Runner() as runner:
            try:
                source = runner.run(_source(what, limit, every_open=every_open))
                progress.update(bar, total=source.count)
                while (history := runner.run(_next(source.histories))) is not None:
                    progress.update(bar, advance=1, description=escape(history.workflow_id))
                    _take(runner, history, found, console)
            except NotAHistoryError as error:
                raise typer.BadParameter(str(error)) from None
    tell_sum(console, found)
    if json_file is not None:
        write_json(json_file, found)
    if not found.is_same:
        raise typer.Exit(1)


async def _source(what: str | None, limit: int | None, *, every_open: bool) -> Source:
    return await running(await connect(), [SubscriptionWorkflow], limit) if every_open else await named(what)


async def _next(histories: AsyncIterator[WorkflowHistory]) -> WorkflowHistory | None:
    return await anext(histories, None)


def _take(runner: asyncio.Runner, history: WorkflowHistory, found: Found, console: Console) -> None:
    kind = workflow_type(history)
    if kind != SUBSCRIPTION:
        found.skipped[kind] += 1
        return
    try:
        recording = runner.run(recording_of(history))
    except UnreadableError as error:
        found.unreadable[history.workflow_id] = str(error)
        tell_unreadable(console, history.workflow_id, str(error))
        return
    if recording is not None:
        # In a loop of its own, in virtual time: none may run meanwhile.
        one = compared(recording)
        found.compared.append(one)
        tell(console, one)


if __name__ == "__main__":
    app()
