"""What the PG behind a key would refuse, found out before it is asked: the rules are `billing.domain.pg_rules`."""

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
from billing.domain.refusals import Refusal, RefusedError
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.subscription import Subscription


def of_key(subscription: Subscription, provider: str | None) -> PgRefusal | None:
    """Why the PG of this key could not bill what is subscribed to; None when nothing is known against it."""
    row = capability(provider) if provider else None
    if row is None:
        return None
    items = subscription.terms.holding()
    refusal = refusal_of_holding(row, items, subscription.start.customer)
    if refusal is None and subscription.terms.is_a_part:
        refusal = refusal_of_plan(row, items.terms, items.coupon, short_first=True)
    return refusal


def check_channel(subscription: Subscription, pg: str | None) -> None:
    """Refuse a card of a PG that could not bill the plan in force.

    Raises:
        RefusedError: with the code of the PG's rule.
    """
    row = capability(provider_of(pg) or "")
    if row is not None:
        _refuse(refusal_of_plan(row, subscription.terms.plan, subscription.state.items.coupon))


def check_change(subscription: Subscription, change: ItemsChange) -> None:
    """Refuse a change that the PG behind the key could not bill.

    Raises:
        RefusedError: with the code of the PG's rule.
    """
    row = capability(subscription.state.method.pg_provider or "")
    if row is None:
        return
    now = subscription.terms.held()
    after = change.instead_of(now, subscription.state.items.pending)
    value = Holding(after.plan, after.quantity, after.coupon).value()
    refusal = refusal_of_change(row, Holding(now.plan, now.quantity, now.coupon).value(), value)
    if refusal is None and value.amount:
        refusal = refusal_of_amount(row, PgCall.AGAIN, value, after.plan.vat_amount)
    _refuse(refusal or refusal_of_plan(row, after.plan, after.coupon))


def _refuse(refusal: PgRefusal | None) -> None:
    if refusal is not None:
        raise RefusedError(Refusal(refusal.code, ""), refusal.detail)
