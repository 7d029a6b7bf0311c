"""The change that waits for the next period, when it comes to nothing."""

from datetime import datetime

from billing.domain.events import EventType
from billing.domain.subscription import payloads
from billing.domain.subscription.notes import Notes
from billing.domain.subscription.subscription import Subscription


def drop(subscription: Subscription, notes: Notes, now: datetime, why: str) -> None:
    """Forget what was to change with the next period, and emit so with the next write."""
    change = subscription.state.items.drop_pending()
    if change is None:
        return
    text = f"will not change to {change.plan.name} × {change.quantity}"
    data = payloads.change(subscription, change, "next_period", reason=why)
    notes.emit(EventType.PLAN_CHANGE_CANCELED, text, data, now)
