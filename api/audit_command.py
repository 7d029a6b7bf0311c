"""`gudok audit`: read PortOne, the ledger and the workflows, and say which promise does not hold, and where."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from temporalio.client import Client
from temporalio.service import RPCError

from api.audit_reading import Audit, Auditor, Told
from api.reconcile import LOG_COLUMNS, read_instant
from billing.clocks import Clocks, ClocksAwayError
from billing.domain.audit import Judgement, Leeways, Violation
from billing.domain.windows import Window
from billing.ledger import Ledger, LedgerError
from billing.portone import PortOneError
from billing.settings import Settings, load_settings
from billing.temporal import connect
from workflows.contracts import BILLING_TASK_QUEUE

EVERYTHING_HOLDS, SOMETHING_DOES_NOT, NOT_AUDITED = 0, 1, 2
"""What the command exits with."""

LOOK_BACK_DAYS = 35
"""Late approvals, and refunds of the period before, lie inside."""

MOST_SHOWN = 200


def audit(
    *,
    start: Annotated[
        str | None, typer.Option("--from", help="2027-01-31, or with a time and zone; UTC without.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Not inside; now unless given.")] = None,
    days: Annotated[
        int, typer.Option(min=1, max=3_650, help="How many days back, unless --from says.")
    ] = LOOK_BACK_DAYS,
    settle_minutes: Annotated[
        int, typer.Option(min=0, max=1_440, help="Money younger than this is being settled at this moment.")
    ] = 10,
    overdue_minutes: Annotated[
        int | None, typer.Option(min=1, max=10_080, help="How long something may be due; GUDOK_OVERDUE_MINUTES.")
    ] = None,
    webhook_minutes: Annotated[
        int, typer.Option(min=1, max=10_080, help="How long a webhook may wait for what it comes to.")
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing where everything holds: for cron.")] = False,
) -> None:
    """Judge the books; exits with 0 when everything holds, 1 when something does not, 2 when not all could be read."""
    settings = load_settings()
    leeways = Leeways(
        settle=timedelta(minutes=settle_minutes),
        overdue=timedelta(minutes=overdue_minutes or settings.overdue_minutes),
        webhook=timedelta(minutes=webhook_minutes),
    )
    begin, until = read_instant(start), read_instant(end)
    if begin and until and until <= begin:
        raise typer.BadParameter("--to must be after --from")
    out = Console()
    if not out.is_terminal:
        # In a log there is no width to fit into, and a table that wraps cannot be read.
        out = Console(width=LOG_COLUMNS)
    raise typer.Exit(
        asyncio.run(run_audit(settings, out, leeways, start=begin, end=until, days=days, as_json=as_json, quiet=quiet))
    )


async def run_audit(
    settings: Settings,
    out: Console,
    leeways: Leeways,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    days: int = LOOK_BACK_DAYS,
    as_json: bool = False,
    quiet: bool = False,
    temporal: Client | None = None,
    task_queue: str = BILLING_TASK_QUEUE,
) -> int:
    """Audit, print what was found, and answer what to exit with."""
    from worker import portone_client  # noqa: PLC0415 - only where the whole is put together

    ledger, client = Ledger(settings.database_url.get_secret_value()), portone_client(settings)
    with _Progress(quiet=quiet or as_json or not out.is_terminal) as progress:
        try:
            at = datetime.now(UTC)
            window = await _window(settings, at, start, end, days)
            auditor = Auditor(
                settings, client, ledger, temporal or await connect(), told=progress.told, task_queue=task_queue
            )
            found = await auditor.audit(window, leeways, at)
        except (PortOneError, LedgerError, RPCError, ClocksAwayError, RuntimeError, ExceptionGroup) as error:
            return not_read(out, error, as_json=as_json)
        finally:
            await client.aclose()
            await ledger.aclose()
    holds = not found.violations
    if as_json:
        out.print_json(json.dumps(_document(found), ensure_ascii=False))
    elif not (quiet and holds):
        _print(out, found)
    return EVERYTHING_HOLDS if holds else SOMETHING_DOES_NOT


async def _window(settings: Settings, at: datetime, start: datetime | None, end: datetime | None, days: int) -> Window:
    """The time that is judged; without an end until the furthest clock there is."""
    until = end or (await Clocks(settings).read(at)).latest() + timedelta(minutes=1)
    begin = start or min(at, until) - timedelta(days=days)
    return Window(min(begin, until - timedelta(minutes=1)), until)


def not_read(out: Console, error: BaseException, *, as_json: bool) -> int:
    """Say why the books could not be read; answers what to exit with."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    reason = f"{type(error).__name__}: {error}"
    if as_json:
        out.print_json(json.dumps({"audited": False, "reason": reason}))
    else:
        out.print(f"[red]not everything could be read[/]: {reason}", soft_wrap=True)
    return NOT_AUDITED


class _Progress:
    """What is being read, on the terminal's error stream; nothing where nobody looks."""

    def __init__(self, *, quiet: bool) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._shown = None if quiet else Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._shown.add_task("reading", total=None) if self._shown else None
        self.told: Told = self._tell

    def __enter__(self) -> Self:
        if self._shown is not None:
            self._shown.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._shown is not None:
            self._shown.stop()

    def _tell(self, what: str, rows: int) -> None:
        if self._shown is not None and self._task is not None:
            self._shown.update(self._task, description=f"{what}: {rows:,}")


def _document(found: Audit) -> dict[str, Any]:
    return {
        "audited": True,
        "at": found.at.isoformat(),
        "from": found.window.start.isoformat(),
        "to": found.window.end.isoformat(),
        "read": found.counts,
        "holds": not found.violations,
        "invariants": [_judged(each) for each in found.judgements],
    }


def _judged(each: Judgement) -> dict[str, Any]:
    return {
        "name": each.invariant.name,
        "statement": each.invariant.statement,
        "holds": each.holds,
        "not_judged_without": [book.value for book in each.missing],
        "violations": [_violation(found) for found in each.violations],
    }


def _violation(found: Violation) -> dict[str, Any]:
    return {
        "sentence": found.sentence,
        "customer_uid": found.customer_uid,
        "subscription_id": found.subscription_id,
        "cycle": found.cycle,
        "merchant_uids": list(found.merchant_uids),
        "imp_uids": list(found.imp_uids),
        "workflow_id": found.workflow_id,
    }


def _print(out: Console, found: Audit) -> None:
    read = ", ".join(f"{number:,} {name}" for name, number in found.counts.items())
    out.print(f"{found.window}: {read}")
    table = Table(title="What must hold", title_justify="left")
    for heading in ("invariant", "holds", "statement"):
        table.add_column(heading, overflow="fold")
    for each in found.judgements:
        table.add_row(each.invariant.name, _word(each), each.invariant.statement)
    out.print(table)
    if not found.violations:
        out.print("[green]everything that could be judged holds[/]")
        return
    listed = Table(title=f"{len(found.violations)} violations", title_justify="left")
    for heading in ("invariant", "what", "orders", "payments"):
        listed.add_column(heading, overflow="fold")
    for name, violation in found.violations[:MOST_SHOWN]:
        listed.add_row(name, violation.sentence, "\n".join(violation.merchant_uids), "\n".join(violation.imp_uids))
    out.print(listed)
    out.print("What each means and what to do: docs/runbooks/audit.md")


def _word(each: Judgement) -> str:
    if each.holds is None:
        return f"not judged without {each.missing[0].value}"
    return "[green]yes[/]" if each.holds else f"[red]{len(each.violations)} violations[/]"
