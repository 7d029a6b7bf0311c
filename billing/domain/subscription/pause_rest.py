"""What of a paid period a pause has left, and how a subscription goes on with it."""

from datetime import datetime
from fractions import Fraction

from billing.domain.calendar import Anchor
from billing.domain.shares import day_of
from billing.domain.subscription.choices import ResumeAnchor
from billing.domain.subscription.layout import PeriodsBefore
from billing.domain.subscription.subscription import Subscription


def possible_anchor(subscription: Subscription, wanted: ResumeAnchor) -> ResumeAnchor:
    """The old billing day has no meaning for a plan of another interval that is to begin with the next period."""
    now, coming = subscription.terms.plan, subscription.terms.holding().terms
    same_calendar = (now.interval, now.zone) == (coming.interval, coming.zone)
    return wanted if same_calendar else ResumeAnchor.NEW


def has_rest(subscription: Subscription, wanted: ResumeAnchor, at: datetime) -> bool:
    """Whether a pause that ends at `at` leaves paid days to use up before anything is charged.

    Not where something of them went back: what is still paid of them then counts toward the period it goes on with.
    """
    if not is_within_a_paid_period(subscription) or not subscription.terms.books().gives_days(at):
        return False
    return possible_anchor(subscription, wanted) is ResumeAnchor.NEW or at < _end(subscription)


def is_within_a_paid_period(subscription: Subscription) -> bool:
    """Whether the pause began before the period that was paid was over."""
    paused_at = subscription.state.pause.since
    return paused_at is not None and subscription.state.periods.end is not None and paused_at < _end(subscription)


def _end(subscription: Subscription) -> datetime:
    assert subscription.state.periods.end is not None  # noqa: S101 - asked of a period that was paid
    return subscription.state.periods.end


def last_anchor(subscription: Subscription, wanted: ResumeAnchor) -> ResumeAnchor:
    """The anchor it goes on with: the days of a term's last period are given as days, since no further bill follows."""
    return ResumeAnchor.NEW if subscription.terms.term_is_paid else possible_anchor(subscription, wanted)


# ---------------------------------------------------------------- the rest is given as days


def use_the_rest(subscription: Subscription, anchor: ResumeAnchor, now: datetime) -> None:
    """With a new anchor the days that were left follow; with the old one the days that stood still become credit."""
    if anchor is ResumeAnchor.NEW:
        _move(subscription, now)
        return
    books = subscription.terms.books()
    after = books.kept(now)
    subscription.keep(after)
    subscription.state.paid.not_given_more(books.part_left(now) - after.part_left(now))


def _move(subscription: Subscription, now: datetime) -> None:
    periods = subscription.state.periods
    if subscription.state.pause.since is None or periods.start is None or periods.end is None:
        return
    moved = subscription.terms.books().moved(now).end
    assert moved is not None  # noqa: S101 - the period has an end
    # The whole period moves, so that its days are still worth what was paid for them.
    ends_at = moved.replace(microsecond=0)
    periods.move(ends_at)
    begin_periods_at(subscription, ends_at)


# ---------------------------------------------------------------- a period is charged to go on


def noted(subscription: Subscription) -> PeriodsBefore:
    """Where the periods lie now, and what is paid."""
    state = subscription.state
    return PeriodsBefore(
        anchor=state.periods.anchor,
        first_cycle=state.periods.first_cycle,
        due_at=state.period.due_at,
        paid_days=state.periods.paid_days,
        resumes_at=state.pause.resumes_at,
        balance=state.paid.balance,
        given_back=state.paid.given_back,
        not_given=state.paid.not_given,
        orders=list(state.paid.orders),
    )


def put_back(subscription: Subscription, before: PeriodsBefore) -> None:
    """The charge came to nothing: everything lies where it lay, and what was paid is paid."""
    state = subscription.state
    state.periods.anchor_at(before.anchor, before.first_cycle)
    state.periods.leave_out(before.paid_days)
    state.period.is_due(before.due_at)
    state.pause.resumes_on(before.resumes_at)
    state.paid.put_back(before)


def credit_the_rest(subscription: Subscription, now: datetime) -> None:
    """What is still paid of the period that the pause cut counts toward the next one, and toward the term the rest."""
    books = subscription.terms.books()
    subscription.state.paid.not_given_more(books.part_left(now))
    subscription.keep(books.settled(now))


def lay_the_periods(subscription: Subscription, anchor: ResumeAnchor, now: datetime) -> None:
    """Lay the periods anew, so that the next one begins now."""
    state = subscription.state
    state.pause.its_day_has_come()
    if state.paid.cycles == 0:
        # A trial that ended without a payment method: the first period was laid, and never began.
        state.paid.not_given_is(Fraction(0))
    if anchor is ResumeAnchor.NEW or not _falls_into_a_period(subscription, now):
        begin_periods_at(subscription, now)
        return
    terms, cycle = subscription.terms, state.period.cycle
    paid_days, days = day_of(terms.due(cycle), terms.due(cycle + 1), now, terms.plan.zone)
    state.periods.leave_out(paid_days)
    state.period.is_due(now)
    state.paid.not_given_more(Fraction(paid_days, days))


def begin_periods_at(subscription: Subscription, at: datetime) -> None:
    """Periods are counted from `at` on."""
    state = subscription.state
    state.periods.anchor_at(Anchor.at(at, subscription.terms.holding().terms.zone), state.period.cycle)
    state.periods.leave_out(0)
    state.period.is_due(at)


def _falls_into_a_period(subscription: Subscription, now: datetime) -> bool:
    """Count periods on from the old anchor up to the one that runs now; whether the anchor has one."""
    terms, periods, cycle = subscription.terms, subscription.state.periods, subscription.state.period.cycle
    while terms.due(cycle + 1) <= now:
        periods.put_off(1)
    while terms.due(cycle) > now:
        if cycle == periods.first_cycle:
            return False
        periods.put_off(-1)
    return True
