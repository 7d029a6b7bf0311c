"""A chosen billing day: the first period is the days up to it, and every further one begins on it."""

import calendar as gregorian
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain import bounds
from billing.domain.bills import Holding, partial_bill
from billing.domain.calendar import Anchor, Interval, IntervalUnit, anchor_on, cycle_date, cycle_due, time_zone
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.shares import day_of, share
from tests.domain.drawn import coupons

MONTH, YEAR = IntervalUnit.MONTH, IntervalUnit.YEAR
intervals = st.builds(Interval, st.just(MONTH), st.integers(1, 36)) | st.builds(
    Interval, st.just(YEAR), st.integers(1, 3)
)
zones = st.sampled_from(["Asia/Seoul", "America/New_York", "Pacific/Apia", "UTC"])
instants = st.integers(1_577_836_800, 2_840_140_800).map(lambda second: datetime.fromtimestamp(second, UTC))
billing_days = st.integers(1, 31)


def is_on(day, billing_day):
    """Whether that is the billing day of its month, which is its last day where it has no such one."""
    return day.day == min(billing_day, gregorian.monthrange(day.year, day.month)[1])


@given(instants, zones, intervals, billing_days)
def test_the_first_period_ends_with_the_next_billing_day_and_each_further_one_begins_on_it(at, zone, interval, chosen):
    anchor = anchor_on(at, zone, interval, chosen)
    today = at.astimezone(time_zone(zone)).date()
    first = today if is_on(today, chosen) else None
    following = today + timedelta(days=1)
    while not is_on(following, chosen):
        following += timedelta(days=1)
    months = interval.count * (12 if interval.unit is YEAR else 1)
    whole_from = 1 if first else 2
    assert cycle_date(anchor, interval, whole_from) == (first or following)
    assert cycle_date(anchor, interval, 1) <= today
    begun = first or following
    for step in range(30):
        due = cycle_date(anchor, interval, whole_from + step)
        assert is_on(due, chosen)
        assert (due.year - begun.year) * 12 + due.month - begun.month == step * months


@given(instants, zones, intervals, billing_days, st.integers(1, 10**8), st.integers(1, 3), st.none() | coupons())
def test_the_first_bill_and_the_days_before_it_are_the_whole_price_to_the_won(
    at, zone, interval, chosen, price, quantity, coupon
):
    terms = PlanTerms("이용권", Money(price // quantity), interval, zone=zone, tax_free=price // 7 // quantity)
    held = Holding(terms, quantity, coupon)
    anchor = anchor_on(at, zone, interval, chosen)
    start, end = cycle_due(anchor, interval, 1), cycle_due(anchor, interval, 2)
    before, days = day_of(start, end, max(at, start), zone)
    bill = partial_bill(held, before, days)
    whole = held.value().amount
    assert bill.amount.amount + share(whole, 0, before, days) == whole
    assert abs(bill.amount.amount - whole * (days - before) / days) < 1
    assert 0 <= bill.tax_free <= bill.amount.amount
    if before:
        assert bill.lines[0].text.endswith(f", {days - before} of {days} days")
        assert days - before == (cycle_date(anchor, interval, 2) - at.astimezone(time_zone(zone)).date()).days


@pytest.mark.parametrize(
    ("start", "chosen", "interval", "dates"),
    [
        ("2027-02-10", 31, "1 month", ["01-31", "02-28", "03-31", "04-30"]),
        ("2027-02-28", 31, "1 month", ["02-28", "03-31", "04-30", "05-31"]),
        ("2028-02-28", 31, "1 month", ["01-31", "02-29", "03-31", "04-30"]),
        ("2027-03-10", 30, "1 month", ["02-28", "03-30", "04-30", "05-30"]),
        ("2027-12-31", 1, "1 month", ["12-01", "01-01", "02-01", "03-01"]),
        ("2027-03-05", 5, "1 month", ["03-05", "04-05", "05-05", "06-05"]),
        ("2027-02-10", 31, "3 month", ["11-30", "02-28", "05-31", "08-31"]),
        ("2027-02-10", 31, "1 year", ["02-28", "02-28", "02-29", "02-28"]),
        ("2027-11-20", 1, "1 year", ["12-01", "12-01", "12-01", "12-01"]),
    ],
)
def test_the_day_is_kept_over_short_months_from_the_day_that_was_chosen(start, chosen, interval, dates):
    count, unit = interval.split()
    every = Interval(IntervalUnit(unit), int(count))
    anchor = anchor_on(datetime.fromisoformat(f"{start}T09:30:00+09:00").astimezone(UTC), "Asia/Seoul", every, chosen)
    assert [f"{cycle_date(anchor, every, cycle):%m-%d}" for cycle in range(1, 5)] == dates
    assert cycle_due(anchor, every, 2).astimezone(time_zone("Asia/Seoul")).time() == time(9, 30)


@pytest.mark.parametrize(
    ("chosen", "unit", "fault"),
    [
        (0, "month", "1 to 31"),
        (32, "year", "1 to 31"),
        (-1, "month", "1 to 31"),
        (5, "day", "days"),
        (5, "week", "weeks"),
    ],
)
def test_no_other_number_is_a_billing_day_nor_has_a_plan_of_days_or_weeks_one(chosen, unit, fault):
    interval = Interval(IntervalUnit(unit))
    with pytest.raises(ValueError, match=fault):
        anchor_on(datetime(2027, 1, 1, tzinfo=UTC), "UTC", interval, chosen)
    assert fault in bounds.billing_day_fault(chosen, PlanTerms("a", Money(1), interval))


def test_an_anchor_lies_on_its_billing_day():
    with pytest.raises(ValueError, match="is not on billing day 31"):
        Anchor(date(2027, 3, 30), time(9), "UTC", 31)
