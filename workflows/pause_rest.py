"""What of a paid period a pause has left, and how a subscription goes on with it; pure."""

from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from billing.domain.calendar import Anchor
from billing.domain.shares import day_of
from billing.domain.subscription.choices import ResumeAnchor
from billing.domain.subscription.records import PeriodsBefore
from workflows import bookkeeping

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun


def possible_anchor(run: "SubscriptionRun", wanted: ResumeAnchor) -> ResumeAnchor:
    """The old billing day has no meaning for a plan of another interval that is to begin with the next period."""
    held, coming = run.plan, run.holding().terms
    same_calendar = (held.interval, held.zone) == (coming.interval, coming.zone)
    return wanted if same_calendar else ResumeAnchor.NEW


def has_rest(run: "SubscriptionRun", wanted: ResumeAnchor, at: datetime) -> bool:
    """Whether a pause that ends at `at` leaves paid days to use up before anything is charged.

    Not where something of them went back: what is still paid of them then counts toward the period it goes on with.
    """
    if not is_within_a_paid_period(run) or not bookkeeping.books_of(run).gives_days(at):
        return False
    return possible_anchor(run, wanted) is ResumeAnchor.NEW or at < _end(run)


def is_within_a_paid_period(run: "SubscriptionRun") -> bool:
    """Whether the pause began before the period that was paid was over."""
    paused_at = run.state.paused_at
    return paused_at is not None and run.state.period_end is not None and paused_at < _end(run)


def _end(run: "SubscriptionRun") -> datetime:
    assert run.state.period_end is not None  # noqa: S101 - asked of a period that was paid
    return run.state.period_end


def last_anchor(run: "SubscriptionRun", wanted: ResumeAnchor) -> ResumeAnchor:
    """The anchor it goes on with: the days of a term's last period are given as days, since no further bill follows."""
    return ResumeAnchor.NEW if run.term_is_paid else possible_anchor(run, wanted)


# ---------------------------------------------------------------- the rest is given as days


def use_the_rest(run: "SubscriptionRun", anchor: ResumeAnchor, now: datetime) -> None:
    """With a new anchor the days that were left follow; with the old one the days that stood still become credit."""
    state = run.state
    if anchor is ResumeAnchor.NEW:
        _move(run, now)
    else:
        books = bookkeeping.books_of(run)
        after = books.kept(now)
        stood = books.part_left(now) - after.part_left(now)
        bookkeeping.keep(run, after)
        state.not_given = str(Fraction(state.not_given) + stood)


def _move(run: "SubscriptionRun", now: datetime) -> None:
    state = run.state
    paused_at, start, end = state.paused_at, state.period_start, state.period_end
    if paused_at is None or start is None or end is None:
        return
    moved = bookkeeping.books_of(run).moved(now).end
    assert moved is not None  # noqa: S101 - the period has an end
    # The whole period moves, so that its days are still worth what was paid for them.
    state.period_end = moved.replace(microsecond=0)
    by = state.period_end - end
    state.period_start = start + by
    if state.counts_from is not None:
        state.counts_from += by
    begin_periods_at(run, state.period_end)


# ---------------------------------------------------------------- a period is charged to go on


def noted(run: "SubscriptionRun") -> PeriodsBefore:
    """Where the periods lie now, and what is paid."""
    state = run.state
    return PeriodsBefore(
        anchor=state.anchor,
        first_cycle=state.first_cycle,
        due_at=state.due_at,
        paid_days=state.paid_days,
        resumes_at=state.resumes_at,
        balance=state.balance,
        given_back=state.given_back,
        not_given=state.not_given,
        orders=list(state.period_orders),
    )


def put_back(run: "SubscriptionRun", before: PeriodsBefore) -> None:
    """The charge came to nothing: everything lies where it lay, and what was paid is paid."""
    state = run.state
    state.anchor, state.first_cycle, state.due_at = before.anchor, before.first_cycle, before.due_at
    state.paid_days, state.resumes_at = before.paid_days, before.resumes_at
    state.balance, state.given_back, state.not_given = before.balance, before.given_back, before.not_given
    state.period_orders = list(before.orders)


def credit_the_rest(run: "SubscriptionRun", now: datetime) -> None:
    """What is still paid of the period that the pause cut counts toward the next one, and toward the term the rest."""
    books = bookkeeping.books_of(run)
    run.state.not_given = str(Fraction(run.state.not_given) + books.part_left(now))
    bookkeeping.keep(run, books.settled(now))


def lay_the_periods(run: "SubscriptionRun", anchor: ResumeAnchor, now: datetime) -> None:
    """Lay the periods anew, so that the next one begins now."""
    state = run.state
    state.resumes_at = None
    if state.paid_cycles == 0:
        # A trial that ended without a payment method: the first period was laid, and never began.
        state.not_given = "0"
    if anchor is ResumeAnchor.NEW or not _falls_into_a_period(run, now):
        begin_periods_at(run, now)
        return
    state.paid_days, days = day_of(run.due(state.cycle), run.due(state.cycle + 1), now, run.plan.zone)
    state.due_at = now
    state.not_given = str(Fraction(state.not_given) + Fraction(state.paid_days, days))


def begin_periods_at(run: "SubscriptionRun", at: datetime) -> None:
    """Periods are counted from `at` on."""
    run.state.anchor = Anchor.at(at, run.holding().terms.zone)
    run.state.first_cycle = run.state.cycle
    run.state.due_at = at
    run.state.paid_days = 0


def _falls_into_a_period(run: "SubscriptionRun", now: datetime) -> bool:
    """Count periods on from the old anchor up to the one that runs now; whether the anchor has one."""
    state = run.state
    while run.due(state.cycle + 1) <= now:
        state.first_cycle -= 1
    while run.due(state.cycle) > now:
        if state.cycle == state.first_cycle:
            return False
        state.first_cycle += 1
    return True
