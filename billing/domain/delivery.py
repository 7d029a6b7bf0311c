"""When an event is sent again, and when an endpoint is given up (Standard Webhooks, "Operational considerations")."""

from datetime import datetime, timedelta
from enum import StrEnum

RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The distances between one attempt and the next that Standard Webhooks recommends: three days and three hours."""

MAX_ATTEMPTS = len(RETRY_AFTER) + 1

LONGEST_WAIT = timedelta(hours=24)
"""As far as an endpoint's `Retry-After` is followed: the longest distance of the schedule."""

DISABLE_AFTER = timedelta(days=5)
"""An endpoint that has answered nothing but failures for so long is disabled."""

SERIES_ENDS_AFTER = timedelta(days=2)
"""Two failures further apart are not one series: between two retries of one event there is a day at most."""

_JITTER = 0.1
_SUCCESS = range(200, 300)
_GONE = 410


class DeliveryState(StrEnum):
    """Where one event stands at one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    PARKED = "parked"
    SKIPPED = "skipped"


class SendOutcome(StrEnum):
    """What an endpoint's answer, or its silence, means."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"


def outcome_of(status: int | None) -> SendOutcome:
    """What an HTTP status means; None is no answer. A redirect is a failure: it is not followed."""
    if status is None:
        return SendOutcome.FAILED
    if status in _SUCCESS:
        return SendOutcome.DELIVERED
    return SendOutcome.GONE if status == _GONE else SendOutcome.FAILED


def next_attempt_at(
    attempt: int, at: datetime, *, spread: float = 0.0, retry_after: timedelta | None = None
) -> datetime | None:
    """When attempt number `attempt`, failed at `at`, is followed by the next; None after the last.

    Args:
        attempt: counted from 1.
        at: of the failed attempt.
        spread: 0 to 1, drawn at random: up to a tenth later, so that what failed together does not return together.
        retry_after: what the endpoint asked for, followed up to a day.
    """
    if attempt >= MAX_ATTEMPTS:
        return None
    distance = RETRY_AFTER[attempt - 1] * (1 + _JITTER * spread)
    return at + max(distance, min(retry_after or distance, LONGEST_WAIT))


def failing_since(since: datetime | None, last_failed_at: datetime | None, at: datetime) -> datetime:
    """Since when the series of failures runs that a failure at `at` belongs to; a long silence begins a new one."""
    if since is None or last_failed_at is None or at - last_failed_at > SERIES_ENDS_AFTER:
        return at
    return since
