"""`gudok chaos`: the fault harness, which stands in the checkout and not in what is installed."""

import subprocess
import sys

import typer

from api.checkout import checkout_with

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Every argument is the harness's own, `--help` too."""

_NOT_HERE = """\
gudok: the fault harness is in the project's checkout, not in what is installed; in a checkout:
  make .venv/.ready && .venv/bin/gudok chaos"""


def chaos(context: typer.Context) -> None:
    """Break what can be broken, two things at a time, and hold the books against each other (from a checkout)."""
    folder = checkout_with("chaos")
    if folder is None:
        typer.echo(_NOT_HERE, err=True)
        raise typer.Exit(1)
    # A process of its own: the product never imports what breaks it.
    ended = subprocess.run([sys.executable, "-m", "chaos", *context.args], cwd=folder, check=False)  # noqa: S603
    raise typer.Exit(ended.returncode)
