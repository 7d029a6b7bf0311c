"""What will be charged, by the very functions that charge it, so that a preview and a charge cannot disagree."""

from datetime import datetime

from temporalio.exceptions import ApplicationError

from billing.domain.bills import Bill
from billing.domain.money import Money
from billing.domain.states import SubscriptionStatus
from billing.domain.subscription.answers import CancelPreview, Preview
from billing.domain.subscription.choices import When
from billing.domain.subscription.records import PaidOrder
from workflows import bookkeeping, cancellation, first_period, possible, quoting, refunding, turnover
from workflows.orders import CancelSubscription, ChangePlan
from workflows.subscription_run import SubscriptionRun


def preview(run: SubscriptionRun, order: ChangePlan | None, at: datetime) -> Preview:
    """The next bill, line by line; with an order, what that change would charge at `at` and what the bill is then."""
    if order is None:
        return _of(run)
    try:
        possible.check(order, run.state, run.plan, at, run.customer_uid)
    except ApplicationError as refusal:
        return _of(run).model_copy(update={"refused": refusal.type, "message": refusal.message})
    then = SubscriptionRun(run.start, run.state.model_copy(deep=True))
    after = quoting.wanted(run, order)
    if order.at is When.PERIOD_END:
        _be_paid(then, at)
        then.state.pending_change, then.state.pending_from = after, None
        return _of(then)
    if run.state.status is SubscriptionStatus.TRIALING:
        then.state.pending_change = None
        first_period.hold_in_the_trial(then, after)
        return _of(then)
    costs = quoting.quote(run, order, at)
    then.state.pending_change = None
    quoting.hold(then, after, costs)
    return _of(then, costs.due_now, new_period=costs.new_period)


def _be_paid(then: SubscriptionRun, at: datetime) -> None:
    """Where a period is owed, a change comes with the one after it: as if what is owed had been paid."""
    state = then.state
    if state.status not in possible.OWING:
        return
    closed = state.status is SubscriptionStatus.UNPAID or state.end_action_taken
    paid = PaidOrder(merchant_uid=then.merchant_uid, imp_uid=None, amount=then.bill().amount)
    turnover.turn(then, at.replace(microsecond=0) if closed else None, paid)
    state.become(SubscriptionStatus.ACTIVE)


def preview_cancel(run: SubscriptionRun, order: CancelSubscription, at: datetime) -> CancelPreview:
    """What a cancel at `at` would give back and leave owed, by the function that gives it back."""
    currency, now = run.plan.price.currency, order.at is When.NOW or cancellation.nothing_is_left_to_use(run, at)
    ends_at = run.state.period_end
    if not now and ends_at is not None:
        return CancelPreview(ends_at=ends_at, refund=Money(0, currency), owed=Money(0, currency))
    back = refunding.to_give_back(run, order.refund, at)
    owed = max(0, bookkeeping.books_of(run).owed(at) - back)
    return CancelPreview(ends_at=at, refund=Money(back, currency), owed=Money(owed, currency))


def _of(run: SubscriptionRun, due_now: Bill | None = None, *, new_period: bool = False) -> Preview:
    bill = run.bill()
    return Preview(bill=bill, due_at=run.next_charge_at(), balance=bill.carried, due_now=due_now, new_period=new_period)
