"""Where events go: endpoints, their filters, their secrets, and when they are disabled."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Update, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.event_catalogue import PING, as_json
from billing.domain.event_data import PingData
from billing.ledger.engine import reading, writing
from billing.ledger.event_rows import EndpointRow, EventStream
from billing.ledger.event_secrets import SecretSeal
from billing.ledger.event_tables import event_endpoints
from billing.ledger.upsert import Values, insert_once, written_at
from billing.ledger.writes.endpoints import disable
from billing.ledger.writes.events import to_be_rung, write_order

_SECRETS = ("secret", "previous_secret")
_SHOWN = [column for column in event_endpoints.c if column.name not in (*_SECRETS, "failed_at", "deleted_at")]


class Endpoints:
    """The endpoints of this ledger; no secret leaves it but to whoever it was just made for."""

    def __init__(self, engine: AsyncEngine, keys: Sequence[bytes]) -> None:
        self._engine = engine
        self._seal = SecretSeal(keys)

    async def add(
        self, endpoint_id: str, url: str, secret: str, *, event_types: Sequence[str] | None, description: str | None
    ) -> EndpointRow | None:
        """Store an endpoint that gets what happens from now on; None when a living one has this address."""
        now = written_at()
        values = {
            "endpoint_id": endpoint_id,
            "url": url,
            "description": description,
            "event_types": None if event_types is None else list(event_types),
            "enabled": True,
            "secret": self._seal.seal(secret, endpoint_id),
            "created_at": now,
            "updated_at": now,
        }
        async with writing(self._engine) as connection:
            if not await insert_once(connection, event_endpoints, values):
                return None
            return await _found(connection, endpoint_id)

    async def get(self, endpoint_id: str) -> EndpointRow | None:
        """One endpoint."""
        async with reading(self._engine) as connection:
            return await _found(connection, endpoint_id)

    async def all(self) -> list[EndpointRow]:
        """Every endpoint, oldest first."""
        query = select(*_SHOWN).where(event_endpoints.c.deleted_at.is_(None))
        async with reading(self._engine) as connection:
            rows = await connection.execute(query.order_by(event_endpoints.c.created_at, event_endpoints.c.endpoint_id))
            return [_endpoint(row) for row in rows]

    async def change(self, endpoint_id: str, changes: Values) -> EndpointRow | None:
        """Change url, event_types, description or enabled; None when there is no such endpoint.

        What waits for an endpoint that is disabled is skipped; one that is enabled starts with a clean record.

        Raises:
            LedgerConflictError: another living endpoint has this address.
        """
        values = dict(changes)
        async with writing(self._engine) as connection:
            if values.pop("enabled", None) is False:
                await disable(connection, endpoint_id, "by hand")
            elif "enabled" in changes:
                values |= {"enabled": True, "disabled_reason": None, "failing_since": None, "failed_at": None}
            await connection.execute(_of(endpoint_id).values(**values, updated_at=written_at()))
            return await _found(connection, endpoint_id)

    async def rotate(self, endpoint_id: str, secret: str, previous_until: datetime) -> EndpointRow | None:
        """Sign with a new secret, and with the one it replaces until an instant; None where there is no endpoint."""
        values = {
            "secret": self._seal.seal(secret, endpoint_id),
            "previous_secret": event_endpoints.c.secret,
            "previous_secret_until": previous_until,
            "updated_at": written_at(),
        }
        async with writing(self._engine) as connection:
            await connection.execute(_of(endpoint_id).values(**values))
            return await _found(connection, endpoint_id)

    async def delete(self, endpoint_id: str, at: datetime) -> bool:
        """Forget an endpoint and its secrets for ever; what was sent to it stays written. Whether there was one."""
        async with writing(self._engine) as connection:
            await disable(connection, endpoint_id, "deleted")
            gone = _of(endpoint_id).values(secret=None, previous_secret=None, deleted_at=at, updated_at=written_at())
            return (await connection.execute(gone.returning(event_endpoints.c.endpoint_id))).first() is not None

    async def ping(self, endpoint_id: str, event_id: str, at: datetime) -> tuple[EventStream, ...] | None:
        """Write a test event for this endpoint alone, whatever it listens to; None when it is not there or disabled."""
        # No customer_uid looks like this one: the order of an endpoint's tests is nobody's history.
        customer_uid = f"endpoint/{endpoint_id}"
        row = {
            "event_id": event_id,
            "type": PING,
            "customer_uid": customer_uid,
            "at": at,
            "summary": f"A test of endpoint {endpoint_id}",
            "data": as_json(PingData(endpoint_id)),
        }
        target = event_endpoints.c
        query = select(target.endpoint_id, null().label("event_types"), target.enabled).where(
            target.endpoint_id == endpoint_id, target.enabled, target.deleted_at.is_(None)
        )
        async with writing(self._engine) as connection:
            found = (await connection.execute(query)).all()
            if not found:
                return None
            await write_order(connection, customer_uid, [row], found)
            return await to_be_rung(connection, [event_id])

    async def reseal(self) -> int:
        """Seal every secret under the newest key, so that older keys may go; answers how many endpoints there were."""
        secret, previous = event_endpoints.c.secret, event_endpoints.c.previous_secret
        query = select(event_endpoints.c.endpoint_id, secret, previous).where(event_endpoints.c.deleted_at.is_(None))
        count = 0
        async with writing(self._engine) as connection:
            for row in (await connection.execute(query.with_for_update())).all():
                sealed = {name: self._resealed(getattr(row, name), row.endpoint_id) for name in _SECRETS}
                if any(sealed[name] != getattr(row, name) for name in _SECRETS):
                    await connection.execute(_of(row.endpoint_id).values(**sealed))
                    count += 1
        return count

    def _resealed(self, sealed: str | None, endpoint_id: str) -> str | None:
        if sealed is None or self._seal.is_current(sealed):
            return sealed
        return self._seal.seal(self._seal.open(sealed, endpoint_id), endpoint_id)


async def _found(connection: AsyncConnection, endpoint_id: str) -> EndpointRow | None:
    query = select(*_SHOWN).where(event_endpoints.c.endpoint_id == endpoint_id, event_endpoints.c.deleted_at.is_(None))
    row = (await connection.execute(query)).first()
    return None if row is None else _endpoint(row)


def _of(endpoint_id: str) -> Update:
    return update(event_endpoints).where(
        event_endpoints.c.endpoint_id == endpoint_id, event_endpoints.c.deleted_at.is_(None)
    )


def _endpoint(row: Row[Any]) -> EndpointRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    types = values.pop("event_types")
    return EndpointRow(event_types=None if types is None else tuple(types), **values)
