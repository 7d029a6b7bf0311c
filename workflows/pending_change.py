"""The change that waits for the next period, when it comes to nothing."""

from billing.domain.events import EventType
from workflows import telling
from workflows.subscription_run import SubscriptionRun


def void_the_change(run: SubscriptionRun, why: str) -> None:
    """Forget what was to change with the next period, and tell so with the next write."""
    change = run.state.pending_change
    if change is None:
        return
    text = f"will not change to {change.plan.name} × {change.quantity}"
    run.tell(EventType.PLAN_CHANGE_CANCELED, text, telling.change(run, change, "next_period", reason=why))
    run.state.pending_change = None
