"""`gudok replay`: does the code of today carry on what is written in these histories?

A deploy asks it twice: of the committed histories before a change lands, and with `--open` of the running workflows
before a version is given work (docs/runbooks/deploy.md). With `--what-if` it asks more: whether the code of today would
have moved the same money.
"""

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.text import Text
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from api.checkout import checkout_with
from api.fingerprint import fingerprint, text, workflow_type
from api.history_sources import COMMITTED, named, running
from api.replay import NotAHistoryError, Replayed, replay_all
from billing.temporal import DATA_CONVERTER, connect

_NOT_HERE = """\
gudok: what histories are run on is in the project's checkout, not in what is installed; in a checkout:
  make .venv/.ready && .venv/bin/gudok replay --what-if"""

_COLOURS = {"-": "red", "+": "green", "@": "cyan"}


def replay(
    what: Annotated[
        str | None,
        typer.Argument(help=f"A folder, a file, or a workflow id; without it {COMMITTED}."),
    ] = None,
    *,
    every_open: Annotated[bool, typer.Option("--open", help="Every running workflow on Temporal.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="With --open: so many of them, the newest first.")] = None,
    commands: Annotated[bool, typer.Option("--commands", help="Print the commands of each history.")] = False,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Run what came in on this code, and show where money would differ.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="With --what-if: also write what was found to this file.")
    ] = None,
) -> None:
    """Replay histories on this code, and say of each that does not replay which command parts the two.

    With --what-if, from a checkout: exit code 1 says that money would differ, or that this code cannot run on.
    """
    if what_if:
        _what_if(what, every_open=every_open, limit=limit, commands=commands, json_file=json_file)
    if json_file is not None:
        raise typer.BadParameter("only what --what-if finds is written", param_hint="--json")
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


def _what_if(
    what: str | None, *, every_open: bool, limit: int | None, commands: bool, json_file: Path | None
) -> NoReturn:
    """Hand on to `chaos.what_if`, which stands in the checkout: a process of its own, as for `gudok chaos`."""
    if commands:
        raise typer.BadParameter("--what-if follows no commands", param_hint="--commands")
    folder = checkout_with("chaos")
    if folder is None:
        typer.echo(_NOT_HERE, err=True)
        raise typer.Exit(1)
    words = [
        *([what] if what is not None else []),
        *(["--open"] if every_open else []),
        *(["--limit", str(limit)] if limit is not None else []),
        *(["--json", str(json_file)] if json_file is not None else []),
    ]
    found = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "chaos.what_if", *words]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": found}, check=False)  # noqa: S603 - our own module
    raise typer.Exit(ended.returncode)


async def _replay(what: str | None, *, every_open: bool, limit: int | None, commands: bool) -> bool:
    from worker import SANDBOX, WORKFLOWS  # noqa: PLC0415 - the composition root stands beside the packages

    console = Console()
    source = await running(await connect(), WORKFLOWS, limit) if every_open else await named(what)
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
