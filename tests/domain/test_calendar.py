from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.calendar import MAX_COUNT, Anchor, Interval, IntervalUnit, cycle_date, cycle_due
from tests.domain.calendar_oracle import DAYS, LAST_DAY, ORACLES, month_days, passages, walked_days

JANUARY = [date(2024, 1, day) for day in range(1, 32)]
LEAP_YEAR = [day for day in DAYS if day.year == 2024]
# 01:30 occurs twice on a day in November, 02:30 on no clock on a day in March; the first and the last second.
WALL_TIMES = [time(1, 30), time(2, 30), time(0, 0), time(23, 59, 59)]
MONTHLY, YEARLY = Interval(IntervalUnit.MONTH), Interval(IntervalUnit.YEAR)


def holds_for_every_cycle(anchor: Anchor, interval: Interval, days: list[date]) -> None:
    to_utc = ORACLES[anchor.zone]
    before = None
    for cycle, day in enumerate(days, start=1):
        due = cycle_due(anchor, interval, cycle)
        assert cycle_date(anchor, interval, cycle) == day, (anchor, interval, cycle)
        assert due == to_utc(datetime.combine(day, anchor.wall_time)), (anchor, interval, cycle)
        assert due.tzinfo is UTC
        assert before is None or due > before, (anchor, interval, cycle)
        before = due
    assert cycle_date(anchor, interval, len(days) + 1) > LAST_DAY


@pytest.mark.parametrize("zone", ORACLES)
@pytest.mark.parametrize("wall_time", WALL_TIMES, ids=str)
def test_a_monthly_plan_is_due_on_its_anchor_day_or_the_last_of_the_month_until_2060(zone, wall_time):
    for day in JANUARY:
        holds_for_every_cycle(Anchor(day, wall_time, zone), MONTHLY, month_days(day, 1))


@pytest.mark.parametrize("zone", ORACLES)
def test_a_monthly_plan_that_starts_on_any_day_of_a_leap_year_keeps_that_day(zone):
    for day in LEAP_YEAR[::7]:
        holds_for_every_cycle(Anchor(day, time(2, 30), zone), MONTHLY, month_days(day, 1))


@pytest.mark.parametrize("zone", ORACLES)
@pytest.mark.parametrize("wall_time", WALL_TIMES, ids=str)
def test_a_yearly_plan_comes_back_to_its_day_until_2060_even_to_29_february(zone, wall_time):
    for day in LEAP_YEAR:
        holds_for_every_cycle(Anchor(day, wall_time, zone), YEARLY, month_days(day, 12))


@pytest.mark.parametrize("zone", ORACLES)
@pytest.mark.parametrize("count", [2, 3, 5, 6, 36])
def test_a_plan_of_several_months_skips_the_months_between_and_no_other(zone, count):
    for day in JANUARY:
        holds_for_every_cycle(
            Anchor(day, time(2, 30), zone), Interval(IntervalUnit.MONTH, count), month_days(day, count)
        )


@pytest.mark.parametrize("zone", ORACLES)
def test_a_daily_plan_is_due_every_single_day_until_2060(zone):
    holds_for_every_cycle(
        Anchor(date(2024, 1, 1), time(2, 30), zone), Interval(IntervalUnit.DAY), walked_days(date(2024, 1, 1), 1)
    )


@pytest.mark.parametrize("zone", ORACLES)
@pytest.mark.parametrize(("unit", "count"), [(IntervalUnit.DAY, 30), (IntervalUnit.WEEK, 1), (IntervalUnit.WEEK, 2)])
def test_a_plan_of_days_or_weeks_keeps_its_distance_until_2060(zone, unit, count):
    every = count * (7 if unit is IntervalUnit.WEEK else 1)
    for day in JANUARY[::5]:
        holds_for_every_cycle(Anchor(day, time(1, 30), zone), Interval(unit, count), walked_days(day, every))


def test_31_january_is_followed_by_the_end_of_february_and_by_31_march():
    anchor = Anchor(date(2025, 1, 31), time(9), "Asia/Seoul")
    days = [cycle_date(anchor, MONTHLY, cycle).isoformat() for cycle in (1, 2, 3, 4, 14, 38)]
    assert days == ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30", "2026-02-28", "2028-02-29"]


def test_a_wall_time_that_a_clock_change_skips_moves_forward_and_one_it_repeats_is_the_first():
    daily = Interval(IntervalUnit.DAY)
    skipped = Anchor(date(2027, 3, 13), time(2, 30), "America/New_York")
    assert cycle_due(skipped, daily, 2) == datetime(2027, 3, 14, 7, 30, tzinfo=UTC)  # 03:30 EDT
    assert cycle_due(skipped, daily, 3) == datetime(2027, 3, 15, 6, 30, tzinfo=UTC)  # 02:30 EDT again
    repeated = Anchor(date(2026, 10, 31), time(1, 30), "America/New_York")
    assert cycle_due(repeated, daily, 2) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 01:30 EDT, not EST


def test_a_day_in_seoul_is_not_the_day_in_utc():
    anchor = Anchor.at(datetime(2026, 2, 28, 23, 0, tzinfo=UTC), "Asia/Seoul")
    assert (anchor.day, anchor.wall_time) == (date(2026, 3, 1), time(8, 0))
    assert cycle_due(anchor, MONTHLY, 2) == datetime(2026, 3, 31, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Interval(IntervalUnit.MONTH, 0),
        lambda: Interval(IntervalUnit.YEAR, -1),
        *(lambda unit=unit: Interval(unit, MAX_COUNT[unit] + 1) for unit in IntervalUnit),
        lambda: Anchor(date(2024, 1, 1), time(9), "Asia/Nowhere"),
        lambda: Anchor(date(2024, 1, 1), time(9), "Asia"),
        lambda: Anchor(date(2024, 1, 1), time(9), "../etc/passwd"),
        lambda: Anchor(date(2024, 1, 1), time(9), ""),
        lambda: Anchor(date(2024, 1, 1), time(9, tzinfo=UTC), "Asia/Seoul"),
        lambda: Anchor(date(2024, 1, 1), time(9, fold=1), "Asia/Seoul"),
        lambda: Anchor(date(2024, 1, 1), time(9, 0, 0, 1), "Asia/Seoul"),
        lambda: Anchor.at(datetime(2024, 1, 1), "Asia/Seoul"),  # noqa: DTZ001 - the naive instant is the point
        lambda: cycle_date(Anchor(date(2024, 1, 1), time(9), "Asia/Seoul"), MONTHLY, 0),
        lambda: cycle_due(Anchor(date(2024, 1, 1), time(9), "Asia/Seoul"), MONTHLY, -1),
    ],
)
def test_an_interval_an_anchor_or_a_cycle_that_makes_no_sense_is_refused(make):
    with pytest.raises(ValueError, match=r"interval count|time zone|wall_time|aware|counted from 1"):
        make()


def test_an_interval_reads_like_a_sentence():
    assert str(Interval(IntervalUnit.MONTH)) == "every month"
    assert str(Interval(IntervalUnit.DAY, 30)) == "every 30 days"


zones = st.sampled_from(
    ["Asia/Seoul", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Auckland"]
)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
intervals = st.sampled_from(IntervalUnit).flatmap(
    lambda unit: st.integers(1, MAX_COUNT[unit]).map(lambda count: Interval(unit, count))
)


@given(instants, zones, intervals, st.integers(1, 120))
def test_a_due_instant_shows_the_anchors_wall_time_on_the_first_clock_that_does(instant, zone, interval, cycle):
    anchor = Anchor.at(instant, zone)
    due = cycle_due(anchor, interval, cycle)
    local = datetime.combine(cycle_date(anchor, interval, cycle), anchor.wall_time)
    shown = passages(local, ZoneInfo(zone))
    if shown:
        assert due == shown[0]
    else:
        moved = due.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - local
        assert timedelta(0) < moved <= timedelta(hours=1)
    assert cycle_due(anchor, interval, cycle + 1) > due


@given(instants, zones)
def test_the_first_cycle_is_due_at_the_second_the_anchor_was_taken_or_on_the_passage_before(instant, zone):
    due = cycle_due(Anchor.at(instant, zone), MONTHLY, 1)
    second = instant.replace(microsecond=0)
    local = second.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    assert due == passages(local, ZoneInfo(zone))[0]
    assert timedelta(0) <= second - due <= timedelta(hours=1)


@given(instants, zones, st.integers(-12, 14))
def test_an_anchor_is_the_same_whichever_offset_its_instant_is_written_in(instant, zone, hours):
    elsewhere = instant.astimezone(timezone(timedelta(hours=hours)))
    assert Anchor.at(elsewhere, zone) == Anchor.at(instant, zone)
