from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.domain.bills import Holding, period_bill
from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.coupons import Coupon
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.proration import ProrationMode, change_now, unused
from tests.domain.drawn import MONTHLY

# 09:00 in Seoul; April has 30 days.
START, END = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
BASIC = Holding(PlanTerms("Basic", Money(9_000), MONTHLY))
PREMIUM = Holding(PlanTerms("Premium", Money(30_000), MONTHLY, tax_free=3_000, vat_amount=2_400))
YEARLY = Holding(PlanTerms("Yearly", Money(300_000), Interval(IntervalUnit.YEAR)))
PRORATE, NEXT_PERIOD, NONE = ProrationMode


def april(day, hour=0):
    return datetime(2026, 4, day, hour, tzinfo=UTC)


def change(old, new, at, mode, balance=0):
    return change_now(old, new, START, END, at, mode, balance)


def dollars(holding):
    return Holding(replace(holding.terms, price=Money(holding.terms.price.amount, "USD")))


@pytest.mark.parametrize("mode", ProrationMode)
def test_a_change_of_currency_is_refused(mode):
    with pytest.raises(ValueError, match="KRW to USD"):
        change(BASIC, dollars(BASIC), april(11), mode)


@pytest.mark.parametrize("at", [datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 5, 1, 1, tzinfo=UTC)])
def test_a_change_outside_the_period_is_refused(at):
    with pytest.raises(ValueError, match="is not in"):
        change(BASIC, PREMIUM, at, PRORATE)
    with pytest.raises(ValueError, match="is not in"):
        unused(BASIC, START, END, at)


def test_an_upgrade_is_due_now_for_the_days_that_are_left():
    quote = change(BASIC, PREMIUM, april(11), PRORATE)
    assert (quote.balance, quote.new_period, quote.period_start, quote.period_end) == (0, False, START, END)
    assert [(line.text, line.amount) for line in quote.due_now.lines] == [
        ("Premium, 20 of 30 days", 20_000),
        ("not used: Basic, 20 of 30 days", -6_000),
    ]
    assert (quote.due_now.amount, quote.due_now.tax_free, quote.due_now.vat_amount) == (Money(14_000), 1_400, 1_120)
    assert quote.paid_by is PREMIUM


def test_a_downgrade_becomes_credit_and_charges_nothing():
    quote = change(PREMIUM, BASIC, april(11), PRORATE, balance=-100)
    assert (quote.due_now, quote.balance, quote.paid_by) == (None, -14_100, BASIC)


def test_a_balance_is_settled_with_what_is_due_now():
    assert change(BASIC, PREMIUM, april(11), PRORATE, balance=-4_000).due_now.amount == Money(10_000)
    assert change(BASIC, PREMIUM, april(11), PRORATE, balance=500).due_now.amount == Money(14_500)
    covered = change(BASIC, PREMIUM, april(11), PRORATE, balance=-20_000)
    assert (covered.due_now.amount, covered.balance) == (Money(0), -6_000)


def test_a_difference_for_the_next_period_waits_in_the_balance_both_ways():
    up, down = (change(*pair, april(11), NEXT_PERIOD) for pair in ((BASIC, PREMIUM), (PREMIUM, BASIC)))
    assert (up.due_now, up.balance, up.paid_by) == (None, 14_000, PREMIUM)
    assert (down.due_now, down.balance, down.paid_by) == (None, -14_000, BASIC)


def test_without_proration_the_days_stay_paid_at_the_old_price():
    up = change(BASIC, PREMIUM, april(11), NONE, balance=-70)
    assert (up.due_now, up.balance, up.paid_by) == (None, -70, BASIC)


def test_going_back_after_a_change_without_proration_gives_no_credit_for_money_that_never_came():
    up = change(BASIC, PREMIUM, april(11), NONE)
    back = change(up.paid_by, BASIC, april(12), PRORATE, up.balance)
    assert (back.due_now, back.balance) == (None, 0)


def test_another_interval_begins_a_new_period_with_the_unused_days_as_credit():
    quote = change(PREMIUM, YEARLY, april(11), PRORATE)
    assert (quote.due_now.amount, quote.balance, quote.new_period) == (Money(280_000), 0, True)
    assert (quote.period_start, quote.period_end) == (april(11), datetime(2027, 4, 11, tzinfo=UTC))
    assert quote.due_now.lines[1].text == "not used: Premium, 20 of 30 days"


def test_a_credit_larger_than_the_new_period_is_kept():
    year = (datetime(2026, 4, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC))
    quote = change_now(YEARLY, BASIC, *year, april(11), PRORATE)
    assert quote.due_now.amount == Money(0)
    assert quote.balance == 9_000 - 300_000 + 300_000 * 10 // 365


def test_another_interval_without_credit_or_with_credit_later_bills_the_whole_new_period():
    later, never = (change(PREMIUM, YEARLY, april(11), mode, balance=-1_000) for mode in (NEXT_PERIOD, NONE))
    assert (later.due_now.amount, later.balance) == (Money(299_000), -20_000)
    assert (never.due_now.amount, never.balance, never.paid_by) == (Money(299_000), 0, YEARLY)


def test_the_example_of_the_page_on_changes_is_true():
    up = change(BASIC, PREMIUM, april(11), PRORATE)
    down = change(up.paid_by, BASIC, april(21), PRORATE, up.balance)
    may = period_bill(BASIC, down.balance)
    assert (up.due_now.amount, down.due_now, down.balance) == (Money(14_000), None, -7_000)
    assert (may.amount, may.carried) == (Money(2_000), 0)
    assert 9_000 + 14_000 + 2_000 == 10 * 300 + 10 * 1_000 + 10 * 300 + 9_000


@pytest.mark.parametrize("interval", [Interval(IntervalUnit.MONTH, 2), Interval(IntervalUnit.DAY, 30)])
def test_another_unit_or_count_or_zone_is_another_interval(interval):
    assert change(BASIC, Holding(replace(BASIC.terms, interval=interval)), april(11), NONE).new_period
    assert change(BASIC, Holding(replace(BASIC.terms, zone="Asia/Tokyo")), april(11), NONE).new_period


def test_a_new_period_starts_on_a_whole_second():
    at = april(11).replace(microsecond=999_999)
    assert change(BASIC, YEARLY, at, PRORATE).period_start == april(11)


def test_quantity_is_a_change_like_any_other():
    quote = change(BASIC, replace(BASIC, quantity=3), april(16), PRORATE)
    assert quote.due_now.amount == Money(9_000)
    assert quote.due_now.lines[0].text == "Basic × 3, 15 of 30 days"


def test_a_coupon_is_used_up_by_a_change_only_when_it_is_new_and_counts():
    half = Coupon("HALF", percent_off=50)
    before, after = replace(BASIC, coupon=half), replace(PREMIUM, coupon=half)
    assert not change(before, after, april(11), PRORATE).coupon_used
    assert change(BASIC, after, april(11), PRORATE).coupon_used
    assert change(BASIC, after, april(11), PRORATE).due_now.coupon_used
    assert change(PREMIUM, after, april(11), PRORATE).coupon_used
    assert not change(BASIC, after, april(11), NONE).coupon_used
    assert change(before, replace(YEARLY, coupon=half), april(11), NONE).coupon_used


def test_the_day_of_the_change_is_the_day_in_the_plans_zone():
    before, after = datetime(2026, 4, 10, 14, 59, tzinfo=UTC), datetime(2026, 4, 10, 15, 0, tzinfo=UTC)
    assert unused(BASIC, START, END, before) == Money(9_000 * 21 // 30)
    assert unused(BASIC, START, END, after) == Money(9_000 * 20 // 30)


def test_what_is_not_used_of_an_amount_is_its_share_of_the_days():
    assert unused(Money(10_000), START, END, april(1)) == Money(10_000)
    assert unused(Money(10_000), START, END, april(11)) == Money(6_667)
    assert unused(Money(10_000), START, END, END) == Money(0)
    assert unused(Money(10_000, "USD"), START, END, april(11, 16), "UTC") == Money(6_667, "USD")
    assert unused(Money(10_000, "USD"), START, END, april(11, 16), "Asia/Seoul") == Money(6_334, "USD")
