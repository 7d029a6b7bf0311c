"""`gudok clock`: test clocks on the command line."""

import asyncio
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from temporalio.service import RPCError, RPCStatusCode

from api.advances import why_refused
from api.clock import NoTestClockError, Step, SubscriptionClock, world_time
from api.distance import read_distance
from api.reconcile import read_instant
from billing.settings import Settings, load_settings
from billing.temporal import connect

app = typer.Typer(no_args_is_help=True, help="Test clocks: one subscription's own time.")


@app.callback()
def clocks() -> None:
    """Test clocks: one subscription's own time."""


@app.command("advance")
def clock_advance(
    customer_uid: str,
    distance: Annotated[str | None, typer.Argument(help="31d, 12h, or ISO 8601: P1Y.")] = None,
    *,
    to: Annotated[str | None, typer.Option(help="An instant instead: 2027-01-31T09:00+09:00.")] = None,
) -> None:
    """Move one subscription's whole world, from due to due: `gudok clock advance gildong_0001 31d`."""
    settings = load_settings()
    if (reason := why_refused(settings)) is not None:
        raise typer.BadParameter(reason)
    instant = read_instant(to)
    if (distance is None) == (instant is None):
        raise typer.BadParameter("give either a distance or --to")
    try:
        asyncio.run(_advance(settings, customer_uid, distance, instant))
    except NoTestClockError as error:
        typer.echo(f"gudok: {error}", err=True)
        raise typer.Exit(1) from None
    except RPCError as error:
        unknown = error.status is RPCStatusCode.NOT_FOUND
        reason = f"there is no subscription under {customer_uid}" if unknown else f"Temporal says: {error.message}"
        typer.echo(f"gudok: {reason}", err=True)
        raise typer.Exit(1) from None


async def _advance(settings: Settings, customer_uid: str, distance: str | None, instant: datetime | None) -> None:
    start = (await world_time(settings.portone_url, customer_uid)).now
    target = instant or start
    if distance is not None:
        try:
            target = read_distance(distance).after(start)
        except ValueError as error:
            raise typer.BadParameter(f"the distance {error}") from None
    if target <= start:
        raise typer.BadParameter(f"it is {start:%Y-%m-%d %H:%M} already for {customer_uid}")
    # Without markup: a customer_uid and an order number are printed as they are.
    console = Console(markup=False, highlight=False, soft_wrap=True)
    made: list[Step] = []

    def told(step: Step) -> None:
        made.append(step)
        console.print(line_of(step))

    clock = SubscriptionClock(await connect(), settings.portone_url, customer_uid)
    now = await clock.advance_to(target, told)
    charges = sum(len(step.charged) for step in made)
    console.print(
        f"it is now {now:%Y-%m-%d %H:%M %Z} for {customer_uid}: {_counted(len(made), 'step')}, "
        f"{_counted(charges, 'charge')} since {start:%Y-%m-%d %H:%M}"
    )


def line_of(step: Step) -> str:
    """One step for a person: when, the subscription's state and period, and what was charged."""
    snapshot = step.snapshot
    line = f"{step.at:%Y-%m-%d %H:%M}  {snapshot.status.value:<9} period {snapshot.cycle:<4}"
    told = [f"charged {each.amount:,} {each.currency} as {each.merchant_uid}" for each in step.charged]
    if not told and snapshot.failed_attempts:
        told = [f"declined {_counted(snapshot.failed_attempts, 'time')}"]
    return f"{line} {', '.join(told)}".rstrip()


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
