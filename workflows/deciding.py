"""What a person decides about a period that stands parked."""

from workflows.orders import Decide, OrderAnswered
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun


async def decide(run: SubscriptionRun, _order: Decide) -> OrderAnswered:
    """Carry the decision out."""
    return OrderAnswered(snapshot=snapshot(run))
