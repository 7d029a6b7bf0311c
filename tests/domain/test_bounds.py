"""Whatever a body may carry can be computed with; and what lies beyond is refused in words."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import bounds
from billing.domain.bills import Holding
from billing.domain.calendar import MAX_COUNT, Anchor, Interval, IntervalUnit, cycle_date, cycle_due, local_time
from billing.domain.coupons import Coupon, CouponDuration
from billing.domain.money import MAX_AMOUNT, Money
from billing.domain.plans import PlanTerms
from billing.domain.proration import ProrationMode, change_now, unused
from billing.domain.shares import day_of

ZONES = st.sampled_from(sorted(bounds.zone_names()))
INTERVALS = st.sampled_from(list(IntervalUnit)).flatmap(
    lambda unit: st.integers(1, MAX_COUNT[unit]).map(lambda count: Interval(unit, count))
)
# No zone's calendar has left out a day since 2011, as Samoa's then did.
SECONDS = st.integers(int(datetime(2012, 1, 1, tzinfo=UTC).timestamp()), int(bounds.LATEST.timestamp()))
WITHIN = SECONDS.map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ANY = st.datetimes(timezones=st.just(UTC))
CYCLES = st.integers(1, bounds.MAX_CYCLES) | st.integers(1, 10**12)


@given(ANY, ZONES, INTERVALS, CYCLES)
@settings(max_examples=500, deadline=None)
def test_every_cycle_of_every_anchor_has_a_day_and_an_instant(at, zone, interval, cycle):
    anchor = Anchor.at(at, zone)
    assert anchor.day <= cycle_date(anchor, interval, cycle) <= max(anchor.day, date(9998, 12, 31))
    due = cycle_due(anchor, interval, cycle)
    assert due.tzinfo is UTC
    assert Anchor.at(due, zone).day is not None
    assert local_time(due, zone).strftime("%Y-%m-%d %H:%M %Z")


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00Z", "0001-01-03T12:00:00Z", "9998-12-31T23:59:59Z", "9999-12-31T23:59:59Z"]
)
@pytest.mark.parametrize("zone", ["Asia/Seoul", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"])
def test_the_ends_of_the_calendar_are_instants_as_others(at, zone):
    anchor = Anchor.at(datetime.fromisoformat(at), zone)
    assert cycle_due(anchor, Interval(IntervalUnit.YEAR, 3), bounds.MAX_CYCLES) < datetime(9999, 1, 2, tzinfo=UTC)


@given(WITHIN, ZONES, INTERVALS, st.data())
@settings(max_examples=300, deadline=None)
def test_every_period_within_bounds_can_be_counted_prorated_and_changed(at, zone, interval, data):
    anchor = Anchor.at(at, zone)
    start, end = cycle_due(anchor, interval, 1), cycle_due(anchor, interval, 2)
    inside = data.draw(st.datetimes(start.replace(tzinfo=None), end.replace(tzinfo=None))).replace(tzinfo=UTC)
    day, days = day_of(start, end, inside, zone)
    assert 0 <= day <= days
    quantity = data.draw(st.integers(1, bounds.MAX_QUANTITY))
    price = data.draw(st.integers(0, MAX_AMOUNT // quantity))
    coupon = Coupon("a", amount_off=Money(data.draw(st.integers(1, MAX_AMOUNT))), duration=CouponDuration.FOREVER)
    held = Holding(PlanTerms("a", Money(price), interval, zone=zone, max_cycles=bounds.MAX_CYCLES), quantity, coupon)
    assert 0 <= unused(held, start, end, inside).amount <= MAX_AMOUNT
    after = Holding(PlanTerms("b", Money(price), data.draw(INTERVALS), zone=data.draw(ZONES)), quantity)
    for mode in ProrationMode:
        assert change_now(held, after, start, end, inside, mode).period_end > inside - timedelta(days=1)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), None])))
def test_an_instant_is_within_bounds_or_told_why_not(at):
    fault = bounds.instant_fault(at)
    within = at.utcoffset() == timedelta(0) and bounds.EARLIEST <= at < bounds.LATEST
    assert (fault is None) is within


@given(st.text(max_size=60), st.integers(0, 50))
def test_a_text_within_bounds_is_text_that_every_database_takes(text, longest):
    for lines in (False, True):
        if bounds.text_fault(text, longest, lines=lines) is None:
            assert len(text) <= longest
            assert "\x00" not in text
            assert text.encode().decode() == text


def test_control_characters_and_halves_of_characters_are_no_text():
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x200B, 0x202E, 0xD800, 0xDFFF, 0xFEFF):
        allowed = {lines for lines in (False, True) if bounds.text_fault(f"a{chr(code)}b", 9, lines=lines) is None}
        assert allowed == ({True} if chr(code) in "\n\r\t" else set()), hex(code)


@pytest.mark.parametrize(
    "name",
    [
        "localtime",
        "posixrules",
        "Factory",
        "posix/Asia/Seoul",
        "right/UTC",
        "leapseconds",
        "tzdata.zi",
        "zone.tab",
        "KST",
    ]
    + [
        "",
        ".",
        "..",
        "../UTC",
        "Asia/../UTC",
        "/usr/share/zoneinfo/UTC",
        "Asia/Seoul\n",
        "Asia//Seoul",
        "Asia",
        "Asia/Nowhere",
        "\x00",
    ],
)
def test_what_is_no_iana_zone_is_refused_by_name(name):
    assert bounds.zone_fault(name) == "is not an IANA time zone"
    assert name not in bounds.zone_names()


def test_every_name_that_is_offered_is_a_zone():
    assert {"Asia/Seoul", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+9"} <= bounds.zone_names()
    assert [name for name in bounds.zone_names() if bounds.zone_fault(name) is not None] == []


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({str(n): "" for n in range(51)}, "too many entries"),
        ({"": "a"}, "must not be empty"),
        ({"a" * 41: "a"}, "a key is too long"),
        ({"a\n": "a"}, "a key must not have control"),
        ({"a": "b" * 501}, "a value is too long"),
        ({"a": "b\x00"}, "a value must not have control"),
        ({"a\ud800": "b"}, "a key must not have control"),
    ],
)
def test_notes_beyond_their_bounds_are_refused(metadata, words):
    assert words in bounds.metadata_fault(metadata)
    assert bounds.metadata_fault({"사번": "77\n영업"}) is None


def test_terms_that_only_look_whole_are_refused_by_field():
    def plan(**more):
        return PlanTerms(**{"name": "a", "price": Money(1), "interval": Interval(IntervalUnit.MONTH), **more})

    assert bounds.plan_fault(plan()) is None
    assert bounds.plan_fault(plan(name="a\nb"))[0] == "plan.name"
    assert bounds.plan_fault(plan(zone="Factory"))[0] == "plan.time_zone"
    assert bounds.plan_fault(plan(max_cycles=bounds.MAX_CYCLES + 1))[0] == "plan.max_cycles"
    assert bounds.coupon_fault(Coupon("a\x00", percent_off=1))[0] == "coupon.name"
    assert time(0) == Anchor.at(bounds.EARLIEST, "UTC").wall_time
