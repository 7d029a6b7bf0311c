"""What a change of plan, quantity or coupon costs and leaves behind: pure, so that preview, charge and tests agree."""

from dataclasses import replace
from datetime import datetime

from billing.domain.calendar import Anchor
from billing.domain.money import Money
from billing.domain.proration import ChangeQuote, change_now
from billing.domain.records import PendingChange
from workflows.orders import ChangePlan
from workflows.reminders import RENEWAL
from workflows.subscription_run import SubscriptionRun
from workflows.subscription_state import PaidOrder


def wanted(run: SubscriptionRun, order: ChangePlan) -> PendingChange:
    """What is held after the order, whole."""
    return order.instead_of(run.held(), run.state.pending_change)


def quote(run: SubscriptionRun, order: ChangePlan, at: datetime) -> ChangeQuote:
    """What the order costs at `at`: the preview shows it, and the charge is what it says.

    Within the running period a coupon that the order does not name goes on as that period was billed; a new period
    is billed with what is left of it.
    """
    state, after = run.state, wanted(run, order)
    start, end = run.whole_period()
    paid_by = state.paid_by or run.holding_of(run.held())
    new = run.holding_of(after)
    names_a_coupon = order.coupon is not None or order.without_coupon
    if not names_a_coupon and not run.has_another_calendar(after.plan):
        new = replace(new, coupon=paid_by.coupon)
    now, least = min(max(at, start), end), run.least_charge()
    return change_now(paid_by, new, start, end, now, order.proration, state.balance, least)


def hold(run: SubscriptionRun, after: PendingChange, costs: ChangeQuote, paid: PaidOrder | None = None) -> None:
    """Hold what the order wanted from now on, at what it cost; `paid` is the order it was paid with."""
    state = run.state
    run.take_over(after, coupon_used=costs.coupon_used)
    state.paid_by, state.balance, state.last_paid = costs.paid_by, costs.balance, costs.paid_by.value()
    if costs.new_period:
        state.paid_cycles += 1
        state.anchor = Anchor.at(costs.period_start, after.plan.zone)
        state.first_cycle = state.cycle - 1
        state.period_start, state.period_end = costs.period_start, costs.period_end
        state.counts_from = None
        state.due_at = costs.period_end
        state.announced = [each for each in state.announced if each != RENEWAL]
        state.period_orders = _going_on(state.period_orders, costs.paid_by.value(), paid)
    if paid is not None:
        state.period_orders.append(paid)


def _going_on(orders: list[PaidOrder], price: Money, paid: PaidOrder | None) -> list[PaidOrder]:
    """What of the orders of the period before pays for the new one: their credit, which is what was not paid now."""
    left = price - paid.amount if paid is not None else price
    kept: list[PaidOrder] = []
    for order in reversed(orders):
        if left.amount <= 0:
            break
        part = min(order.amount, left, key=lambda money: money.amount)
        kept.insert(0, order.model_copy(update={"amount": part}))
        left -= part
    return kept
