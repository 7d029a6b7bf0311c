"""HTTP Idempotency-Keys: the same key and body gives the first answer again (design section 2)."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.ledger.engine import writing
from billing.ledger.rows import IdempotencyClaim
from billing.ledger.tables import idempotency_keys
from billing.ledger.upsert import insert_once, written_at


class IdempotencyKeys:
    """Claims, answers and releases keys, each within the scope of an API key and a path."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, scope: str, key: str, fingerprint: str, resource: str, at: datetime) -> IdempotencyClaim:
        """Claim a key for `resource`, or learn what it already stands for; `new` to exactly one caller."""
        claimed = {
            "scope": scope,
            "key": key,
            "fingerprint": fingerprint,
            "resource": resource,
            "claimed_at": at,
        }
        where = (idempotency_keys.c.scope == scope, idempotency_keys.c.key == key)
        row = None
        while row is None:
            # Once more when the key was given back between the two statements.
            async with writing(self._engine) as connection:
                if await insert_once(connection, idempotency_keys, claimed):
                    return IdempotencyClaim("new", resource, at)
                row = (await connection.execute(select(idempotency_keys).where(*where))).first()
        if row.fingerprint != fingerprint:
            return IdempotencyClaim("mismatch", row.resource, row.claimed_at)
        if row.status is None:
            return IdempotencyClaim("in_progress", row.resource, row.claimed_at)
        return IdempotencyClaim("replay", row.resource, row.claimed_at, row.status, row.body)

    async def finish(self, scope: str, key: str, status: int, body: str, at: datetime | None = None) -> None:
        """Keep the first answer for every later request with this key."""
        async with writing(self._engine) as connection:
            await connection.execute(
                update(idempotency_keys)
                .where(
                    idempotency_keys.c.scope == scope,
                    idempotency_keys.c.key == key,
                    idempotency_keys.c.status.is_(None),
                )
                .values(status=status, body=body, finished_at=at or written_at())
            )

    async def release(self, scope: str, key: str) -> None:
        """Give a key back whose request started nothing; an answered one stays."""
        async with writing(self._engine) as connection:
            await connection.execute(
                delete(idempotency_keys).where(
                    idempotency_keys.c.scope == scope,
                    idempotency_keys.c.key == key,
                    idempotency_keys.c.status.is_(None),
                )
            )

    async def purge(self, before: datetime) -> int:
        """Forget keys that were claimed before an instant; answers how many there were."""
        async with writing(self._engine) as connection:
            old = delete(idempotency_keys).where(idempotency_keys.c.claimed_at < before)
            return len((await connection.execute(old.returning(idempotency_keys.c.key))).all())
