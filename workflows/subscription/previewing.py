"""What will be charged, by the very functions that charge it, so that a preview and a charge cannot disagree."""

from datetime import datetime

from billing.domain.bills import Bill
from billing.domain.money import Money
from billing.domain.refusals import RefusedError
from billing.domain.states import SubscriptionStatus
from billing.domain.subscription import change_quote, first_period, period_close, skipping
from billing.domain.subscription.answers import CancelPreview, Preview
from billing.domain.subscription.choices import When
from billing.domain.subscription.orders import PaidOrder
from billing.domain.subscription.subscription import Subscription
from workflows.subscription.commands import registry
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.change_plan import ChangePlan
from workflows.subscription.commands.command import OWING
from workflows.subscription.commands.skip import SkipPeriods


def preview(subscription: Subscription, change: ChangePlan | None, at: datetime) -> Preview:
    """The next bill, line by line; with a change, what it would charge at `at` and what the bill is then."""
    if change is None:
        return _of(subscription)
    refused = _refused(subscription, change, at)
    if refused is not None:
        return refused
    then, after = subscription.copy(), change_quote.wanted(subscription, change)
    if change.at is When.PERIOD_END:
        _be_paid(then, at)
        then.state.items.wait_for(after)
        return _of(then)
    if subscription.state.status is SubscriptionStatus.TRIALING:
        then.state.items.drop_pending()
        first_period.change_in_the_trial(then, after)
        return _of(then)
    costs = change_quote.quote(subscription, change, at)
    then.state.items.drop_pending()
    change_quote.apply(then, after, costs)
    return _of(then, costs.due_now, new_period=costs.new_period)


def _be_paid(then: Subscription, at: datetime) -> None:
    """Where a period is owed, a change comes with the one after it: as if what is owed had been paid."""
    state = then.state
    if state.status not in OWING:
        return
    closed = state.status is SubscriptionStatus.UNPAID or state.arrears.end_action_taken
    paid = PaidOrder(merchant_uid=then.terms.merchant_uid, imp_uid=None, amount=then.terms.bill().amount)
    period_close.turn(then, at.replace(microsecond=0) if closed else None, paid)
    state.become(SubscriptionStatus.ACTIVE)


def preview_skip(subscription: Subscription, message: SkipPeriods, at: datetime) -> Preview:
    """When the next charge would be after these skipped periods, and what it would be."""
    refused = _refused(subscription, message, at)
    if refused is not None:
        return refused
    then = subscription.copy()
    skipping.skip(then, message.periods)
    return _of(then)


def preview_cancel(subscription: Subscription, message: CancelSubscription, at: datetime) -> CancelPreview:
    """What a cancel at `at` would give back and leave owed, by the function that gives it back."""
    terms = subscription.terms
    currency, now = terms.plan.price.currency, message.at is When.NOW or terms.nothing_is_left_to_use(at)
    ends_at = subscription.state.periods.end
    if not now and ends_at is not None:
        return CancelPreview(ends_at=ends_at, refund=Money(0, currency), owed=Money(0, currency))
    back = terms.gives_back(message.refund, at)
    owed = max(0, terms.books().owed(at) - back)
    return CancelPreview(ends_at=at, refund=Money(back, currency), owed=Money(owed, currency))


def _refused(subscription: Subscription, message: ChangePlan | SkipPeriods, at: datetime) -> Preview | None:
    try:
        registry.check(message, subscription, at)
    except RefusedError as refused:
        return _of(subscription).model_copy(update={"refused": refused.refusal.code, "message": str(refused)})
    return None


def _of(subscription: Subscription, due_now: Bill | None = None, *, new_period: bool = False) -> Preview:
    bill = subscription.terms.bill()
    due_at = subscription.terms.next_charge_at()
    return Preview(bill=bill, due_at=due_at, balance=bill.carried, due_now=due_now, new_period=new_period)
