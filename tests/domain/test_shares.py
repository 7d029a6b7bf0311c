from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.calendar import Anchor, cycle_due
from billing.domain.shares import day_of, share
from tests.domain.drawn import MONTHLY

SEOUL = "Asia/Seoul"
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)  # 09:00 in Seoul
NAIVE = datetime(2026, 3, 5)  # noqa: DTZ001 - the naive instant is the point


@pytest.mark.parametrize("span", [(0, 1, 0), (-1, 1, 30), (3, 2, 30), (0, 31, 30), (31, 31, 30)])
def test_a_span_outside_the_period_is_refused(span):
    with pytest.raises(ValueError, match="span"):
        share(9900, *span)


@pytest.mark.parametrize(
    ("start", "end", "at"),
    [
        (START, END, datetime(2026, 2, 28, tzinfo=UTC)),
        (START, END, datetime(2026, 4, 1, 0, 0, 1, tzinfo=UTC)),
        (START, START, START),
        (END, START, START),
        (START, END, NAIVE),
    ],
)
def test_a_day_outside_the_period_is_refused(start, end, at):
    with pytest.raises(ValueError, match=r"is not in|aware UTC"):
        day_of(start, end, at, SEOUL)


def test_days_are_those_of_the_plans_calendar():
    assert day_of(START, END, START, SEOUL) == (0, 31)
    assert day_of(START, END, datetime(2026, 3, 1, 14, 59, 59, tzinfo=UTC), SEOUL) == (0, 31)
    assert day_of(START, END, datetime(2026, 3, 1, 15, tzinfo=UTC), SEOUL) == (1, 31)  # midnight in Seoul
    assert day_of(START, END, datetime(2026, 3, 1, 15, tzinfo=UTC), "UTC") == (0, 31)
    assert day_of(START, END, datetime(2026, 3, 31, 14, 59, tzinfo=UTC), SEOUL) == (30, 31)
    assert day_of(START, END, datetime(2026, 3, 31, 15, tzinfo=UTC), SEOUL) == (31, 31)
    assert day_of(START, END, END, SEOUL) == (31, 31)


def test_a_period_within_one_day_is_one_day():
    assert day_of(START, datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 1, 3, tzinfo=UTC), SEOUL) == (0, 1)


@given(st.integers(-(10**9), 10**9), st.integers(1, 1100), st.data())
def test_shares_of_adjacent_spans_add_up_to_the_whole(amount, days, data):
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, days), max_size=8))), days]
    shares = [share(amount, one, other, days) for one, other in pairwise(cuts)]
    assert sum(shares) == amount
    assert all(abs(part * days - amount * (b - a)) < days for part, a, b in zip(shares, cuts, cuts[1:], strict=False))
    assert all(part * amount >= 0 for part in shares)
    assert [share(-amount, one, other, days) for one, other in pairwise(cuts)] == [-part for part in shares]


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([SEOUL, "America/New_York", "Pacific/Auckland"]),
    st.floats(0, 1),
)
def test_every_instant_of_a_period_falls_on_one_of_its_days_and_never_on_an_earlier_one_than_before(start, zone, part):
    anchor = Anchor.at(start, zone)
    start, end = cycle_due(anchor, MONTHLY, 1), cycle_due(anchor, MONTHLY, 2)
    at = start + (end - start) * part
    day, days = day_of(start, end, at, zone)
    assert 0 <= day <= days
    assert 28 <= days <= 31
    assert day <= day_of(start, end, at + (end - at) / 2, zone)[0]
