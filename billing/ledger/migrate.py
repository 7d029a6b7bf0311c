"""Bringing a database to a migration, by one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

MIGRATIONS = Path(__file__).parent / "migrations"

# Any fixed number: whoever migrates the ledger holds this advisory lock, the others wait for it.
_POSTGRES_LOCK = 7_465_621_001


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Migrate up to `revision`, in one transaction that keeps every other migrating process waiting."""
    await _run(engine, "upgrade", revision)


async def downgrade(engine: AsyncEngine, revision: str = "base") -> None:
    """Migrate down to `revision`, in one transaction."""
    await _run(engine, "downgrade", revision)


def config(connection: Connection) -> Config:
    """Alembic's configuration for one open connection."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["connection"] = connection
    return settings


async def _run(engine: AsyncEngine, direction: str, revision: str) -> None:
    def migrate(connection: Connection) -> None:
        # SQLite's BEGIN IMMEDIATE already is a lock of this kind.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
        getattr(command, direction)(config(connection), revision)

    async with engine.begin() as connection:
        await connection.run_sync(migrate)
