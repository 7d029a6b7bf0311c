"""`gudok db ...`: the ledger's database: its schema, a backup while it is in use, and the way back from one."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from billing.ledger import BackupError, Ledger, LedgerUnavailableError, back_up
from billing.ledger import restore as put_back
from billing.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="The ledger's database.")

_NOT_DONE = (BackupError, LedgerUnavailableError)


@app.command()
def upgrade() -> None:
    """Bring the ledger's schema to the newest migration."""
    asyncio.run(_upgrade(_url()))
    typer.echo("the ledger is at its newest migration")


@app.command()
def backup(
    file: Annotated[Path | None, typer.Argument(help="A new file; beside the working folder unless given.")] = None,
) -> None:
    """Copy the ledger on SQLite to a file, whole and as of one moment, while everything runs."""
    target = file or Path(f"ledger-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
    try:
        made = back_up(_url(), target)
    except _NOT_DONE as error:
        raise _failed(error) from None
    typer.echo(f"{made.path}: {made.size_bytes:,} bytes, at migration {made.migration}, read through without a fault")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="A file that `gudok db backup` made.")]) -> None:
    """Put a backup in the place of a lost ledger; refused while anything has it open. Read docs/runbooks/backup.md."""
    try:
        restored = put_back(_url(), file)
    except _NOT_DONE as error:
        raise _failed(error) from None
    typer.echo(
        f"the ledger is {restored.path} again, at migration {restored.migration}. It knows nothing of what happened "
        "since: start everything, run `gudok reconcile` at once, and see docs/runbooks/backup.md for what it lists"
    )


def _url() -> str:
    return load_settings().database_url.get_secret_value()


async def _upgrade(url: str) -> None:
    ledger = Ledger(url)
    try:
        await ledger.migrate()
    finally:
        await ledger.aclose()


def _failed(error: Exception) -> typer.Exit:
    typer.echo(f"gudok: {error}", err=True)
    return typer.Exit(1)
