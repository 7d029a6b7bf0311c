"""Where the first period lies: a whole one from the start or the trial's end, or the days to a chosen day; pure."""

from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from billing.domain.calendar import anchor_on
from billing.domain.records import PendingChange
from billing.domain.shares import day_of

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun


def lay(run: "SubscriptionRun", at: datetime, billing_day: int | None) -> None:
    """Lay the periods so that the first one is charged from `at` on, up to the next billing day where one is chosen.

    A term counts that as the part of a period it is.
    """
    state, plan = run.state, run.plan
    state.anchor = anchor_on(at, plan.zone, plan.interval, billing_day)
    state.first_cycle, state.due_at = state.cycle, at
    state.paid_days, state.not_given = 0, "0"
    if billing_day is not None:
        state.paid_days, whole = day_of(run.due(state.cycle), run.due(state.cycle + 1), at, plan.zone)
        state.not_given = str(Fraction(state.paid_days, whole))


def days(run: "SubscriptionRun") -> int:
    """The days of the whole open period."""
    begins, ends = run.due(run.state.cycle), run.due(run.state.cycle + 1)
    return day_of(begins, ends, ends, run.plan.zone)[1]


def hold_in_the_trial(run: "SubscriptionRun", after: PendingChange) -> None:
    """Hold something else from now on, in a trial; a chosen billing day stays where the calendar does."""
    billing_day = None if run.has_another_calendar(after.plan) else run.state.anchor.billing_day
    run.take_over(after, coupon_used=False)
    lay(run, run.state.due_at, billing_day)
