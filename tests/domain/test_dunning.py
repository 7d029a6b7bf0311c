from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.declines import DeclineClass
from billing.domain.dunning import MAX_ATTEMPTS, WINDOW_DAYS, DunningPolicy, EndAction, RetryLadder
from billing.domain.states import DUNNING_TRANSITIONS, DunningState, walk

FAILED = datetime(2026, 3, 1, tzinfo=UTC)
NAIVE = datetime(2026, 3, 1)  # noqa: DTZ001 - the naive instant is the point
HARD, SOFT = DeclineClass.HARD, DeclineClass.SOFT
POLICY = DunningPolicy()


def days(number):
    return FAILED + timedelta(days=number)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DunningPolicy(after_days=(1, 0)),
        lambda: DunningPolicy(after_days=(1,) * MAX_ATTEMPTS),
        lambda: DunningPolicy(after_days=(1, 1, 1), max_attempts=3),
        lambda: DunningPolicy(grace_days=-1),
        lambda: DunningPolicy(max_attempts=0),
        lambda: DunningPolicy(max_attempts=MAX_ATTEMPTS + 1),
        lambda: DunningPolicy(window_days=WINDOW_DAYS - 1),
        lambda: POLICY.next_attempt_at(SOFT, 0, FAILED),
        lambda: POLICY.next_attempt_at(HARD, 0, FAILED),
        lambda: POLICY.next_attempt_at(SOFT, 1, NAIVE),
        lambda: POLICY.next_allowed([], NAIVE),
        lambda: POLICY.next_allowed([FAILED, NAIVE], FAILED),
        lambda: POLICY.suspended_at(NAIVE),
        lambda: POLICY.ends_at(NAIVE),
        lambda: POLICY.state_at(NAIVE, None, None),
    ],
)
def test_a_policy_or_a_question_that_makes_no_sense_is_refused(make):
    with pytest.raises(ValueError, match=r".+"):
        make()


def test_after_a_hard_decline_no_attempt_comes_until_the_card_changes():
    assert [POLICY.next_attempt_at(HARD, n, FAILED) for n in range(1, 9)] == [None] * 8


def test_after_a_soft_decline_the_ladder_of_1_3_5_and_7_days_is_climbed():
    attempts = [POLICY.next_attempt_at(SOFT, n, FAILED) for n in range(1, 6)]
    assert attempts == [days(1), days(3), days(5), days(7), None]


def test_an_attempt_that_was_planned_before_one_by_hand_stays_unless_that_was_declined_hard():
    assert POLICY.next_attempt_at(SOFT, 9, FAILED, days(2)) == days(2)
    assert POLICY.next_attempt_at(HARD, 1, FAILED, days(2)) is None


def test_access_is_counted_from_the_first_failure_and_no_retry_moves_it():
    assert DunningPolicy(grace_days=7).suspended_at(FAILED) == days(7)
    assert DunningPolicy(grace_days=0).suspended_at(FAILED) == FAILED


def test_the_end_is_due_when_the_retries_are_over_and_never_within_the_grace():
    assert POLICY.ends_at(FAILED) == days(16)
    assert DunningPolicy(grace_days=21).ends_at(FAILED) == days(21)
    assert DunningPolicy(after_days=(), grace_days=0).ends_at(FAILED) == FAILED


def test_a_policy_says_what_happens_at_the_end():
    assert POLICY.end_action is EndAction.CANCEL
    assert {action.value for action in EndAction} == {"cancel", "unpaid", "leave"}


@pytest.mark.parametrize(
    ("day", "planned", "state"),
    [
        (0, 1, DunningState.RETRYING),
        (6, 9, DunningState.RETRYING),
        (0, None, DunningState.GRACE),
        (6, None, DunningState.GRACE),
        (7, 9, DunningState.SUSPENDED),
        (7, None, DunningState.SUSPENDED),
        (15, None, DunningState.SUSPENDED),
        (16, None, DunningState.ENDED),
        (16, 17, DunningState.SUSPENDED),
    ],
)
def test_where_the_dunning_stands_follows_from_the_first_failure_and_the_next_attempt(day, planned, state):
    assert POLICY.state_at(days(day), FAILED, None if planned is None else days(planned)) is state


def test_a_period_that_did_not_fail_or_was_paid_since_is_clear():
    assert POLICY.state_at(days(99), None, None) is DunningState.CLEAR
    assert POLICY.state_at(days(99), None, days(100)) is DunningState.CLEAR


def test_the_sixteenth_attempt_on_a_card_waits_until_the_first_is_30_days_old():
    attempts = [days(n) for n in range(15)]
    assert POLICY.next_allowed(attempts[:14], days(15)) == days(15)
    assert POLICY.next_allowed(attempts, days(15)) == days(30)
    assert POLICY.next_allowed(attempts, days(30)) == days(30)
    assert POLICY.next_allowed([*attempts, days(15)], days(16)) == days(31)
    assert POLICY.next_allowed([FAILED] * 15, FAILED) == days(30)


def test_a_stricter_policy_gives_a_card_fewer_attempts():
    strict = DunningPolicy(after_days=(1,), max_attempts=2, window_days=60)
    assert strict.next_allowed([days(0), days(1)], days(2)) == days(60)


policies = st.builds(
    DunningPolicy,
    after_days=st.lists(st.integers(1, 30), max_size=14).map(tuple),
    grace_days=st.integers(0, 60),
    end_action=st.sampled_from(EndAction),
)
moments = st.integers(0, 120 * 24).map(lambda hours: FAILED + timedelta(hours=hours))


@given(st.lists(moments, max_size=60), moments, st.integers(1, MAX_ATTEMPTS), st.integers(WINDOW_DAYS, 90))
def test_an_attempt_at_the_allowed_instant_keeps_the_budget_and_none_earlier_does(attempts, at, budget, window):
    policy = DunningPolicy(after_days=(), max_attempts=budget, window_days=window)
    allowed = policy.next_allowed(attempts, at)

    def counted(instant):
        return sum(1 for attempt in attempts if attempt + timedelta(days=window) > instant)

    assert allowed >= at
    assert counted(allowed) < budget
    assert allowed == at or counted(allowed - timedelta(microseconds=1)) >= budget


@given(st.lists(moments, min_size=1, max_size=80))
def test_attempts_made_only_when_allowed_are_never_more_than_15_in_any_30_days(wishes):
    made = []
    for wish in sorted(wishes):
        if POLICY.next_allowed(made, wish) == wish:
            made.append(wish)
    for start in made:
        assert sum(1 for attempt in made if start <= attempt < start + timedelta(days=30)) <= 15


@given(policies, st.data())
def test_dunning_only_walks_its_table_until_the_end_or_the_money(policy, data):
    state, at, first, failed = DunningState.CLEAR, FAILED, None, 0
    for _ in range(40):
        first, failed = first or at, failed + 1
        decline = data.draw(st.sampled_from(DeclineClass))
        planned = policy.next_attempt_at(decline, failed, at)
        state = walk(DUNNING_TRANSITIONS, state, policy.state_at(at, first, planned))
        if state is DunningState.ENDED:
            assert planned is None
            break
        following = planned or max(policy.ends_at(first), at)
        if at < policy.suspended_at(first) < following:
            state = walk(DUNNING_TRANSITIONS, state, policy.state_at(policy.suspended_at(first), first, planned))
            assert state is DunningState.SUSPENDED
        at = following
        if planned is None:
            state = walk(DUNNING_TRANSITIONS, state, policy.state_at(at, first, None))
            assert state is DunningState.ENDED
            break
    assert state is DunningState.ENDED
    assert at >= policy.ends_at(first)
    assert failed <= len(policy.after_days) + 1


@given(policies)
def test_a_soft_dunning_ends_when_its_last_retry_fails_or_with_the_grace(policy):
    at, failed = FAILED, 1
    while (following := policy.next_attempt_at(SOFT, failed, at)) is not None:
        at, failed = following, failed + 1
    assert policy.ends_at(FAILED) == max(at, policy.suspended_at(FAILED))


def test_the_retries_of_a_policy_are_those_of_its_ladder():
    assert DunningPolicy((2, 4)).ladder == RetryLadder((2, 4))
    assert POLICY.ladder == RetryLadder()
