"""`gudok chaos`: the fault harness, which stands in the checkout and not in what is installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import typer

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Every argument is the harness's own, `--help` too."""

_NOT_HERE = """\
gudok: the fault harness is in the project's checkout, not in what is installed; in a checkout:
  make .venv/.ready && .venv/bin/gudok chaos"""


def chaos(context: typer.Context) -> None:
    """Break what can be broken, two things at a time, and hold the books against each other (from a checkout)."""
    folder = _checkout()
    if folder is None:
        typer.echo(_NOT_HERE, err=True)
        raise typer.Exit(1)
    # A process of its own: the product never imports what breaks it.
    ended = subprocess.run([sys.executable, "-m", "chaos", *context.args], cwd=folder, check=False)  # noqa: S603
    raise typer.Exit(ended.returncode)


def _checkout() -> Path | None:
    """The folder in which the harness stands beside this product; another package of that name is not it."""
    here = Path(__file__).parents[1]
    found = importlib.util.find_spec("chaos")
    return here if found is not None and found.origin == str(here / "chaos" / "__init__.py") else None
