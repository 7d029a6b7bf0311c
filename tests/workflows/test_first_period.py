"""Where a first period up to a chosen billing day lies, whatever happens before it is paid; pure."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.records import PendingChange
from billing.domain.subscription import first_period, pause_rest
from billing.domain.subscription.choices import ResumeAnchor
from billing.domain.subscription.period_close import turn
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.subscription import Subscription, begin
from billing.domain.takeover import TakeOver
from tests.workflows.lives import Life
from workflows.subscription.start_bounds import check_start

MONTH, YEAR = Interval(IntervalUnit.MONTH), Interval(IntervalUnit.YEAR)
TWENTIETH = datetime(2027, 3, 20, 3, tzinfo=UTC)
FIRST_OF_APRIL = datetime(2027, 4, 1, 3, tzinfo=UTC)


def plan(interval=MONTH, price=31_000, **more):
    return PlanTerms("이용권", Money(price), interval, **more)


def after_a_trial(**more):
    """A run whose trial ends on 20 March, at noon in Seoul, with the first of the month as its billing day."""
    start = StartSubscription(subscription_id="s" + "0" * 19, customer_uid="buyer", plan=plan(**more))
    begun = TWENTIETH - timedelta(days=14)
    state = begin(start, begun)
    run = Subscription(start, state)
    first_period.lay(run, TWENTIETH, 1)
    return run


def period(run):
    return run.state.periods.start, run.state.periods.end, run.state.paid.balance


def test_a_short_period_that_a_retry_pays_begins_when_it_was_due():
    for late in (timedelta(days=3), timedelta(days=20)):
        run = after_a_trial()
        assert run.terms.bill().amount.amount == 12_000
        run.state.period.due_at += late
        turn(run)
        assert period(run) == (TWENTIETH, FIRST_OF_APRIL, 0)
        assert run.state.periods.counts_from == datetime(2027, 3, 1, 3, tzinfo=UTC)


def test_a_short_period_that_is_paid_after_access_was_closed_is_given_as_the_days_that_were_billed():
    run, paid_at = after_a_trial(), datetime(2027, 5, 10, 7, tzinfo=UTC)
    turn(run, paid_at)
    assert period(run) == (paid_at, paid_at + timedelta(days=12), 0)
    assert (run.terms.bill().amount.amount, run.terms.due(3)) == (31_000, datetime(2027, 6, 22, 7, tzinfo=UTC))


def test_a_change_to_another_interval_begins_a_whole_period_when_the_trial_ends():
    run = after_a_trial()
    run.state.items.pending = PendingChange(plan(YEAR, 300_000), 1, None)
    assert run.terms.bill().amount.amount == 300_000
    turn(run)
    assert period(run) == (TWENTIETH, datetime(2028, 3, 20, 3, tzinfo=UTC), 0)
    assert run.state.paid.not_given == "0"


def test_a_change_that_comes_with_a_later_period_leaves_the_short_one_at_its_price():
    run = after_a_trial()
    run.state.items.pending = PendingChange(plan(YEAR, 300_000), 1, None)
    run.state.items.pending_from = run.state.period.cycle + 1
    assert run.terms.bill().amount.amount == 12_000
    turn(run)
    assert period(run) == (TWENTIETH, FIRST_OF_APRIL, 0)
    assert run.terms.bill().amount.amount == 300_000
    turn(run)
    assert period(run) == (FIRST_OF_APRIL, datetime(2028, 4, 1, 3, tzinfo=UTC), 0)


def test_a_change_within_the_trial_keeps_the_billing_day_where_the_calendar_stays():
    run = after_a_trial()
    first_period.change_in_the_trial(run, PendingChange(plan(price=62_000), 1, None))
    assert (run.terms.bill().amount.amount, run.terms.due(2)) == (24_000, FIRST_OF_APRIL)
    first_period.change_in_the_trial(run, PendingChange(plan(YEAR, 300_000), 1, None))
    assert (run.terms.bill().amount.amount, run.terms.due(1)) == (300_000, TWENTIETH)


@pytest.mark.parametrize(("anchor", "price", "left"), [(ResumeAnchor.NEW, 31_000, 1), (ResumeAnchor.OLD, 7_000, 1)])
def test_a_trial_that_ended_without_a_card_is_resumed_on_a_new_day_or_on_the_chosen_one(anchor, price, left):
    run = after_a_trial(max_cycles=1)
    pause_rest.lay_the_periods(run, anchor, TWENTIETH + timedelta(days=5))
    assert run.terms.bill().amount.amount == price
    run.state.paid.cycles += left
    assert run.terms.term_is_paid is (anchor is ResumeAnchor.NEW)


@pytest.mark.parametrize(("day", "periods"), [(20, [12_000, 31_000, 31_000]), (12, [20_000, 31_000])])
def test_a_term_counts_the_short_period_as_the_part_that_it_is(day, periods):
    life = Life(plan(max_cycles=2), begun=TWENTIETH.replace(day=day), billing_day=1)
    life.wait(24 * 120)
    assert (life.ended, life.charged) == (True, periods)


def test_what_the_pg_does_not_take_at_once_is_carried_into_the_first_whole_period():
    life = Life(plan(price=1_240), pg="kcp", begun=TWENTIETH, billing_day=1)
    assert (life.charged, life.state.paid.balance) == ([], 480)
    life.wait(24 * 13)
    assert life.charged == [1_720]


@pytest.mark.parametrize(
    "more",
    [
        {"billing_day": 0},
        {"billing_day": 32},
        {"plan": plan(Interval(IntervalUnit.WEEK))},
        {"paid_until": TWENTIETH},
        {"take_over": TakeOver.ADOPT},
    ],
)
def test_a_start_past_the_api_with_a_billing_day_that_cannot_be_one_is_refused(more):
    named = {"subscription_id": "s" + "0" * 19, "customer_uid": "buyer", "plan": plan(), "billing_day": 1, **more}
    with pytest.raises(ApplicationError, match="billing_day"):
        check_start(StartSubscription(**named))
