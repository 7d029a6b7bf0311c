"""Outgoing events: whose turn it is, and the one signed POST."""

import random
from datetime import UTC, datetime, timedelta

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver
from temporalio import activity

from billing.domain.delivery import next_attempt_at
from billing.domain.endpoint_url import RefusedUrlError, endpoint_url
from billing.egress import AddressRefusedError, post
from billing.ledger import Deliveries, Parcel, Sent
from billing.observability import EVENT_DELIVERIES
from billing.signing import event_body, signed_headers
from workflows import ports
from workflows.events.contracts import DeliveryDue, NextDelivery, SendAnswer, SendEvent

TIMEOUT_SECONDS = 20.0
"""Standard Webhooks asks for 15 to 30; the activity's own 45 leave room for two ledger transactions beside it."""


class EventActivities(ports.EventActivities):
    """Sends events. Neither an address, nor a secret, nor an event's data ever becomes part of a Temporal payload.

    Args:
        deliveries: of the ledger.
        allow_loopback: whether events may go to this machine.
        resolver: looks hosts up; the system's unless given.
    """

    def __init__(
        self, deliveries: Deliveries, *, allow_loopback: bool, resolver: AbstractResolver | None = None
    ) -> None:
        self._deliveries = deliveries
        self._allow_loopback = allow_loopback
        self._resolver = resolver

    @activity.defn
    async def next_delivery(self, order: NextDelivery) -> DeliveryDue | None:
        """The event whose turn it is, due or not."""
        turn = await self._deliveries.next_turn(order.endpoint_id, order.customer_uid, order.at)
        if turn is None:
            return None
        return DeliveryDue(event_id=turn.event_id, type=turn.type, attempts=turn.attempts, due_at=turn.due_at)

    @activity.defn
    async def send_event(self, order: SendEvent) -> SendAnswer:
        """Count the attempt, send, write down what came of it.

        Dies it before the count, nothing was sent and nothing counted; after it, the attempt counts as failed and the
        event waits on, though the endpoint may have it: the same `webhook-id` comes again.
        """
        now = datetime.now(UTC)
        parcel = await self._deliveries.open_attempt(order.endpoint_id, order.event_id, order.attempt, order.at, now)
        if parcel is None:
            return SendAnswer()
        sent, retry_after = await self._send(parcel, now)
        closed = await self._deliveries.close_attempt(
            order.endpoint_id,
            order.event_id,
            order.attempt,
            sent,
            at=order.at,
            next_at=next_attempt_at(order.attempt, order.at, spread=random.random(), retry_after=retry_after),  # noqa: S311 - no secret
        )
        EVENT_DELIVERIES.labels(closed.state.value).inc()
        if closed.disabled_reason is not None:
            structlog.get_logger().warning(
                "event endpoint disabled", endpoint_id=order.endpoint_id, reason=closed.disabled_reason
            )
        return SendAnswer(state=closed.state, status=sent.status, error=sent.error)

    async def _send(self, parcel: Parcel, now: datetime) -> tuple[Sent, timedelta | None]:
        event = parcel.event
        body = event_body(event.type, event.at, event.data)
        headers = signed_headers(event.event_id, body, parcel.secrets, now)
        try:
            # The rules of today, also for an address that was registered under those of yesterday.
            target = endpoint_url(parcel.url, allow_loopback=self._allow_loopback)
            answer = await post(target, body, headers, timeout_seconds=TIMEOUT_SECONDS, resolver=self._resolver)
        except RefusedUrlError as error:
            return Sent(error=f"the address {error}"), None
        except AddressRefusedError as error:
            return Sent(error=str(error)), None
        except TimeoutError:
            return Sent(error=f"no answer within {TIMEOUT_SECONDS:.0f} seconds"), None
        except aiohttp.ClientError as error:
            # The kind says enough; the library's words repeat the whole address.
            return Sent(error=f"no answer: {type(error).__name__}"), None
        wait = answer.retry_after_seconds
        return Sent(answer.status, None, answer.text), None if wait is None else timedelta(seconds=wait)
