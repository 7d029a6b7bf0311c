"""Over any sequence of changes, renewals and one last refund, every won is charged, credited or used by a day."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.bills import partial_bill, period_bill
from billing.domain.calendar import Anchor, Interval, IntervalUnit, cycle_due
from billing.domain.proration import ProrationMode, change_now, refund_parts, share, unused
from billing.domain.shares import day_of
from tests.domain.drawn import MONTHLY, balances, holdings, terms

BEGUN = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)
modes = st.sampled_from(ProrationMode)
moments = st.floats(0, 1)
INTERVALS = [MONTHLY, Interval(IntervalUnit.MONTH, 3), Interval(IntervalUnit.YEAR), Interval(IntervalUnit.DAY, 10)]
held = holdings(terms(st.sampled_from(INTERVALS), st.sampled_from(["Asia/Seoul", "America/New_York"])))
held_monthly = holdings(terms())
# A change at a part of the period that is left, or a renewal at its end.
steps = st.lists(st.tuples(moments, held, modes) | st.tuples(moments, held_monthly, modes) | st.none(), max_size=8)


class Customer:
    """One customer's books, kept day by day: what each day of the period is paid for."""

    def __init__(self, holding, balance):
        self.charged, self.used, self.forfeited = 0, 0, 0
        self.balance = balance
        self.renews_with = holding
        self.anchor, self.cycle, self.start = Anchor.at(BEGUN, holding.terms.zone), 0, BEGUN
        self.begin(period_bill(holding, balance))

    def begin(self, bill):
        self.pay(bill)
        self.cycle += 1
        self.paid_by = self.renews_with
        interval = self.paid_by.terms.interval
        self.start = cycle_due(self.anchor, interval, self.cycle)
        self.end = cycle_due(self.anchor, interval, self.cycle + 1)
        self.days = [self.paid_by] * day_of(self.start, self.end, self.start, self.paid_by.terms.zone)[1]
        self.now = self.start

    def pay(self, bill):
        assert bill.amount.amount >= 0
        self.charged += bill.amount.amount
        self.balance = bill.carried

    def use_up(self, day):
        days = len(self.days)
        for n, holding in enumerate(self.days[:day]):
            self.used += share(holding.value().amount, n, n + 1, days)

    def change(self, part, new, mode):
        self.now += (self.end - self.now) * part
        day, days = day_of(self.start, self.end, self.now, self.paid_by.terms.zone)
        rest = share(self.paid_by.value().amount, day, days, days)
        quote = change_now(self.paid_by, new, self.start, self.end, self.now, mode, self.balance)
        self.balance = quote.balance
        self.charged += quote.due_now.amount.amount if quote.due_now else 0
        self.paid_by, self.renews_with = quote.paid_by, new
        if quote.new_period:
            self.use_up(day)
            self.forfeited += rest if mode is ProrationMode.NONE else 0
            self.start, self.now, self.end = quote.period_start, quote.period_start, quote.period_end
            self.anchor, self.cycle = Anchor.at(self.start, new.terms.zone), 1
            self.days = [quote.paid_by] * day_of(self.start, self.end, self.start, new.terms.zone)[1]
        else:
            self.days[day:] = [quote.paid_by] * (days - day)

    def renew(self):
        self.use_up(len(self.days))
        self.begin(period_bill(self.renews_with, self.balance))


def lived(first, sequence, balance):
    customer = Customer(first, balance)
    for step in sequence:
        if step is None:
            customer.renew()
        else:
            customer.change(*step)
    return customer


@settings(max_examples=400)
@given(held, steps, balances)
def test_what_was_charged_less_the_credit_left_is_what_the_days_cost(first, sequence, balance):
    customer = lived(first, sequence, balance)
    customer.use_up(len(customer.days))
    assert customer.charged + customer.balance - balance == customer.used + customer.forfeited


@settings(max_examples=300)
@given(held, steps, balances, moments)
def test_a_prorated_refund_at_the_end_leaves_exactly_the_used_days(first, sequence, balance, part):
    customer = lived(first, sequence, balance)
    at = customer.now + (customer.end - customer.now) * part
    refund = unused(customer.paid_by, customer.start, customer.end, at).amount
    customer.use_up(day_of(customer.start, customer.end, at, customer.paid_by.terms.zone)[0])
    assert customer.charged - refund + customer.balance - balance == customer.used + customer.forfeited


@given(held_monthly, st.lists(st.tuples(moments, held_monthly), min_size=1, max_size=6))
def test_prorating_now_or_with_the_next_period_comes_to_the_same(first, changes):
    now, later = (
        lived(first, [(*change, mode) for change in changes], 0)
        for mode in (ProrationMode.PRORATE, ProrationMode.NEXT_PERIOD)
    )
    assert now.charged + now.balance == later.charged + later.balance
    assert later.charged == first.value().amount


@given(held_monthly, st.lists(held_monthly, max_size=4), st.sampled_from(list(ProrationMode)[:2]), moments)
def test_any_round_trip_within_one_day_costs_nothing(first, others, mode, part):
    customer = lived(first, [(part, first, mode)], 0)
    before = customer.charged + customer.balance
    for new in [*others, first]:
        customer.change(0.0, new, mode)
    assert customer.charged + customer.balance == before


@given(held, modes, moments, balances)
def test_a_change_to_the_same_costs_nothing(holding, mode, part, balance):
    end = cycle_due(Anchor.at(BEGUN, holding.terms.zone), holding.terms.interval, 2)
    quote = change_now(holding, holding, BEGUN, end, BEGUN + (end - BEGUN) * part, mode, balance)
    assert (quote.due_now, quote.balance, quote.new_period) == (None, balance, False)


@given(held_monthly, held_monthly, moments, moments)
def test_a_period_that_was_resumed_halfway_credits_only_days_that_were_billed(first, new, resumed, changed):
    end = cycle_due(Anchor.at(BEGUN, "Asia/Seoul"), MONTHLY, 2)
    back = BEGUN + (end - BEGUN) * resumed
    day, days = day_of(BEGUN, end, back, "Asia/Seoul")
    paid = partial_bill(first, day, days).amount.amount
    at = back + (end - back) * changed
    quote = change_now(first, new, BEGUN, end, at, ProrationMode.NEXT_PERIOD)
    changed_day, _ = day_of(BEGUN, end, at, "Asia/Seoul")
    used = share(first.value().amount, day, changed_day, days) + share(new.value().amount, changed_day, days, days)
    assert paid + quote.balance == used


@given(held, held, modes, moments, balances)
def test_a_change_is_never_charged_below_nothing_and_credit_is_kept_before_money_is_taken(
    old, new, mode, part, balance
):
    end = cycle_due(Anchor.at(BEGUN, old.terms.zone), old.terms.interval, 2)
    quote = change_now(old, new, BEGUN, end, BEGUN + (end - BEGUN) * part, mode, balance)
    assert quote.period_end > quote.period_start
    if quote.due_now is not None and mode is ProrationMode.PRORATE:
        assert quote.balance == quote.due_now.carried
        assert quote.due_now.amount.amount == 0 or quote.balance >= 0
    assert quote.period_start >= BEGUN - timedelta(seconds=1)


@st.composite
def refunded_charges(draw):
    amount = draw(st.integers(1, 60) | st.integers(1, 10**8))
    tax_free = draw(st.sampled_from([0, amount]) | st.integers(0, amount))
    vat = draw(st.none() | st.integers(0, amount - tax_free))
    cuts = draw(st.lists(st.integers(1, amount), max_size=12, unique=True).map(sorted))
    bounds = [0, *[cut for cut in cuts if cut < amount], amount]
    return amount, tax_free, vat, [b - a for a, b in pairwise(bounds)]


@settings(max_examples=500)
@given(refunded_charges())
def test_partial_refunds_of_a_charge_add_up_to_its_tax_free_part_and_its_vat(charge):
    amount, tax_free, vat, refunds = charge
    before = (0, 0, None if vat is None else 0)
    for refund in refunds:
        tax_part, vat_part = refund_parts(amount, tax_free, vat, before, refund)
        assert (vat_part is None) == (vat is None)
        assert min(tax_part, vat_part or 0) >= 0
        assert tax_part + (vat_part or 0) <= refund
        before = (before[0] + refund, before[1] + tax_part, None if vat is None else before[2] + vat_part)
        assert abs(before[1] * amount - tax_free * before[0]) <= 2 * amount
    assert before == (amount, tax_free, vat)
