"""What a change of plan, quantity or coupon costs and leaves behind: pure, so that preview, charge and tests agree."""

from dataclasses import replace
from datetime import datetime

from billing.domain.calendar import Anchor
from billing.domain.proration import ChangeQuote, change_now
from billing.domain.records import PendingChange
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.records import PaidOrder
from workflows import bookkeeping
from workflows.reminders import RENEWAL
from workflows.subscription_run import SubscriptionRun


def wanted(run: SubscriptionRun, order: ItemsChange) -> PendingChange:
    """What is held after the order, whole."""
    return order.instead_of(run.held(), run.state.pending_change)


def quote(run: SubscriptionRun, order: ItemsChange, at: datetime) -> ChangeQuote:
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
    return change_now(paid_by, new, start, end, now, order.proration, state.balance, least, state.given_back)


def hold(
    run: SubscriptionRun,
    after: PendingChange,
    costs: ChangeQuote,
    paid: PaidOrder | None = None,
) -> None:
    """Hold what the order wanted from now on, at what it cost; `paid` is the order it was paid with."""
    state = run.state
    coupon_used = _uses_its_coupon(run, after, costs)
    if coupon_used or costs.new_period:
        state.counted_coupon = costs.paid_by.coupon if coupon_used else None
    run.take_over(after, coupon_used=coupon_used)
    _pay(run, costs, paid)
    state.paid_by, state.balance, state.last_paid = costs.paid_by, costs.balance, costs.paid_by.value()
    if costs.new_period:
        state.paid_cycles += 1
        state.anchor = Anchor.at(costs.period_start, after.plan.zone)
        state.first_cycle = state.cycle - 1
        state.period_start, state.period_end = costs.period_start, costs.period_end
        state.counts_from = None
        state.due_at = costs.period_end
        state.announced = [each for each in state.announced if each != RENEWAL]


def _uses_its_coupon(run: SubscriptionRun, after: PendingChange, costs: ChangeQuote) -> bool:
    """Whether the coupon that is held takes something off the running period for the first time."""
    coupon = costs.paid_by.coupon
    anew = costs.new_period or (costs.prorated and coupon != run.state.counted_coupon)
    return anew and costs.paid_by.discounted and coupon == after.coupon


def _pay(run: SubscriptionRun, costs: ChangeQuote, paid: PaidOrder | None) -> None:
    books, came = bookkeeping.books_of(run), bookkeeping.paid_with(paid) if paid is not None else None
    if costs.new_period:
        billed = costs.due_now.amount.amount if costs.due_now is not None else 0
        after = books.begun(costs.paid_by, costs.paid_by.value().amount, costs.balance, billed, came)
    else:
        after = books.changed(costs.paid_by, costs.balance, came, prorated=costs.prorated)
    bookkeeping.keep(run, after)
