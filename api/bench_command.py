"""`gudok bench`: what the parts hold and how fast they are, measured on this machine, from a checkout."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="Measure size and speed on this machine.")


@app.callback()
def benches() -> None:
    """Measure size and speed on this machine."""


@app.command()
def emulator(
    *,
    count: Annotated[int, typer.Option(min=1_000, help="Schedules that are held.")] = 1_000_000,
    due: Annotated[int, typer.Option(min=60, help="Schedules of them that come due in the same minute.")] = 10_000,
    state_file: Annotated[
        Path | None, typer.Option(help="A new file for the state; then the emulator is also killed in the middle.")
    ] = None,
) -> None:
    """Fill a PortOne emulator, let a minute come due, and count every webhook; exits with 1 when one is missing."""
    try:
        from bench.emulator import run  # noqa: PLC0415 - what measures stands in a checkout, and only this starts it
    except ModuleNotFoundError:
        typer.echo("gudok: what measures is in the project's checkout, not in what is installed", err=True)
        raise typer.Exit(1) from None
    if due > count // 2:
        raise typer.BadParameter("at most half of the schedules can be due in one minute")
    if state_file is not None and state_file.exists():
        raise typer.BadParameter(f"{state_file} is there already; the state begins empty")
    console, begun = Console(), time.monotonic()

    def say(line: str) -> None:
        console.print(f"{time.monotonic() - begun:6.0f} s  {line}", highlight=False)

    figures = asyncio.run(run(count, due, state_file, say))
    console.print(figures.table(f"The emulator with {count:,} schedules, {time.monotonic() - begun:.0f} s"))
    if not figures.clean:
        raise typer.Exit(1)
