"""Sending events one by one: whose turn it is, an attempt opened before it is made and closed after it.

An attempt is counted before its request leaves. A process that dies in between has used up one attempt and lost
nothing: the event still waits, and its turn comes again at the distance that a failed attempt would have had.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.delivery import (
    DISABLE_AFTER,
    MAX_ATTEMPTS,
    DeliveryState,
    SendOutcome,
    failing_since,
    next_attempt_at,
    outcome_of,
)
from billing.ledger.engine import writing
from billing.ledger.event_rows import AttemptClosed, DeliveryTurn, EventRow, Parcel, Sent
from billing.ledger.event_secrets import SecretSeal
from billing.ledger.event_tables import event_deliveries, event_endpoints, events
from billing.ledger.upsert import written_at
from billing.ledger.writes.endpoints import disable, skip_waiting

# The last attempt has no next one to wait for; an attempt takes less than this.
_LAST_ATTEMPT_TAKES = timedelta(minutes=1)

_DELIVERY = event_deliveries.c
_ENDPOINT = event_endpoints.c


class Deliveries:
    """The attempts of this ledger; `at` is always the clock of the workflow that sends."""

    def __init__(self, engine: AsyncEngine, keys: Sequence[bytes]) -> None:
        self._engine = engine
        self._seal = SecretSeal(keys)

    async def next_turn(self, endpoint_id: str, customer_uid: str, at: datetime) -> DeliveryTurn | None:
        """The first event of this order that waits at this endpoint, due or not; None when nothing is left to send.

        What waits at an endpoint that is disabled is skipped; an event whose last attempt never came back is parked.
        """
        query = (
            select(_DELIVERY.event_id, events.c.type, _DELIVERY.attempts, _DELIVERY.due_at)
            .join(events, events.c.event_no == _DELIVERY.event_no)
            .where(
                _DELIVERY.endpoint_id == endpoint_id,
                _DELIVERY.customer_uid == customer_uid,
                _DELIVERY.state == DeliveryState.PENDING,
            )
            .order_by(_DELIVERY.sequence)
            .limit(1)
        )
        async with writing(self._engine) as connection:
            while (row := (await connection.execute(query)).first()) is not None:
                if await _living(connection, endpoint_id) is None:
                    await skip_waiting(connection, endpoint_id)
                elif row.attempts >= MAX_ATTEMPTS and row.due_at is not None and row.due_at <= at:
                    await connection.execute(
                        _one(endpoint_id, row.event_id)
                        .where(_DELIVERY.attempts >= MAX_ATTEMPTS)
                        .values(state=DeliveryState.PARKED, due_at=None, updated_at=written_at())
                    )
                else:
                    return DeliveryTurn(*row)
        return None

    async def open_attempt(
        self, endpoint_id: str, event_id: str, attempt: int, at: datetime, now: datetime
    ) -> Parcel | None:
        """What is to be sent as attempt number `attempt`: to exactly one caller, ever; None to every other.

        Args:
            endpoint_id: where to.
            event_id: what.
            attempt: counted from 1.
            at: by the workflow's clock.
            now: by this machine's, which says whether a replaced secret still signs.

        Raises:
            LedgerError: the endpoint's secret cannot be opened; the attempt is not counted.
        """
        async with writing(self._engine) as connection:
            endpoint = await _living(connection, endpoint_id)
            if endpoint is None:
                return None
            counted = (
                _one(endpoint_id, event_id)
                .where(_DELIVERY.state == DeliveryState.PENDING, _DELIVERY.attempts == attempt - 1)
                .values(
                    attempts=attempt,
                    attempted_at=at,
                    due_at=next_attempt_at(attempt, at) or at + _LAST_ATTEMPT_TAKES,
                    updated_at=written_at(),
                )
            )
            if (await connection.execute(counted.returning(_DELIVERY.event_no))).first() is None:
                return None
            event = (await connection.execute(select(events).where(events.c.event_id == event_id))).one()
            return Parcel(endpoint.url, self._secrets(endpoint, now), event_row(event))

    async def close_attempt(
        self, endpoint_id: str, event_id: str, attempt: int, sent: Sent, *, at: datetime, next_at: datetime | None
    ) -> AttemptClosed:
        """Write what an attempt brought, and what follows: delivered, tried again at `next_at`, or parked.

        A success clears the endpoint's record. 410 disables the endpoint, and so does a failure that ends five days of
        nothing but failures. An attempt that was overtaken (replayed, disabled meanwhile) changes nothing but this:
        what was delivered is delivered.
        """
        outcome = outcome_of(sent.status)
        values: dict[str, Any] = {
            "last_status": sent.status,
            "last_error": sent.error,
            "response": sent.response,
            "due_at": None,
            "updated_at": written_at(),
        }
        this_one = _one(endpoint_id, event_id).where(_DELIVERY.attempts == attempt)
        async with writing(self._engine) as connection:
            # The endpoint before its deliveries, as everywhere.
            disabled_reason = await self._judge(connection, endpoint_id, outcome, at)
            if outcome is SendOutcome.DELIVERED:
                this_one = this_one.where(_DELIVERY.state.in_([DeliveryState.PENDING, DeliveryState.SKIPPED]))
                await connection.execute(this_one.values(**values, state=DeliveryState.DELIVERED))
            elif disabled_reason is not None or outcome is SendOutcome.GONE:
                await connection.execute(this_one.values(**values))
            else:
                state = DeliveryState.PARKED if next_at is None else DeliveryState.PENDING
                this_one = this_one.where(_DELIVERY.state == DeliveryState.PENDING)
                await connection.execute(this_one.values(**{**values, "due_at": next_at}, state=state))
            query = select(_DELIVERY.state).where(_DELIVERY.endpoint_id == endpoint_id, _DELIVERY.event_id == event_id)
            state = (await connection.execute(query)).scalar_one()
        return AttemptClosed(state, disabled_reason)

    async def _judge(
        self, connection: AsyncConnection, endpoint_id: str, outcome: SendOutcome, at: datetime
    ) -> str | None:
        """Keep the endpoint's record; why it was disabled by this outcome, if it was."""
        row = await _living(connection, endpoint_id)
        if row is None:
            return None
        endpoint = update(event_endpoints).where(_ENDPOINT.endpoint_id == endpoint_id)
        if outcome is SendOutcome.DELIVERED:
            if row.failing_since is not None:
                await connection.execute(endpoint.values(failing_since=None, failed_at=None))
            return None
        since = failing_since(row.failing_since, row.failed_at, at)
        await connection.execute(endpoint.values(failing_since=since, failed_at=at))
        reason = None
        if outcome is SendOutcome.GONE:
            reason = "it answered 410 Gone"
        elif at - since >= DISABLE_AFTER:
            reason = f"it failed for {DISABLE_AFTER.days} days"
        if reason is not None:
            await disable(connection, endpoint_id, reason)
        return reason

    def _secrets(self, endpoint: Row[Any], now: datetime) -> tuple[str, ...]:
        sealed = [endpoint.secret]
        if endpoint.previous_secret is not None and endpoint.previous_secret_until > now:
            sealed.append(endpoint.previous_secret)
        return tuple(self._seal.open(each, endpoint.endpoint_id) for each in sealed)


async def _living(connection: AsyncConnection, endpoint_id: str) -> Row[Any] | None:
    query = select(event_endpoints).where(
        _ENDPOINT.endpoint_id == endpoint_id, _ENDPOINT.enabled, _ENDPOINT.deleted_at.is_(None)
    )
    return (await connection.execute(query)).first()


def _one(endpoint_id: str, event_id: str) -> Any:
    return update(event_deliveries).where(_DELIVERY.endpoint_id == endpoint_id, _DELIVERY.event_id == event_id)


def event_row(row: Row[Any]) -> EventRow:
    """One event."""
    return EventRow(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
