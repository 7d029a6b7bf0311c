"""Where the first period lies: a whole one from the start or the trial's end, or the days to a chosen day."""

from datetime import datetime
from fractions import Fraction

from billing.domain.calendar import anchor_on
from billing.domain.records import PendingChange
from billing.domain.shares import day_of
from billing.domain.subscription.subscription import Subscription


def lay(subscription: Subscription, at: datetime, billing_day: int | None) -> None:
    """Lay the periods so that the first one is charged from `at` on, up to the next billing day where one is chosen.

    A term counts that as the part of a period it is.
    """
    state, terms = subscription.state, subscription.terms
    cycle = state.period.cycle
    state.periods.anchor_at(anchor_on(at, terms.plan.zone, terms.plan.interval, billing_day), cycle)
    state.period.is_due(at)
    state.periods.leave_out(0)
    state.paid.not_given_is(Fraction(0))
    if billing_day is not None:
        paid_days, whole = day_of(terms.due(cycle), terms.due(cycle + 1), at, terms.plan.zone)
        state.periods.leave_out(paid_days)
        state.paid.not_given_is(Fraction(paid_days, whole))


def change_in_the_trial(subscription: Subscription, items: PendingChange) -> None:
    """Subscribe to something else in a trial; a chosen billing day stays where the calendar does."""
    another = subscription.terms.has_another_calendar(items.plan)
    billing_day = None if another else subscription.state.periods.anchor.billing_day
    subscription.become(items, coupon_used=False)
    lay(subscription, subscription.state.period.due_at, billing_day)


def end_trial_at(subscription: Subscription, ends_at: datetime) -> None:
    """End the trial at another instant, and charge the first period then."""
    lay(subscription, ends_at, subscription.state.periods.anchor.billing_day)
    subscription.state.periods.end_trial_at(ends_at)
