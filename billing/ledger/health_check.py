"""Whether the ledger can be used: a page is really written, and really read back."""

import asyncio
import time

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.ledger.engine import reading, writing
from billing.ledger.errors import LedgerDamagedError
from billing.ledger.tables import health_checks
from billing.ledger.upsert import insert_into, written_at

_NAME = "ledger"

# Whoever asks more often than this is told of the last check: asking must not cost a disk write each time.
_FRESH_SECONDS = 1.0


class HealthCheck:
    """Checks one database; callers at the same time share a check."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()
        self._passed_at: float | None = None

    async def run(self) -> None:
        """Write a row and read it back, in transactions of their own, on the file that is on disk.

        Raises:
            LedgerUnavailableError: the database is away, locked, full or read-only.
            LedgerLostError: the file on disk is not the one that this process has open.
            LedgerDamagedError: what was written is not there.
        """
        async with self._turn:
            now = time.monotonic()
            if self._passed_at is not None and now - self._passed_at < _FRESH_SECONDS:
                return
            self._passed_at = None
            written = await self._write()
            if await self._read() < written:
                raise LedgerDamagedError("a row that was just written is not there: restore a backup")
            self._passed_at = now

    async def _write(self) -> int:
        async with writing(self._engine) as connection:
            first = insert_into(connection, health_checks).values(name=_NAME, checks=1, checked_at=written_at())
            again = first.on_conflict_do_update(
                index_elements=list(health_checks.primary_key),
                set_={"checks": health_checks.c.checks + 1, "checked_at": first.excluded.checked_at},
            )
            return int((await connection.execute(again.returning(health_checks.c.checks))).scalar_one())

    async def _read(self) -> int:
        query = select(health_checks.c.checks).where(health_checks.c.name == _NAME)
        async with reading(self._engine) as connection:
            return int((await connection.execute(query)).scalar_one())
