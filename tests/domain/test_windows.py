"""Windows: half-open, no longer than PortOne lists, and nothing between two of them."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.windows import PAYMENTS_LONGEST, SCHEDULES_LONGEST, Window

START = datetime(2027, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


@given(
    seconds=st.integers(1, 400 * 86400),
    longest=st.sampled_from([timedelta(seconds=1), DAY, PAYMENTS_LONGEST, SCHEDULES_LONGEST]),
    inside=st.integers(0, 400 * 86400),
)
def test_every_instant_lies_in_exactly_one_part(seconds, longest, inside):
    window = Window(START, START + timedelta(seconds=min(seconds, 5000 * longest.total_seconds())))
    parts = window.split(longest)
    assert (parts[0].start, parts[-1].end) == (window.start, window.end)
    assert all(part.end - part.start <= longest for part in parts)
    assert all(before.end == after.start for before, after in pairwise(parts))
    instant = window.start + timedelta(seconds=inside % (window.end - window.start).total_seconds())
    assert sum(instant in part for part in parts) == 1


def test_the_start_is_inside_and_the_end_is_not():
    window = Window(START, START + DAY)
    assert START in window
    assert START + DAY not in window
    assert START + DAY - timedelta(seconds=1) in window


def test_no_three_months_are_shorter_than_a_window_of_schedules():
    for month in range(1, 13):
        start = datetime(2027, month, 1, tzinfo=UTC)
        end = datetime(2027 + (month + 2) // 12, (month + 2) % 12 + 1, 1, tzinfo=UTC)
        assert end - start >= SCHEDULES_LONGEST


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, START),
        (START, START - DAY),
        (START.replace(tzinfo=None), START + DAY),
        (START, (START + DAY).astimezone(timezone(timedelta(hours=9)))),
    ],
)
def test_what_is_no_window_is_refused(start, end):
    with pytest.raises((ValueError, TypeError)):
        Window(start, end)


def test_a_part_shorter_than_portones_second_is_refused():
    with pytest.raises(ValueError, match="a second"):
        Window(START, START + DAY).split(timedelta(milliseconds=999))
