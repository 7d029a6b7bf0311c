from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.deadlines import DeadlineLadder, QuietWindow
from billing.domain.dunning import MAX_ATTEMPTS, RetryLadder

DUE = datetime(2026, 3, 1, tzinfo=UTC)
NAIVE = datetime(2026, 3, 1)  # noqa: DTZ001 - the naive instant is the point


@pytest.mark.parametrize(
    "make",
    [
        lambda: RetryLadder((1, 0)),
        lambda: RetryLadder((-1,)),
        lambda: RetryLadder((1,) * MAX_ATTEMPTS),
        lambda: RetryLadder().next_attempt_at(0, DUE),
        lambda: RetryLadder().next_attempt_at(1, NAIVE),
        lambda: DeadlineLadder(()),
        lambda: DeadlineLadder((0, 60)),
        lambda: DeadlineLadder((60, 60)),
        lambda: DeadlineLadder((60, 30)),
        lambda: DeadlineLadder().look_at(DUE, -1),
        lambda: DeadlineLadder().look_at(NAIVE, 0),
        lambda: QuietWindow(minutes=-1),
        lambda: QuietWindow(looks=0),
        lambda: QuietWindow(gap_seconds=-1),
        lambda: QuietWindow().look_at(DUE, -1),
        lambda: QuietWindow().look_at(NAIVE, 0),
    ],
)
def test_a_ladder_or_a_question_that_makes_no_sense_is_refused(make):
    with pytest.raises(ValueError, match=r".+"):
        make()


def test_four_retries_come_1_3_5_and_7_days_after_each_failure_and_then_none():
    ladder = RetryLadder()
    days = [(ladder.next_attempt_at(n, DUE) - DUE).days for n in (1, 2, 3, 4)]
    assert days == [1, 3, 5, 7]
    assert ladder.next_attempt_at(5, DUE) is None
    assert RetryLadder(()).next_attempt_at(1, DUE) is None


@given(st.lists(st.integers(1, 30), max_size=14).map(tuple))
def test_a_ladder_gives_as_many_retries_as_it_has_steps_each_later_than_the_failure(after_days):
    ladder, at, retries = RetryLadder(after_days), DUE, 0
    while (following := ladder.next_attempt_at(retries + 1, at)) is not None:
        assert following > at
        at, retries = following, retries + 1
    assert retries == len(after_days)


def test_the_looks_are_measured_from_the_due_instant():
    ladder = DeadlineLadder()
    looks = [ladder.look_at(DUE, n) - DUE for n in range(12)]
    assert looks[:5] == [timedelta(seconds=60 * minutes) for minutes in (3, 10, 30, 120, 360)]
    assert looks[5:] == [timedelta(days=n) for n in range(1, 8)]
    assert ladder.after == tuple(looks[:10])


def test_a_ladder_is_exhausted_after_its_last_step_and_looks_go_on_a_day_apart():
    ladder = DeadlineLadder((60, 120))
    assert [ladder.exhausted(n) for n in range(4)] == [False, False, True, True]
    assert ladder.look_at(DUE, 400) - ladder.look_at(DUE, 399) == timedelta(days=1)
    assert ladder.look_at(DUE, 2) - ladder.look_at(DUE, 1) == timedelta(days=1)


@given(st.sets(st.integers(1, 10**7), min_size=1, max_size=12), st.integers(0, 60))
def test_every_look_is_later_than_the_one_before(seconds, looks):
    ladder = DeadlineLadder(tuple(sorted(seconds)))
    assert ladder.look_at(DUE, looks) < ladder.look_at(DUE, looks + 1)


def test_absence_counts_only_behind_the_window_and_only_when_seen_often_enough():
    window = QuietWindow()
    assert window.look_at(DUE, 0) - DUE == timedelta(minutes=10)
    assert window.look_at(DUE, 1) - DUE == timedelta(minutes=11)
    assert not window.counts(DUE, DUE + timedelta(seconds=599))
    assert window.counts(DUE, DUE + timedelta(seconds=600))
    assert [window.proves_absence(n) for n in range(4)] == [False, False, True, True]
