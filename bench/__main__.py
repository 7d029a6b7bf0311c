"""`gudok bench`: what the parts hold, cost and how fast they are, measured on this machine, from a checkout."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import cycles as cycles_at_one_instant
from bench import emulator as emulator_at_size
from bench import starts as starts_by_card
from bench.figures import Report

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, help="Measure size, cost and speed on this machine."
)

Base = Annotated[int, typer.Option(min=1, help="The smallest amount of work; four and sixteen times it follow.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often all of it is measured: medians are of so many.")]
Json = Annotated[Path | None, typer.Option("--json", help="A file for every figure of every run.")]
Folder = Annotated[Path | None, typer.Option(help="An empty or new folder for data and logs; else a passing one.")]
Say = Callable[[str], None]


@app.callback()
def benches() -> None:
    """Measure size, cost and speed on this machine."""


@app.command()
def cycles(*, base: Base = 10, rounds: Rounds = 3, as_json: Json = None, folder: Folder = None) -> None:
    """What a settled cycle costs, all due at one instant, beside a bare workflow; exits with 1 when one was untold."""
    report = _measured(lambda data, say: cycles_at_one_instant.measure(base, rounds, data, say), as_json, folder)
    if any(run["waited_for_deadline"] for run in report.of("cycle")):
        raise typer.Exit(1)


@app.command()
def starts(*, base: Base = 16, rounds: Rounds = 3, as_json: Json = None, folder: Folder = None) -> None:
    """What a start by card costs and how long it takes, sixteen at once, beside a bare workflow."""
    _measured(lambda data, say: starts_by_card.measure(base, rounds, data, say), as_json, folder)


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
    if due > count // 2:
        raise typer.BadParameter("at most half of the schedules can be due in one minute")
    if state_file is not None and state_file.exists():
        raise typer.BadParameter(f"{state_file} is there already; the state begins empty")
    console, begun = Console(), time.monotonic()
    figures = asyncio.run(emulator_at_size.run(count, due, state_file, _saying(console, begun)))
    console.print(figures.table(f"The emulator with {count:,} schedules, {time.monotonic() - begun:.0f} s"))
    if not figures.clean:
        raise typer.Exit(1)


def _measured(
    bench: Callable[[Path, Say], Coroutine[Any, Any, Report]], as_json: Path | None, folder: Path | None
) -> Report:
    if not Path("/proc/self/stat").exists():
        typer.echo("gudok: the CPU of a process is read from /proc, which only Linux has", err=True)
        raise typer.Exit(1)
    console, begun = Console(), time.monotonic()
    with _empty(folder) as data:
        report = asyncio.run(bench(data, _saying(console, begun)))
    console.print(report.table())
    if as_json is not None:
        report.write(as_json)
    return report


@contextlib.contextmanager
def _empty(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="gudok-bench-") as passing:
            yield Path(passing)
    elif folder.exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty; it would be emptied")
    else:
        yield folder


def _saying(console: Console, begun: float) -> Say:
    def say(line: str) -> None:
        console.print(f"{time.monotonic() - begun:6.0f} s  {line}", highlight=False, soft_wrap=True)
        # Into a file, too, a line is there as soon as it is said.
        console.file.flush()

    return say


if __name__ == "__main__":
    app()
