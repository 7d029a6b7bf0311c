"""What a change of plan, quantity or coupon costs and leaves behind, so that preview, charge and tests agree."""

from dataclasses import replace
from datetime import datetime

from billing.domain.calendar import Anchor
from billing.domain.proration import ChangeQuote, change_now
from billing.domain.records import PendingChange
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.orders import PaidOrder
from billing.domain.subscription.reminders import RENEWAL
from billing.domain.subscription.subscription import Subscription


def wanted(subscription: Subscription, change: ItemsChange) -> PendingChange:
    """What is subscribed to after the change, whole."""
    return change.instead_of(subscription.terms.held(), subscription.state.items.pending)


def quote(subscription: Subscription, change: ItemsChange, at: datetime) -> ChangeQuote:
    """What the change costs at `at`: the preview shows it, and the charge is what it says.

    Within the running period a coupon that the change does not name goes on as that period was billed; a new period
    is billed with what is left of it.
    """
    paid, terms, after = subscription.state.paid, subscription.terms, wanted(subscription, change)
    start, end = terms.whole_period()
    paid_by = paid.by or terms.holding_of(terms.held())
    new = terms.holding_of(after)
    names_a_coupon = change.coupon is not None or change.without_coupon
    if not names_a_coupon and not terms.has_another_calendar(after.plan):
        new = replace(new, coupon=paid_by.coupon)
    now, least = min(max(at, start), end), terms.least_charge()
    return change_now(paid_by, new, start, end, now, change.proration, paid.balance, least, paid.given_back)


def apply(subscription: Subscription, items: PendingChange, costs: ChangeQuote, order: PaidOrder | None = None) -> None:
    """Subscribe to these from now on, at what it cost; `order` is what it was paid with."""
    state = subscription.state
    coupon_used = _uses_its_coupon(subscription, items, costs)
    if coupon_used or costs.new_period:
        state.items.count_coupon(costs.paid_by.coupon if coupon_used else None)
    subscription.become(items, coupon_used=coupon_used)
    _pay(subscription, costs, order)
    state.paid.changed(costs.paid_by, costs.balance)
    if costs.new_period:
        state.paid.count_period(costs.paid_by.value())
        state.periods.anchor_at(Anchor.at(costs.period_start, items.plan.zone), state.period.cycle - 1)
        state.periods.enter(costs.period_start, costs.period_end)
        state.periods.count_days_from(None)
        state.periods.skip(None)
        state.period.is_due(costs.period_end)
        state.period.announce_again(RENEWAL)


def _uses_its_coupon(subscription: Subscription, items: PendingChange, costs: ChangeQuote) -> bool:
    """Whether the coupon that is held takes something off the running period for the first time."""
    coupon = costs.paid_by.coupon
    anew = costs.new_period or (costs.prorated and coupon != subscription.state.items.counted_coupon)
    return anew and costs.paid_by.discounted and coupon == items.coupon


def _pay(subscription: Subscription, costs: ChangeQuote, order: PaidOrder | None) -> None:
    books, came = subscription.terms.books(), order.paid_with() if order is not None else None
    if costs.new_period:
        billed = costs.due_now.amount.amount if costs.due_now is not None else 0
        after = books.begun(costs.paid_by, costs.paid_by.value().amount, costs.balance, billed, came)
    else:
        after = books.changed(costs.paid_by, costs.balance, came, prorated=costs.prorated)
    subscription.keep(after)
