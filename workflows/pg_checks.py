"""What the PG behind a key would refuse, found out before it is asked: the rules are the domain's.

A run that began before there was this check keeps to what it decided then: a mark is left only where one is refused.
"""

from temporalio.exceptions import ApplicationError

from billing.domain.bills import Holding
from billing.domain.pg_capabilities import capability, provider_of
from billing.domain.pg_rules import (
    PgCall,
    PgRefusal,
    refusal_of_amount,
    refusal_of_change,
    refusal_of_holding,
    refusal_of_plan,
)
from billing.domain.plans import PlanTerms
from billing.domain.records import PendingChange
from billing.domain.subscription.state import SubscriptionState
from workflows.orders import ChangePaymentMethod, ChangePlan, Order
from workflows.subscription_run import SubscriptionRun


def of_key(run: SubscriptionRun, provider: str | None) -> PgRefusal | None:
    """Why the PG of this key could not bill what is held; None when nothing is known against it."""
    row = capability(provider) if provider else None
    if row is None:
        return None
    held = run.holding()
    refusal = refusal_of_holding(row, held, run.start.customer)
    if refusal is None and run.is_a_part:
        refusal = refusal_of_plan(row, held.terms, held.coupon, short_first=True)
    return refusal


def check(order: Order, state: SubscriptionState, terms: PlanTerms) -> None:
    """Refuse a change that the PG behind the key could not bill.

    Raises:
        ApplicationError: its type is the stable code of the PG's rule.
    """
    refusal = _of_order(order, state, terms)
    if refusal is not None:
        raise ApplicationError(refusal.detail, type=refusal.code, non_retryable=True)


def check_again(order: Order, state: SubscriptionState, terms: PlanTerms) -> None:
    """The same when the main loop gets to it.

    Raises:
        ApplicationError: its type is the stable code of the PG's rule.
    """
    if _of_order(order, state, terms) is not None:
        check(order, state, terms)


def _of_order(order: Order, state: SubscriptionState, terms: PlanTerms) -> PgRefusal | None:
    held = PendingChange(terms, state.quantity, state.coupon)
    if isinstance(order, ChangePaymentMethod):
        row = capability(provider_of(order.channel.pg) or "")
        return refusal_of_plan(row, terms, state.coupon) if row is not None else None
    row = capability(state.pg_provider or "")
    if row is None or not isinstance(order, ChangePlan):
        return None
    after = order.instead_of(held, state.pending_change)
    value = Holding(after.plan, after.quantity, after.coupon).value()
    refusal = refusal_of_change(row, Holding(held.plan, held.quantity, held.coupon).value(), value)
    if refusal is None and value.amount:
        refusal = refusal_of_amount(row, PgCall.AGAIN, value, after.plan.vat_amount)
    return refusal or refusal_of_plan(row, after.plan, after.coupon)
