"""The harness's own calendar: months counted by hand, and the same days as the product's."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.calendar import Anchor, Interval, IntervalUnit, cycle_due
from chaos.expected import ExpectedLife, month_days, months_after

KST_NINE = datetime(2027, 1, 31, 0, 0, tzinfo=UTC)  # 09:00 in Seoul


@pytest.mark.parametrize(
    ("months", "day"),
    [(0, "2027-01-31"), (1, "2027-02-28"), (2, "2027-03-31"), (13, "2028-02-29"), (14, "2028-03-31")],
)
def test_a_month_without_the_day_has_it_on_its_last_one_and_no_later_day_moves(months, day):
    assert months_after(KST_NINE, months).date() == date.fromisoformat(day)


def test_the_day_is_that_of_seoul_and_not_of_london():
    late = datetime(2027, 1, 30, 15, 30, tzinfo=UTC)  # half past midnight of the 31st in Seoul
    assert months_after(late, 1) == datetime(2027, 2, 27, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(("year", "days"), [(2027, 28), (2028, 29), (2100, 28), (2400, 29)])
def test_february_is_long_in_leap_years(year, days):
    assert month_days(year, 2) == days


@given(
    st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 - made aware below
    st.integers(0, 200),
)
def test_both_calendars_agree_on_every_due_day(naive, months):
    anchor = naive.replace(tzinfo=UTC, microsecond=0)
    product = cycle_due(Anchor.at(anchor, "Asia/Seoul"), Interval(IntervalUnit.MONTH), months + 1)
    assert months_after(anchor, months) == product


def _life():
    life = ExpectedLife("s1", 9900)
    life.begins(KST_NINE)
    return life


def test_periods_are_due_from_the_first_on_at_the_price_they_have():
    life = _life()
    life.costs(10900, KST_NINE + timedelta(days=40))
    due = life.due(KST_NINE + timedelta(days=70))
    assert [(each.period, each.amount) for each in due] == [(1, 9900), (2, 9900), (3, 10900)]


@pytest.mark.parametrize("end", ["ends_at", "paused_at", "uncertain_from"])
def test_nothing_is_due_after_an_end_a_pause_or_a_doubt(end):
    life = _life()
    setattr(life, end, KST_NINE + timedelta(days=20))
    assert [each.period for each in life.due(KST_NINE + timedelta(days=70))] == [1]


def test_a_run_that_an_operator_ended_ends_nothing_that_is_due():
    life = _life()
    life.terminated_at = KST_NINE + timedelta(days=1)
    assert len(life.due(KST_NINE + timedelta(days=70))) == 3


def test_after_a_resume_the_days_are_counted_from_the_period_that_goes_on():
    life = _life()
    life.paused_at = KST_NINE + timedelta(days=3)
    life.goes_on_with(2, KST_NINE + timedelta(days=38))
    due = life.due(KST_NINE + timedelta(days=70))
    assert [each.at for each in due] == [
        KST_NINE,
        KST_NINE + timedelta(days=38),
        months_after(KST_NINE + timedelta(days=38), 1),
    ]


def test_a_resume_whose_paid_period_was_refunded_begins_the_next_one_at_once():
    life, resumed = _life(), KST_NINE + timedelta(days=5)
    life.resumes(3, resumed, months_after(resumed, 1))
    due = life.due(KST_NINE + timedelta(days=70))
    assert [each.at for each in due] == [KST_NINE, resumed, months_after(resumed, 1), months_after(resumed, 2)]
    within = _life()
    within.resumes(2, KST_NINE, KST_NINE + timedelta(days=33))
    assert within.due_of(2) == KST_NINE + timedelta(days=33)
