from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.delivery import (
    MAX_ATTEMPTS,
    RETRY_AFTER,
    SendOutcome,
    failing_since,
    next_attempt_at,
    outcome_of,
)

AT = datetime(2026, 1, 31, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (None, SendOutcome.FAILED),
        (100, SendOutcome.FAILED),
        (200, SendOutcome.DELIVERED),
        (204, SendOutcome.DELIVERED),
        (299, SendOutcome.DELIVERED),
        (301, SendOutcome.FAILED),
        (307, SendOutcome.FAILED),
        (404, SendOutcome.FAILED),
        (410, SendOutcome.GONE),
        (429, SendOutcome.FAILED),
        (500, SendOutcome.FAILED),
    ],
)
def test_only_2xx_is_delivered_and_only_410_is_gone(status, outcome):
    assert outcome_of(status) is outcome


def test_the_last_attempt_has_no_next_one():
    assert next_attempt_at(MAX_ATTEMPTS, AT) is None
    assert next_attempt_at(MAX_ATTEMPTS, AT, retry_after=HOUR) is None


def test_ten_attempts_span_three_days_as_the_specification_recommends():
    at = AT
    for attempt in range(1, MAX_ATTEMPTS):
        at = next_attempt_at(attempt, at)
    assert at - AT == timedelta(hours=75, minutes=35, seconds=5)
    assert MAX_ATTEMPTS == 10


def test_an_endpoint_that_asks_for_time_gets_it_up_to_a_day():
    assert next_attempt_at(1, AT, retry_after=HOUR) == AT + HOUR
    assert next_attempt_at(1, AT, retry_after=30 * DAY) == AT + DAY
    assert next_attempt_at(4, AT, retry_after=timedelta(seconds=1)) == AT + 2 * HOUR


@given(st.integers(1, MAX_ATTEMPTS - 1), st.floats(0, 1))
def test_what_failed_together_returns_apart_but_never_early(attempt, spread):
    distance = next_attempt_at(attempt, AT, spread=spread) - AT
    assert RETRY_AFTER[attempt - 1] <= distance <= RETRY_AFTER[attempt - 1] * 1.1


def test_a_series_of_failures_begins_with_its_first_and_ends_with_a_silence():
    assert failing_since(None, None, AT) == AT
    assert failing_since(AT, AT + DAY, AT + 2 * DAY) == AT
    assert failing_since(AT, AT + DAY, AT + 30 * DAY) == AT + 30 * DAY
