"""Where a subscription stands, as it is told to others."""

from datetime import datetime

from billing.domain.message import Message
from billing.domain.records import SubscriptionLife
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.takeover import Standing


class SubscriptionSnapshot(Message):
    """Where a subscription stands, read by queries and answered by updates.

    `wakes_at` is the instant the run looks again by itself though nobody rings. `standing` is what somebody else left
    on its key, as it was found at the start or the end; None where nobody asked, or PortOne could not be asked.
    """

    subscription_id: str
    customer_uid: str
    status: SubscriptionStatus
    cycle: int
    cycle_state: CycleState
    merchant_uid: str | None = None
    next_charge_at: datetime | None = None
    wakes_at: datetime | None = None
    current_period_start: datetime | None = None
    current_period_end: datetime | None = None
    failed_attempts: int = 0
    cancel_at_period_end: bool = False
    parked_reason: str | None = None
    last_failure: str | None = None
    last_failure_code: str | None = None
    card: str | None = None
    end_reason: str | None = None
    paid_cycles: int = 0
    billing_key: str | None = None
    life: SubscriptionLife = SubscriptionLife()
    standing: tuple[Standing, ...] | None = None
