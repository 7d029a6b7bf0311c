"""What can be asked of the outgoing events: their pages, how far they came, who is to be rung; and a replay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.delivery import DeliveryState
from billing.ledger.deliveries import event_row
from billing.ledger.engine import reading, writing
from billing.ledger.event_rows import DeliveryRow, EventRow, EventStream
from billing.ledger.event_tables import event_deliveries, event_endpoints, events
from billing.ledger.upsert import insert_into, written_at
from billing.ledger.writes.events import delivery, to_be_rung

_DELIVERY = event_deliveries.c
_ENDPOINT = event_endpoints.c
_SHOWN = [column for column in event_deliveries.c if column.name not in ("sequence", "rung_at")]


class Events:
    """The outbox: every event that was ever written, and where each stands at every endpoint."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, event_id: str) -> EventRow | None:
        """One event."""
        rows = await self._rows(select(events).where(events.c.event_id == event_id))
        return event_row(rows[0]) if rows else None

    async def page(
        self,
        *,
        customer_uid: str | None = None,
        type_name: str | None = None,
        after: int | None = None,
        limit: int = 50,
        newest_first: bool = False,
    ) -> list[EventRow]:
        """A page of events by their number; `after` is the event_no of the last one seen.

        On PostgreSQL two events that are written at the same moment may become visible in another order than that of
        their numbers: whoever must miss none reads a little back, or has an endpoint.
        """
        number = events.c.event_no
        query = select(events).order_by(number.desc() if newest_first else number).limit(limit)
        if customer_uid is not None:
            query = query.where(events.c.customer_uid == customer_uid)
        if type_name is not None:
            query = query.where(events.c.type == type_name)
        if after is not None:
            query = query.where(number < after if newest_first else number > after)
        return [event_row(row) for row in await self._rows(query)]

    async def deliveries(
        self,
        *,
        state: DeliveryState | None = None,
        endpoint_id: str | None = None,
        event_id: str | None = None,
        customer_uid: str | None = None,
        after: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> list[DeliveryRow]:
        """A page of deliveries, newest event first; `after` is the `cursor` of the last one seen."""
        query = (
            select(*_SHOWN, events.c.type)
            .join(events, events.c.event_no == _DELIVERY.event_no)
            .order_by(_DELIVERY.event_no.desc(), _DELIVERY.endpoint_id.desc())
            .limit(limit)
        )
        named = {"state": state, "endpoint_id": endpoint_id, "event_id": event_id, "customer_uid": customer_uid}
        for name, value in named.items():
            if value is not None:
                query = query.where(_DELIVERY[name] == value)
        if after is not None:
            query = query.where(tuple_(_DELIVERY.event_no, _DELIVERY.endpoint_id) < after)
        return [DeliveryRow(**row._mapping) for row in await self._rows(query)]  # noqa: SLF001 - SQLAlchemy's name

    # -------------------------------------------------------------- ringing

    async def to_be_rung(self, *, older_than: datetime, overdue: datetime, limit: int = 100) -> list[EventStream]:
        """Orders in which something waits and nobody comes.

        Nobody was told (the process died between the commit and the ring, or Temporal was away), or whoever was told is
        gone: the first in the order is overdue. Rows younger than `older_than` are being rung by who wrote them.
        """
        earlier = event_deliveries.alias()
        is_first = ~(
            select(earlier.c.event_no)
            .where(
                earlier.c.endpoint_id == _DELIVERY.endpoint_id,
                earlier.c.customer_uid == _DELIVERY.customer_uid,
                earlier.c.state == DeliveryState.PENDING,
                earlier.c.sequence < _DELIVERY.sequence,
            )
            .exists()
        )
        not_told = and_(_DELIVERY.rung_at.is_(None), _DELIVERY.updated_at < older_than)
        abandoned = and_(
            _DELIVERY.rung_at < overdue, func.coalesce(_DELIVERY.due_at, _DELIVERY.rung_at) < overdue, is_first
        )
        query = (
            select(_DELIVERY.endpoint_id, _DELIVERY.customer_uid, func.max(_DELIVERY.sequence))
            .where(_DELIVERY.state == DeliveryState.PENDING, or_(not_told, abandoned))
            .group_by(_DELIVERY.endpoint_id, _DELIVERY.customer_uid)
            .limit(limit)
        )
        return [EventStream._make(row) for row in await self._rows(query)]

    async def mark_rung(self, streams: Sequence[EventStream], at: datetime) -> None:
        """Note that whoever delivers these orders was told; only of what stood in them when they were told."""
        if not streams:
            return
        async with writing(self._engine) as connection:
            for endpoint_id, customer_uid, sequence in sorted(streams):
                told: ColumnElement[bool] = and_(
                    _DELIVERY.endpoint_id == endpoint_id,
                    _DELIVERY.customer_uid == customer_uid,
                    _DELIVERY.sequence <= sequence,
                    _DELIVERY.state == DeliveryState.PENDING,
                )
                await connection.execute(update(event_deliveries).where(told).values(rung_at=at))

    # -------------------------------------------------------------- replaying

    async def replay(self, event_id: str, endpoint_id: str | None = None) -> tuple[EventStream, ...] | None:
        """Let an event wait again, with all its attempts; answers what is to be rung, None when there is nowhere to.

        At every enabled endpoint that it was meant for, or at the one that is named, meant for it or not.
        """
        async with writing(self._engine) as connection:
            event = (await connection.execute(select(events).where(events.c.event_id == event_id))).first()
            if event is None:
                return None
            targets = await _targets(connection, event_id, endpoint_id)
            for target in targets:
                await _wait_again(connection, event, target)
            return await to_be_rung(connection, [event_id]) if targets else None

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with reading(self._engine) as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows


async def _targets(connection: AsyncConnection, event_id: str, endpoint_id: str | None) -> list[str]:
    living = select(_ENDPOINT.endpoint_id).where(_ENDPOINT.enabled, _ENDPOINT.deleted_at.is_(None))
    if endpoint_id is not None:
        living = living.where(_ENDPOINT.endpoint_id == endpoint_id)
    else:
        meant = select(_DELIVERY.endpoint_id).where(_DELIVERY.event_id == event_id)
        living = living.where(_ENDPOINT.endpoint_id.in_(meant))
    return list((await connection.execute(living.order_by(_ENDPOINT.endpoint_id))).scalars())


async def _wait_again(connection: AsyncConnection, event: Row[Any], endpoint_id: str) -> None:
    fresh = delivery(dict(event._mapping), event.event_no, event.sequence, endpoint_id, written_at(), enabled=True)  # noqa: SLF001 - SQLAlchemy's documented name
    again = ("state", "attempts", "updated_at")
    written = insert_into(connection, event_deliveries).values(**{**fresh, "replays": 1})
    await connection.execute(
        written.on_conflict_do_update(
            index_elements=[_DELIVERY.endpoint_id, _DELIVERY.event_no],
            set_={
                **{name: written.excluded[name] for name in again},
                "due_at": None,
                "rung_at": None,
                "replays": _DELIVERY.replays + 1,
            },
        )
    )
