"""Whether the database of a ledger reads through from end to end, by its own tools."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.audit.books import Database
from billing.ledger.engine import reading
from billing.ledger.errors import LedgerDamagedError

_MOST_SAID = 5
_INDEXES = text(
    "SELECT bt_index_check(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_am a ON a.oid = c.relam"
    " WHERE a.amname = 'btree' AND c.relnamespace = 'public'::regnamespace AND i.indisvalid"
)
_HAS_AMCHECK = text("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'")


async def read_through(engine: AsyncEngine) -> Database | None:
    """Read every page and index; None on a PostgreSQL without `amcheck`, where nothing was read.

    Raises:
        LedgerUnavailableError: the database is away.
    """
    try:
        async with reading(engine) as connection:
            return await (_sqlite(connection) if engine.dialect.name == "sqlite" else _postgresql(connection))
    except LedgerDamagedError as error:
        return Database(whole=False, says=str(error))


async def _sqlite(connection: AsyncConnection) -> Database:
    said = [str(row[0]) for row in await connection.execute(text("PRAGMA integrity_check"))]
    if said == ["ok"]:
        return Database(whole=True)
    return Database(whole=False, says="; ".join(said[:_MOST_SAID]))


async def _postgresql(connection: AsyncConnection) -> Database | None:
    if (await connection.execute(_HAS_AMCHECK)).first() is None:
        return None
    # One that is damaged raises, as SQLSTATE XX002, which is an error of the ledger's.
    await connection.execute(_INDEXES)
    return Database(whole=True)
