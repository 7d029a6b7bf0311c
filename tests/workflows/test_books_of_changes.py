"""Orders and renewals in any order, reckoned by the run's own functions: every won is charged, credited or used."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.coupons import Coupon
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.proration import ProrationMode
from billing.domain.records import PendingChange
from billing.domain.refusals import RefusedError
from billing.domain.shares import day_of, share
from billing.domain.states import SubscriptionStatus
from billing.domain.subscription import change_quote
from billing.domain.subscription.choices import When
from billing.domain.subscription.orders import PaidOrder
from billing.domain.subscription.period_close import turn
from billing.domain.subscription.start import PortOneChannel, StartSubscription
from billing.domain.subscription.subscription import Subscription, begin
from tests.domain.drawn import MONTHLY, coupons, terms
from workflows.subscription.commands import registry
from workflows.subscription.commands.cancel_change import CancelChange
from workflows.subscription.commands.change_plan import ChangePlan
from workflows.subscription.commands.change_trial import ChangeTrial
from workflows.subscription.commands.command import MOST_RENUMBERINGS
from workflows.subscription.previewing import preview

BEGUN = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)
INTERVALS = [MONTHLY, Interval(IntervalUnit.MONTH, 3), Interval(IntervalUnit.YEAR), Interval(IntervalUnit.DAY, 10)]
plans = terms() | terms(st.sampled_from(INTERVALS), st.sampled_from(["Asia/Seoul", "America/New_York"]))
maybe_coupons = st.none() | coupons()
# KCP takes nothing under 1,000 won: less is carried on.
pgs = st.sampled_from([None, "kcp"])


@st.composite
def orders(draw):
    coupon = draw(maybe_coupons)
    return ChangePlan(
        plan=draw(st.none() | plans),
        quantity=draw(st.none() | st.integers(1, 5)),
        coupon=coupon,
        without_coupon=coupon is None and draw(st.booleans()),
        at=draw(st.sampled_from(When)),
        proration=draw(st.sampled_from(ProrationMode)),
    )


# An order at a part of the period that is left, or a renewal at its end.
steps = st.lists(st.tuples(st.floats(0, 1), orders()) | st.none(), max_size=10)


class Books:
    """One subscription's books as the run keeps them, and beside them what each day was paid for."""

    def __init__(self, plan, quantity, coupon, pg=None):
        start = StartSubscription(
            subscription_id="s" + "0" * 19,
            customer_uid="buyer",
            plan=plan,
            quantity=quantity,
            coupon=coupon,
            channel=PortOneChannel(pg=pg),
        )
        state = begin(start, BEGUN)
        state.status = SubscriptionStatus.ACTIVE
        self.run, self.now = Subscription(start, state), BEGUN
        self.charged = self.used = self.forfeited = 0
        self.renew()

    @property
    def state(self):
        return self.run.state

    def renew(self):
        if self.state.periods.start is not None:
            self.use_up(len(self.days))
        expected, bill = preview(self.run, None, self.now).bill, self.run.terms.bill()
        assert bill == expected
        self.charged += bill.amount.amount
        paid = PaidOrder(merchant_uid="n", imp_uid="i", amount=bill.amount) if bill.amount.amount else None
        turn(self.run, None, paid)
        self.begin_days()

    def begin_days(self):
        self.now = self.state.periods.start
        _, days = self.day()
        self.days = [self.state.paid.by] * days

    def day(self):
        return day_of(*self.run.terms.whole_period(), self.now, self.state.paid.by.terms.zone)

    def use_up(self, day):
        days = len(self.days)
        for n, holding in enumerate(self.days[:day]):
            self.used += share(holding.value().amount, n, n + 1, days)

    def order(self, part, order):
        _, end = self.run.terms.whole_period()
        self.now += (end - self.now) * part
        self.now = self.now.replace(microsecond=0)
        told = preview(self.run, order, self.now)
        assert told.refused is None
        after = change_quote.wanted(self.run, order)
        if order.at is When.PERIOD_END:
            self.state.items.pending = after
            assert self.run.terms.bill() == told.bill
            return
        day, days = self.day()
        rest = share(self.state.paid.by.value().amount, day, days, days)
        costs = change_quote.quote(self.run, order, self.now)
        assert costs.due_now == told.due_now
        paid = costs.due_now.amount.amount if costs.due_now else 0
        self.charged += paid
        if costs.new_period:
            self.use_up(day)
            self.forfeited += rest if order.proration is ProrationMode.NONE else 0
        self.state.items.pending = None
        with_order = PaidOrder(merchant_uid="x", imp_uid="j", amount=Money(paid)) if paid else None
        change_quote.apply(self.run, after, costs, with_order)
        assert self.run.terms.bill() == told.bill
        if costs.new_period:
            self.begin_days()
        else:
            self.days[day:] = [self.state.paid.by] * (days - day)


def lived(plan, quantity, coupon, sequence, pg):
    books = Books(plan, quantity, coupon, pg)
    for step in sequence:
        if step is None:
            books.renew()
        else:
            books.order(*step)
    return books


@settings(max_examples=400)
@given(plans, st.integers(1, 5), maybe_coupons, steps, pgs)
def test_whatever_is_ordered_and_previewed_the_money_is_right_to_the_won(plan, quantity, coupon, sequence, pg):
    books = lived(plan, quantity, coupon, sequence, pg)
    books.use_up(len(books.days))
    assert books.charged + books.state.paid.balance == books.used + books.forfeited


@pytest.mark.soak
@settings(max_examples=300)
@given(plans, st.integers(1, 5), maybe_coupons, steps, pgs)
def test_the_orders_of_a_period_never_hold_more_than_was_charged(plan, quantity, coupon, sequence, pg):
    books = lived(plan, quantity, coupon, sequence, pg)
    held = sum(order.amount.amount for order in books.state.paid.orders)
    assert 0 <= held <= books.charged


@pytest.mark.soak
@settings(max_examples=300)
@given(terms(), coupons(), st.lists(st.integers(1, 5) | st.none(), max_size=12), st.floats(0, 1))
def test_other_quantities_do_not_use_up_or_lose_the_coupon_of_the_running_period(plan, coupon, sequence, part):
    # At a price this high every coupon takes something off each of these periods.
    books = Books(replace(plan, price=Money(300_000)), 1, coupon)
    with_coupon, periods = 1, 1
    for quantity in sequence:
        if quantity is None:
            books.renew()
            periods += 1
            with_coupon += books.state.paid.by.coupon is not None
        else:
            before = books.state.paid.by.coupon
            books.order(part, ChangePlan(quantity=quantity, at=When.NOW))
            assert books.state.paid.by.coupon == before
    allowed = {"once": 1, "forever": periods}.get(coupon.duration.value, coupon.duration_cycles)
    assert with_coupon == min(periods, allowed)


def test_a_coupon_that_was_used_up_counts_again_when_it_is_given_again():
    once = Coupon("HALF", percent_off=50)
    books = Books(terms_of_9900(), 1, once)
    books.renew()
    assert books.charged == 4_950 + 9_900
    books.order(0.5, ChangePlan(coupon=once))
    books.renew()
    books.renew()
    assert books.charged == 4_950 + 9_900 + 4_950 + 9_900


def test_a_pending_change_to_a_longer_interval_is_counted_from_its_day():
    books = Books(terms_of_9900(), 1, None)
    yearly = terms_of_9900(price=99_000, interval=Interval(IntervalUnit.YEAR))
    books.order(0.3, ChangePlan(plan=yearly))
    books.renew()
    assert (books.state.periods.end - books.state.periods.start) == timedelta(days=365)
    assert books.charged == 9_900 + 99_000


def test_an_order_that_replaces_a_pending_one_is_judged_by_what_it_makes_of_it():
    plan = terms_of_9900(price=60_000_000)
    books = Books(terms_of_9900(), 1, None)
    books.order(0.1, ChangePlan(plan=plan))
    told = preview(books.run, ChangePlan(quantity=2), books.now)
    assert told.refused == "does_not_fit"
    assert told.message == (
        "quantity 2 makes 120,000,000 KRW, more than one charge may take; "
        "change plan, quantity and coupon together, so that they fit"
    )
    # At once it is two of what is held now, whatever is pending.
    registry.check(ChangePlan(quantity=2, at=When.NOW), books.run, books.now)
    assert change_quote.wanted(books.run, ChangePlan(quantity=2, at=When.NOW)) == PendingChange(terms_of_9900(), 2)


def terms_of_9900(price=9_900, interval=MONTHLY):
    return PlanTerms("Basic", Money(price), interval)


@pytest.mark.parametrize(
    "order", [ChangePlan(quantity=2), CancelChange(), ChangeTrial(ends_at=BEGUN + timedelta(days=9))]
)
def test_an_order_that_would_need_another_number_than_there_are_letters_is_refused(order):
    books = Books(terms_of_9900(), 1, None)
    books.state.period.generation = MOST_RENUMBERINGS
    books.state.items.pending = books.run.terms.held()
    books.state.status = SubscriptionStatus.TRIALING
    with pytest.raises(RefusedError, match="too many changes") as refusal:
        registry.check(order, books.run, books.now)
    assert refusal.value.refusal.code == "too_many_changes"
