"""What the world outside is told: the names of the outgoing events and the shape all of them share.

The workflow decides an event in the same step that decides what happened, and the ledger writes both in one
transaction: an event is never lost and never told of something that was not written (design section 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from billing.domain.instants import require_utc


class EventType(StrEnum):
    """The name of an outgoing event; what its `data` holds is in the catalogue (docs/reference/events.md)."""

    SUBSCRIPTION_CREATED = "subscription.created"
    SUBSCRIPTION_TRIALING = "subscription.trialing"
    SUBSCRIPTION_TRIAL_WILL_END = "subscription.trial_will_end"
    SUBSCRIPTION_TRIAL_CHANGED = "subscription.trial_changed"
    SUBSCRIPTION_ACTIVE = "subscription.active"
    SUBSCRIPTION_START_FAILED = "subscription.start_failed"
    SUBSCRIPTION_PAST_DUE = "subscription.past_due"
    SUBSCRIPTION_UNPAID = "subscription.unpaid"
    SUBSCRIPTION_SUSPENDED = "subscription.suspended"
    SUBSCRIPTION_CANCEL_SCHEDULED = "subscription.cancel_scheduled"
    SUBSCRIPTION_CANCEL_UNDONE = "subscription.cancel_undone"
    SUBSCRIPTION_CANCELED = "subscription.canceled"
    SUBSCRIPTION_EXPIRED = "subscription.expired"
    SUBSCRIPTION_PAUSE_SCHEDULED = "subscription.pause_scheduled"
    SUBSCRIPTION_SKIP_SCHEDULED = "subscription.skip_scheduled"
    SUBSCRIPTION_SKIP_UNDONE = "subscription.skip_undone"
    SUBSCRIPTION_SKIPPED = "subscription.skipped"
    SUBSCRIPTION_PAUSED = "subscription.paused"
    SUBSCRIPTION_RESUMED = "subscription.resumed"
    SUBSCRIPTION_RENEWAL_UPCOMING = "subscription.renewal_upcoming"
    SUBSCRIPTION_PARKED = "subscription.parked"
    SUBSCRIPTION_DECIDED = "subscription.decided"
    SUBSCRIPTION_OVERDUE = "subscription.overdue"
    PLAN_CHANGE_SCHEDULED = "plan_change.scheduled"
    PLAN_CHANGE_CANCELED = "plan_change.canceled"
    PLAN_CHANGE_DECLINED = "plan_change.declined"
    PLAN_CHANGE_APPLIED = "plan_change.applied"
    PAYMENT_METHOD_CHANGED = "payment_method.changed"
    PAYMENT_METHOD_REFUSED = "payment_method.refused"
    PAYMENT_METHOD_DELETED_ELSEWHERE = "payment_method.deleted_elsewhere"
    PAYMENT_METHOD_SCHEDULED_ELSEWHERE = "payment_method.scheduled_elsewhere"
    CONSENT_REQUESTED = "consent.requested"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_REFUSED = "consent.refused"
    CONSENT_LAPSED = "consent.lapsed"
    CHARGE_PAID = "charge.paid"
    CHARGE_DECLINED = "charge.declined"
    CHARGE_SKIPPED = "charge.skipped"
    CHARGE_UNKNOWN = "charge.unknown"
    CHARGE_LATE_PAID = "charge.late_paid"
    CHARGE_MISMATCH = "charge.mismatch"
    CHARGE_REVOKED_ELSEWHERE = "charge.revoked_elsewhere"
    CHARGE_MOVED_ELSEWHERE = "charge.moved_elsewhere"
    CHARGE_REFUNDED_ELSEWHERE = "charge.refunded_elsewhere"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_REFUSED = "refund.refused"
    REFUND_UNKNOWN = "refund.unknown"
    DIFFERENCE_FOUND = "reconciliation.difference_found"


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """One event as the ledger stores it and an endpoint receives it.

    Args:
        event_id: the same for the same happening however often it is written; the `webhook-id` of Standard Webhooks.
        type: its name in the catalogue.
        at: aware UTC, when it happened by the clock of the workflow that decided it.
        customer_uid: whose order of events it belongs to: the one that the subscription was started under.
        summary: one English line for people, without personal data; the timeline shows it.
        data: JSON values only, as the catalogue's schema of this type says; no card data.
        subscription_id: the incarnation; None for what belongs to no subscription.
        merchant_uid: the order it is about, where it is about one.

    Raises:
        ValueError: `at` is not aware UTC.
    """

    event_id: str
    type: EventType
    at: datetime
    customer_uid: str
    summary: str
    data: Mapping[str, Any] = field(default_factory=dict)
    subscription_id: str | None = None
    merchant_uid: str | None = None

    def __post_init__(self) -> None:
        require_utc("at", self.at)
