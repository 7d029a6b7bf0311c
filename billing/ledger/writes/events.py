"""Outgoing events, in the transaction of the step that caused them, with a delivery for every endpoint that wants them.

Two writers of one customer_uid wait for each other here until the first has committed: their numbers become visible in
order, so that nobody who delivers in order can overtake one that is still being written.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.delivery import DeliveryState
from billing.domain.events import OutgoingEvent
from billing.ledger.errors import LedgerConflictError
from billing.ledger.event_rows import EventStream
from billing.ledger.event_tables import event_deliveries, event_endpoints, event_streams, events
from billing.ledger.upsert import Values, insert_in, written_at

Endpoints = Sequence[Row[Any, Any, Any]]

_LIVING = select(event_endpoints.c.endpoint_id, event_endpoints.c.event_types, event_endpoints.c.enabled).where(
    event_endpoints.c.deleted_at.is_(None)
)

# Put together once: see `upsert`.
_WRITE = insert(events).returning(events.c.event_no)
_COUNT = update(event_streams).where(event_streams.c.customer_uid == bindparam("of"))
_KNOWN = select(events.c.event_id, events.c.customer_uid).where(
    events.c.event_id.in_(bindparam("event_ids", expanding=True))
)
_WAITING = event_deliveries.c
_TO_BE_RUNG = (
    select(_WAITING.endpoint_id, _WAITING.customer_uid, func.max(_WAITING.sequence))
    .where(
        _WAITING.event_id.in_(bindparam("event_ids", expanding=True)),
        _WAITING.state == DeliveryState.PENDING,
        _WAITING.rung_at.is_(None),
    )
    .group_by(_WAITING.endpoint_id, _WAITING.customer_uid)
)


async def write_events(connection: AsyncConnection, told: Sequence[OutgoingEvent]) -> tuple[EventStream, ...]:
    """Write the events that are not written yet; answers what is to be rung for them, written now or before.

    Raises:
        LedgerConflictError: an event_id already stands for an event of another customer_uid.
    """
    if not told:
        return ()
    endpoints = (await connection.execute(_LIVING)).all()
    rows = {event.event_id: _row(event) for event in told}
    # In one order, so that two writers never wait for each other.
    for customer_uid in sorted({event.customer_uid for event in told}):
        own = [row for row in rows.values() if row["customer_uid"] == customer_uid]
        await write_order(connection, customer_uid, own, endpoints)
    return await to_be_rung(connection, rows) if endpoints else ()


async def write_order(
    connection: AsyncConnection, customer_uid: str, rows: Sequence[Values], endpoints: Endpoints
) -> None:
    """Add events to the end of one order, each with a delivery for every endpoint that takes its type.

    An endpoint that is disabled gets nothing, and a row that says what it missed.

    Raises:
        LedgerConflictError: an event_id already stands for an event of another customer_uid.
    """
    sequence = await _locked_sequence(connection, customer_uid)
    known = await _known(connection, customer_uid, [row["event_id"] for row in rows])
    fresh = [row for row in rows if row["event_id"] not in known]
    now = written_at()
    for row in fresh:
        sequence += 1
        written = await connection.execute(_WRITE, {**row, "sequence": sequence, "created_at": now})
        event_no = written.scalar_one()
        deliveries = [
            delivery(row, event_no, sequence, endpoint.endpoint_id, now, enabled=endpoint.enabled)
            for endpoint in endpoints
            if endpoint.event_types is None or row["type"] in endpoint.event_types
        ]
        if deliveries:
            await connection.execute(insert(event_deliveries), deliveries)
    if fresh:
        await connection.execute(_COUNT, {"of": customer_uid, "last_sequence": sequence})


def delivery(
    row: Values, event_no: int, sequence: int, endpoint_id: str, at: datetime, *, enabled: bool
) -> dict[str, Any]:
    """The row that says how far an event came at an endpoint, before it went anywhere."""
    return {
        "endpoint_id": endpoint_id,
        "event_no": event_no,
        "event_id": row["event_id"],
        "customer_uid": row["customer_uid"],
        "sequence": sequence,
        "state": DeliveryState.PENDING if enabled else DeliveryState.SKIPPED,
        "attempts": 0,
        "replays": 0,
        "created_at": at,
        "updated_at": at,
    }


async def to_be_rung(connection: AsyncConnection, event_ids: Iterable[str]) -> tuple[EventStream, ...]:
    """The orders in which these events wait and nobody has been told."""
    rows = await connection.execute(_TO_BE_RUNG, {"event_ids": list(event_ids)})
    return tuple(EventStream._make(row) for row in rows)


async def _locked_sequence(connection: AsyncConnection, customer_uid: str) -> int:
    """The last number of an order, which nobody else can go on from until this transaction ends."""
    fresh = {"customer_uid": customer_uid, "last_sequence": 0}
    last: int = (await connection.execute(_lock(connection.dialect.name), fresh)).scalar_one()
    return last


@cache
def _lock(dialect: str) -> Any:
    # Changes nothing, and locks the row: a plain read would let two writers take the same number.
    return (
        insert_in(dialect, event_streams)
        .on_conflict_do_update(
            index_elements=[event_streams.c.customer_uid], set_={"last_sequence": event_streams.c.last_sequence}
        )
        .returning(event_streams.c.last_sequence)
    )


async def _known(connection: AsyncConnection, customer_uid: str, event_ids: Sequence[str]) -> set[str]:
    known = (await connection.execute(_KNOWN, {"event_ids": list(event_ids)})).all()
    foreign = [row.event_id for row in known if row.customer_uid != customer_uid]
    if foreign:
        raise LedgerConflictError(f"event {foreign[0]!r} already belongs to another customer_uid")
    return {row.event_id for row in known}


def _row(event: OutgoingEvent) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "type": event.type.value,
        "customer_uid": event.customer_uid,
        "subscription_id": event.subscription_id,
        "merchant_uid": event.merchant_uid,
        "at": event.at,
        "summary": event.summary,
        "data": dict(event.data),
    }
