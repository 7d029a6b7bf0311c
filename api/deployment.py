"""`gudok deployment`: which version of the workers is given work; instant both ways (docs/runbooks/deploy.md)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from billing.deployments import Carried, DeploymentRefusedError, DeploymentState, WorkerDeployment
from billing.settings import load_settings
from billing.temporal import connect
from workflows.contracts import BILLING_TASK_QUEUE

UNVERSIONED = "unversioned"
"""What workers without a version are called on the command line."""

app = typer.Typer(no_args_is_help=True, help="Versions of the workers: which one is given work.")

Name = Annotated[str | None, typer.Option("--name", help="The deployment; TEMPORAL_DEPLOYMENT_NAME unless given.")]
BuildId = Annotated[str, typer.Argument(help="The version's build id: TEMPORAL_WORKER_BUILD_ID of its workers.")]


@app.command()
def status(*, name: Name = None) -> None:
    """Show which version is given work, and what each of them still carries."""
    _with(name, None)


@app.command()
def current(build_id: BuildId, *, name: Name = None) -> None:
    """Give all work to a version, at once; the way forward and the way back. `unversioned`: workers without one."""
    target = None if build_id == UNVERSIONED else build_id
    _with(name, lambda deployment: deployment.make_current(target))


@app.command()
def ramp(
    build_id: BuildId,
    percentage: Annotated[float, typer.Argument(min=0, max=100, help="How much of the work it is given.")],
    *,
    name: Name = None,
) -> None:
    """Give a part of the work to a version: whole workflows, chosen by their ids."""
    _with(name, lambda deployment: deployment.ramp(build_id, percentage))


def _with(name: str | None, change: Callable[[WorkerDeployment], Awaitable[None]] | None) -> None:
    chosen = name or load_settings().temporal_deployment_name
    if chosen is None:
        raise typer.BadParameter("name the deployment with --name, or set TEMPORAL_DEPLOYMENT_NAME")

    async def ask() -> DeploymentState:
        deployment = WorkerDeployment(await connect(), chosen)
        if change is not None:
            await change(deployment)
        return await deployment.describe(BILLING_TASK_QUEUE)

    try:
        Console().print(shown(asyncio.run(ask())))
    except DeploymentRefusedError as error:
        typer.echo(f"gudok: {error}", err=True)
        raise typer.Exit(1) from None


def shown(state: DeploymentState) -> Table:
    """A deployment as a table: a row for each version, and one for workflows that never met a version."""
    table = Table(title=f"deployment {state.name}")
    for heading in ("version", "status", "workers", "running workflows", "pinned to it", "stuck"):
        table.add_column(heading, justify="left" if heading in ("version", "status") else "right")
    for version in state.versions:
        share = f" {state.ramp_percentage:g} %" if version.build_id == state.ramping else ""
        table.add_row(version.build_id, version.status + share, str(version.workers), *_counts(version.carried))
    if state.unversioned.running or state.current is None:
        table.add_row(UNVERSIONED, "current" if state.current is None else "", "", *_counts(state.unversioned))
    return table


def _counts(carried: Carried) -> tuple[str, str, str]:
    stuck = f"[red]{carried.stuck}[/]" if carried.stuck else "0"
    return str(carried.running), str(carried.pinned), stuck
