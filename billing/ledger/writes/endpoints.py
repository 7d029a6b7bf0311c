"""Disabling an endpoint: the endpoint first and its deliveries after it, so that writers never wait for each other."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.delivery import DeliveryState
from billing.ledger.event_tables import event_deliveries, event_endpoints
from billing.ledger.upsert import written_at


async def disable(connection: AsyncConnection, endpoint_id: str, reason: str) -> None:
    """Send nothing there any more; what waits is skipped, and can be replayed once it is enabled again."""
    now = written_at()
    await connection.execute(
        update(event_endpoints)
        .where(event_endpoints.c.endpoint_id == endpoint_id, event_endpoints.c.enabled)
        .values(enabled=False, disabled_reason=reason, updated_at=now)
    )
    await skip_waiting(connection, endpoint_id)


async def skip_waiting(connection: AsyncConnection, endpoint_id: str) -> None:
    """Skip whatever waits at an endpoint that is disabled."""
    await connection.execute(
        update(event_deliveries)
        .where(event_deliveries.c.endpoint_id == endpoint_id, event_deliveries.c.state == DeliveryState.PENDING)
        .values(state=DeliveryState.SKIPPED, due_at=None, updated_at=written_at())
    )
