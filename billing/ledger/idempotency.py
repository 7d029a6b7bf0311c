"""HTTP Idempotency-Keys: the same key and body gives the first answer again (design section 2)."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.ledger.rows import IdempotencyClaim
from billing.ledger.tables import idempotency_keys
from billing.ledger.writes import insert_into


class IdempotencyKeys:
    """Claims, answers and releases keys, each within the scope of an API key and a path."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, scope: str, key: str, fingerprint: str, resource: str, at: datetime) -> IdempotencyClaim:
        """Claim a key for `resource`, or learn what it already stands for."""
        async with self._engine.begin() as connection:
            insert = insert_into(connection, idempotency_keys).values(
                scope=scope, key=key, fingerprint=fingerprint, resource=resource, created_at=at
            )
            inserted = await connection.execute(insert.on_conflict_do_nothing())
            if inserted.rowcount == 1:
                return IdempotencyClaim("new", resource)
            where = (idempotency_keys.c.scope == scope, idempotency_keys.c.key == key)
            row = (await connection.execute(select(idempotency_keys).where(*where))).one()
        if row.fingerprint != fingerprint:
            return IdempotencyClaim("mismatch", row.resource)
        if row.status is None:
            return IdempotencyClaim("in_progress", row.resource)
        return IdempotencyClaim("replay", row.resource, row.status, row.body)

    async def finish(self, scope: str, key: str, status: int, body: str) -> None:
        """Keep the first answer for every later request with this key."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(idempotency_keys)
                .where(
                    idempotency_keys.c.scope == scope,
                    idempotency_keys.c.key == key,
                    idempotency_keys.c.status.is_(None),
                )
                .values(status=status, body=body)
            )

    async def release(self, scope: str, key: str) -> None:
        """Give a key back whose request started nothing."""
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(idempotency_keys).where(
                    idempotency_keys.c.scope == scope,
                    idempotency_keys.c.key == key,
                    idempotency_keys.c.status.is_(None),
                )
            )
