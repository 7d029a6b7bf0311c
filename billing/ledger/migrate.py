"""Bringing a database to a migration, by one process at a time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.ledger.engine import open_engine, writing
from billing.ledger.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"

# Any fixed number: whoever migrates the ledger holds this advisory lock, the others wait for it.
_POSTGRES_LOCK = 7_465_621_001

# A migration may rewrite large tables; the others wait for it rather than fail to start.
_WAIT_SECONDS = 300.0

# Alembic keeps the running migration in a module: one at a time in a process, whatever loop it runs on.
_in_this_process = threading.Lock()


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrate up to `revision`, in one transaction that keeps every other migrating process waiting.

    Raises:
        LedgerUnavailableError: the database is away, or somebody else holds it for minutes.
    """
    await _run(url, lambda connection: command.upgrade(_config(connection), revision))


async def downgrade(url: str, revision: str = "base") -> None:
    """Migrate down to `revision`, in one transaction; what the newer tables hold is lost."""
    await _run(url, lambda connection: command.downgrade(_config(connection), revision))


async def draft(url: str, message: str, revision: str) -> None:
    """Write the migration that leads from a database at head to the tables as they are now (for developers)."""
    await _run(
        url,
        lambda connection: command.revision(_config(connection), message=message, autogenerate=True, rev_id=revision),
    )


async def differences(url: str) -> list[Any]:
    """What autogenerate would still change in this database; empty when the models are the migrations' head."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found: list[Any] = compare_metadata(context, metadata)
        return found

    async with _opened(url) as engine, writing(engine) as connection:
        return await connection.run_sync(compare)


def _config(connection: Connection) -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


async def _run(url: str, work: Callable[[Connection], Any]) -> None:
    while not _in_this_process.acquire(blocking=False):  # noqa: ASYNC110 - no event spans the loops of two threads
        await asyncio.sleep(0.01)
    try:
        async with _opened(url) as engine, writing(engine) as connection:
            # SQLite's BEGIN IMMEDIATE already is a lock of this kind.
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
            await connection.run_sync(work)
    finally:
        _in_this_process.release()


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url, busy_timeout_seconds=_WAIT_SECONDS, command_timeout_seconds=_WAIT_SECONDS, creates=True)
    try:
        yield engine
    finally:
        await engine.dispose()
