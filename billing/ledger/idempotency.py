"""HTTP Idempotency-Keys: the same key and body gives the first answer again (design section 2)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.ledger.engine import writing
from billing.ledger.rows import IdempotencyClaim
from billing.ledger.tables import idempotency_keys
from billing.ledger.upsert import insert_once, written_at

Where = tuple[ColumnElement[bool], ...]


class IdempotencyKeys:
    """Claims, answers and releases keys, each within a scope.

    A row without a status has no final answer: somebody works on it, and then `claimed_at` is renewed, or has left it
    open, and then `finished_at` says when.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(
        self,
        scope: str,
        key: str,
        fingerprint: str,
        resource: str,
        at: datetime,
        *,
        is_same: Callable[[str], bool] | None = None,
        lease: timedelta | None = None,
        forget_before: datetime | None = None,
    ) -> IdempotencyClaim:
        """Claim a key for `resource`, or learn what it already stands for; `new` or `open` to exactly one caller.

        Args:
            scope: within which the key counts.
            key: as it was sent.
            fingerprint: of the body.
            resource: what a first request makes.
            at: now.
            is_same: whether a kept fingerprint is this body's; None is when it equals `fingerprint`.
            lease: after how long a claim that nobody renewed is taken over; None is never.
            forget_before: a key that was last claimed before it stands for nothing any more.
        """
        claimed = {"scope": scope, "key": key, "fingerprint": fingerprint, "resource": resource, "claimed_at": at}
        where = _of(scope, key)
        is_same = is_same or fingerprint.__eq__
        row = None
        while row is None:
            # Once more when the key was given back, or taken over by another, between two statements.
            async with writing(self._engine) as connection:
                if forget_before is not None:
                    old = delete(idempotency_keys).where(*where, idempotency_keys.c.claimed_at < forget_before)
                    await connection.execute(old)
                if await insert_once(connection, idempotency_keys, claimed):
                    return IdempotencyClaim("new", resource, at)
                row = (await connection.execute(select(idempotency_keys).where(*where))).first()
                if row is None or not is_same(row.fingerprint) or row.status is not None:
                    continue
                if await _take_over(connection, where, at, lease):
                    return IdempotencyClaim("open", row.resource, at)
        if not is_same(row.fingerprint):
            return IdempotencyClaim("mismatch", row.resource, row.claimed_at)
        if row.status is None:
            return IdempotencyClaim("in_progress", row.resource, row.claimed_at)
        return IdempotencyClaim("replay", row.resource, row.claimed_at, row.status, row.body)

    async def renew(self, scope: str, key: str, at: datetime) -> None:
        """Say that the request which claimed the key is still being done."""
        await self._change(_working(scope, key), claimed_at=at)

    async def leave(self, scope: str, key: str) -> None:
        """Stop without a final answer: the next request with this key goes on with the same resource."""
        await self._change(_working(scope, key), finished_at=written_at())

    async def finish(self, scope: str, key: str, status: int, body: str, at: datetime | None = None) -> None:
        """Keep the first answer for every later request with this key."""
        await self._change(_unanswered(scope, key), status=status, body=body, finished_at=at or written_at())

    async def release(self, scope: str, key: str, *, answered: bool = False) -> None:
        """Give a key back whose request did nothing; an `answered` one only where that is said."""
        where = _of(scope, key) if answered else _unanswered(scope, key)
        async with writing(self._engine) as connection:
            await connection.execute(delete(idempotency_keys).where(*where))

    async def purge(self, before: datetime, *, at_once: int = 1_000) -> int:
        """Forget keys that were last claimed before an instant; answers how many there were.

        So many in one transaction that no charge waits for it.
        """
        primary = tuple_(idempotency_keys.c.scope, idempotency_keys.c.key)
        page = select(idempotency_keys.c.scope, idempotency_keys.c.key)
        page = page.where(idempotency_keys.c.claimed_at < before).limit(at_once)
        gone, count = 0, at_once
        while count == at_once:
            async with writing(self._engine) as connection:
                old = delete(idempotency_keys).where(primary.in_(page), idempotency_keys.c.claimed_at < before)
                count = len((await connection.execute(old.returning(idempotency_keys.c.key))).all())
            gone += count
        return gone

    async def _change(self, where: Where, **values: Any) -> None:
        async with writing(self._engine) as connection:
            await connection.execute(update(idempotency_keys).where(*where).values(**values))


def _of(scope: str, key: str) -> Where:
    return (idempotency_keys.c.scope == scope, idempotency_keys.c.key == key)


def _unanswered(scope: str, key: str) -> Where:
    return (*_of(scope, key), idempotency_keys.c.status.is_(None))


def _working(scope: str, key: str) -> Where:
    return (*_unanswered(scope, key), idempotency_keys.c.finished_at.is_(None))


async def _take_over(connection: AsyncConnection, where: Where, at: datetime, lease: timedelta | None) -> bool:
    """Whether an unanswered claim that nobody works on is the caller's from now on."""
    free: ColumnElement[bool] = idempotency_keys.c.finished_at.is_not(None)
    if lease is not None:
        free = or_(free, idempotency_keys.c.claimed_at <= at - lease)
    mine = update(idempotency_keys).where(*where, idempotency_keys.c.status.is_(None), free)
    mine = mine.values(claimed_at=at, finished_at=None)
    return (await connection.execute(mine.returning(idempotency_keys.c.key))).first() is not None
