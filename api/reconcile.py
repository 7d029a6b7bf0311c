"""`gudok reconcile`: compare PortOne with the ledger and the workflows now, watch it, and read what differs."""

import asyncio
import json
import secrets
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError

from api.difference_views import difference_view, progress_view
from billing.domain.differences import DifferenceState
from billing.ledger import DifferenceRow, Ledger
from billing.settings import Settings, load_settings
from billing.temporal import connect
from workflows.contracts import BILLING_TASK_QUEUE
from workflows.reconciliation.contracts import DEMAND_PREFIX, ReconciliationShown, StartReconciliation
from workflows.reconciliation.workflow import ReconciliationWorkflow

NOTHING_OPEN, DIFFERENCES_OPEN, NOT_COMPARED = 0, 1, 2
"""What the command exits with."""

MOST_SHOWN = 200
LOG_COLUMNS = 200
_POLL_SECONDS = 0.2

Handle = WorkflowHandle[ReconciliationWorkflow, ReconciliationShown]


def reconcile(
    *,
    start: Annotated[
        str | None, typer.Option("--from", help="2027-01-31, or with a time and zone; UTC without.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Not inside; now unless given.")] = None,
    settle_minutes: Annotated[
        int, typer.Option(min=0, max=1_440, help="Money younger than this is being settled at this moment.")
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Compare PortOne with the ledger and the workflows; exits with 0 when nothing is open, with 1 otherwise."""
    order = StartReconciliation(start=read_instant(start), end=read_instant(end), settle_minutes=settle_minutes)
    if order.start and order.end and order.end <= order.start:
        raise typer.BadParameter("--to must be after --from")
    console = Console()
    if not console.is_terminal:
        # In a log there is no width to fit into, and a table that wraps cannot be read.
        console = Console(width=LOG_COLUMNS)
    raise typer.Exit(asyncio.run(compare(load_settings(), order, console, as_json=as_json)))


def read_instant(text: str | None) -> datetime | None:
    """A day, or an instant, in UTC; one without a zone is taken as UTC.

    Raises:
        BadParameter: anything else.
    """
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter("use a day or an instant: 2027-01-31, 2027-01-31T09:00+09:00") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


async def compare(
    settings: Settings,
    order: StartReconciliation,
    console: Console,
    *,
    as_json: bool,
    temporal: Client | None = None,
    task_queue: str = BILLING_TASK_QUEUE,
) -> int:
    """Run a reconciliation to its end and print what stands open; answers what to exit with."""
    order = order.model_copy(update={"horizon_days": settings.schedule_horizon_days})
    temporal = temporal or await connect()
    ledger = Ledger(settings.database_url.get_secret_value())
    try:
        handle = await temporal.start_workflow(
            ReconciliationWorkflow.run,
            args=[order, None],
            id=DEMAND_PREFIX + secrets.token_hex(8),
            task_queue=task_queue,
            static_summary="PortOne against the ledger and the workflows, by gudok reconcile",
        )
        if not as_json:
            console.print(
                f"{settings.temporal_ui_url}/namespaces/{temporal.namespace}/workflows/{quote(handle.id, safe='')}"
            )
        shown = await (handle.result() if as_json else _watched(handle, console))
        rows = await ledger.differences.page(state=DifferenceState.OPEN, limit=MOST_SHOWN)
    except WorkflowFailureError as error:
        console.print(f"[red]not everything was compared[/]: {error.cause}")
        return NOT_COMPARED
    finally:
        await ledger.aclose()
    if as_json:
        document = {"run": progress_view(shown), "differences": [difference_view(row) for row in rows]}
        console.print_json(json.dumps(document, ensure_ascii=False))
    else:
        _print(console, shown, rows)
    return DIFFERENCES_OPEN if rows else NOTHING_OPEN


async def _watched(handle: Handle, console: Console) -> ReconciliationShown:
    columns = (
        TextColumn("{task.description:44}"),
        BarColumn(),
        TextColumn("{task.fields[found]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("choosing the windows", total=1, found="")
        result = asyncio.ensure_future(handle.result())
        while not (await asyncio.wait([result], timeout=_POLL_SECONDS))[0]:
            await _show(handle, progress, bar)
        return result.result()


async def _show(handle: Handle, progress: Progress, bar: TaskID) -> None:
    try:
        shown = await handle.query(ReconciliationWorkflow.progress)
    except (RPCError, WorkflowQueryFailedError):
        return
    doing = f"{shown.stretch.leg.value.replace('_', ' ')}, {shown.stretch.window}" if shown.stretch else "ending"
    progress.update(
        bar,
        description=doing,
        completed=shown.stretches_done,
        total=shown.stretches or 1,
        found=f"{shown.counts.get('opened', 0)} new",
    )


def _print(console: Console, shown: ReconciliationShown, rows: list[DifferenceRow]) -> None:
    counted = ", ".join(
        f"{number:,} {name.replace('_', ' ')}" for name, number in sorted(shown.counts.items()) if number
    )
    console.print(f"{shown.payments}, schedules until {shown.schedules_end:%Y-%m-%d}: {counted or 'nothing there'}")
    if not rows:
        console.print("[green]nothing differs[/]")
        return
    table = Table(title=f"{len(rows)} open", title_justify="left")
    for heading in ("id", "difference", "order or key", "payment", "PortOne", "here", "since", "rung"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            str(row.difference_id),
            row.kind.value,
            row.merchant_uid or row.customer_uid,
            row.imp_uid,
            row.portone,
            row.ledger,
            f"{row.first_seen:%Y-%m-%d %H:%M}",
            "yes" if row.rung_at else "no",
        )
    console.print(table)
    console.print("What each means and what to do: docs/runbooks/reconciliation.md")
