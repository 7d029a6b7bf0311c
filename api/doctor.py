"""`gudok doctor`: which parts answer, and what is wrong with those that do not."""

import asyncio
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import typer
from rich.console import Console

from billing.ledger import Ledger, LedgerError, holders_of_deleted, sqlite_warning
from billing.settings import Settings, load_settings
from billing.temporal import connect

_CHECK_SECONDS = 5.0
_SQLITE = "sqlite"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

Check = Callable[[], Awaitable[object]]


def doctor() -> None:
    """Say which parts answer and which do not; exits with 1 when one does not."""
    if not asyncio.run(_examine(load_settings(), Console(soft_wrap=True))):
        raise typer.Exit(1)


async def _examine(settings: Settings, console: Console) -> bool:
    from worker import portone_client  # noqa: PLC0415 - only where the whole is put together

    ledger, client = Ledger(settings.database_url.get_secret_value()), portone_client(settings)

    async def temporal() -> object:
        return await (await connect()).service_client.check_health()

    fine = True
    try:
        for name, check in (("ledger", ledger.check), ("PortOne", client.server_now), ("Temporal", temporal)):
            fine &= await _passes(console, name, check)
        if ledger.file is not None:
            fine &= _examine_file(console, ledger.file)
    finally:
        await client.aclose()
        await ledger.aclose()
    return fine


async def _passes(console: Console, name: str, check: Check) -> bool:
    try:
        await asyncio.wait_for(check(), _CHECK_SECONDS)
    except LedgerError as error:
        console.print(f"[red]failed[/]  {name}: {error}")
    except TimeoutError:
        console.print(f"[red]failed[/]  {name}: no answer within {_CHECK_SECONDS:.0f} s")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the diagnosis
        console.print(f"[red]failed[/]  {name}: {type(error).__name__}")
    else:
        console.print(f"[green]ok[/]      {name}")
        return True
    return False


def _examine_file(console: Console, file: Path) -> bool:
    """What concerns a ledger on SQLite: who still has a deleted file open, who may read it, which SQLite writes it."""
    lost = sorted(set(holders_of_deleted(file)))
    for pid, name in lost:
        console.print(f"[red]failed[/]  process {pid} works on a {name} that is deleted: stop it, and start it again")
    if file.exists() and file.stat().st_mode & _OTHERS:
        console.print(f"[yellow]note[/]    {file} can be read by others than its owner: chmod 600")
    if (warning := sqlite_warning()) is not None:
        console.print(f"[yellow]note[/]    {warning}")
    else:
        console.print(f"[green]ok[/]      SQLite {sqlite3.sqlite_version}")
    return not lost
