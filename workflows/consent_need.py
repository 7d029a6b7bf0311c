"""What the buyer must agree to before the card may be charged next; read by all who would let it be charged."""

from datetime import datetime
from typing import TYPE_CHECKING

from billing.domain.consent import ConsentNeed, need_for
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.states import ConsentState, SubscriptionStatus
from workflows.pause_rest import has_rest

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun

NO_CARD = "a payment method that is not known yet"

# What is owed was agreed to before it was charged the first time; the first period is agreed to by subscribing.
_ASKED_BEFORE = frozenset(
    {SubscriptionStatus.INCOMPLETE, SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID},
)


def need(run: "SubscriptionRun") -> ConsentNeed | None:
    """What must be agreed to before the open period may be charged; None when nothing must, or no charge is to come.

    While it is paused that is the charge with which it will resume by itself.
    """
    state = run.state
    if state.pause_at_period_end:
        return None
    if state.paused_at is None:
        return need_at(run, state.due_at)
    at = state.resumes_at
    return None if at is None or has_rest(run, state.resume_anchor, at) else need_at(run, at)


def need_at(run: "SubscriptionRun", effective_at: datetime) -> ConsentNeed | None:
    """What must be agreed to before the open period may be charged at `effective_at`."""
    state = run.state
    if state.status in _ASKED_BEFORE:
        return None
    return need_for(asking_plan(run), _before(run), run.holding().value(), effective_at, state.card or NO_CARD)


def asking_plan(run: "SubscriptionRun") -> PlanTerms:
    """Whose word on consent counts: the plan that is held when it asks for it, else the one that comes."""
    return run.plan if run.plan.consent_required else run.holding().terms


def needs(run: "SubscriptionRun") -> bool:
    """Whether the gate is closed: consent is needed, and not granted to exactly this."""
    wanted = need(run)
    return wanted is not None and not is_granted(run, wanted)


def is_granted(run: "SubscriptionRun", wanted: ConsentNeed) -> bool:
    """Whether the buyer has agreed to exactly this."""
    return run.state.consent is ConsentState.GRANTED and run.state.consent_need == wanted


def withdraw(run: "SubscriptionRun") -> None:
    """Nothing is to be agreed to any more: the higher charge is not to come, or another question takes its place."""
    if run.state.consent is not ConsentState.NOT_NEEDED:
        run.state.agree(ConsentState.NOT_NEEDED)
    run.state.consent_need = None


def _before(run: "SubscriptionRun") -> Money | None:
    """The price of the last period; 0 after a trial, which nobody has paid for."""
    state = run.state
    if state.last_paid is None and state.paid_cycles == 0:
        return Money(0, run.plan.price.currency)
    return state.last_paid
