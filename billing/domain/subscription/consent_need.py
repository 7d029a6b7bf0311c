"""What the buyer must agree to before the card may be charged next; read by all who would let it be charged."""

from datetime import datetime

from billing.domain.consent import ConsentNeed, need_for
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.states import ConsentState, SubscriptionStatus
from billing.domain.subscription.pause_rest import has_rest
from billing.domain.subscription.subscription import Subscription

NO_CARD = "a payment method that is not known yet"

# What is owed was agreed to before it was charged the first time; the first period is agreed to by subscribing.
_ASKED_BEFORE = frozenset(
    {SubscriptionStatus.INCOMPLETE, SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID},
)


def need(subscription: Subscription) -> ConsentNeed | None:
    """What must be agreed to before the open period may be charged; None when nothing must, or no charge is to come.

    While it is paused that is the charge with which it will resume by itself.
    """
    state = subscription.state
    if state.pause.at_period_end:
        return None
    if state.pause.since is None:
        return need_at(subscription, state.period.due_at)
    at = state.pause.resumes_at
    return None if at is None or has_rest(subscription, state.pause.anchor, at) else need_at(subscription, at)


def need_at(subscription: Subscription, effective_at: datetime) -> ConsentNeed | None:
    """What must be agreed to before the open period may be charged at `effective_at`."""
    state = subscription.state
    if state.status in _ASKED_BEFORE:
        return None
    return need_for(
        asking_plan(subscription),
        _before(subscription),
        subscription.terms.holding().value(),
        effective_at,
        state.method.card or NO_CARD,
    )


def asking_plan(subscription: Subscription) -> PlanTerms:
    """Whose word on consent counts: the plan that is held when it asks for it, else the one that comes."""
    return subscription.terms.plan if subscription.terms.plan.consent_required else subscription.terms.holding().terms


def needs(subscription: Subscription) -> bool:
    """Whether the gate is closed: consent is needed, and not granted to exactly this."""
    wanted = need(subscription)
    return wanted is not None and not is_granted(subscription, wanted)


def is_granted(subscription: Subscription, wanted: ConsentNeed) -> bool:
    """Whether the buyer has agreed to exactly this."""
    return subscription.state.consent.state is ConsentState.GRANTED and subscription.state.consent.need == wanted


def _before(subscription: Subscription) -> Money | None:
    """The price of the last period; 0 after a trial, which nobody has paid for."""
    state = subscription.state
    if state.paid.last_price is None and state.paid.cycles == 0:
        return Money(0, subscription.terms.plan.price.currency)
    return state.paid.last_price
