"""`gudok bench`: hands its words on to the measurements of a checkout, which run as a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import typer

CHECKOUT = Path(__file__).resolve().parents[1]


def bench(context: typer.Context) -> None:
    """Measure size, cost and speed on this machine; `gudok bench --help` lists what can be measured."""
    if not (CHECKOUT / "bench" / "__main__.py").exists():
        typer.echo("gudok: what measures is in the project's checkout, not in what is installed", err=True)
        raise typer.Exit(1)
    # By its place and not by its name alone: other projects have a `bench` too.
    found = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "bench", *context.args]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": found}, check=False)  # noqa: S603 - our own module
    raise typer.Exit(done.returncode)
