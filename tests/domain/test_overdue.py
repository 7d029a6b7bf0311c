"""By when something must have happened to a subscription, from its row alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.dunning import DunningPolicy, EndAction
from billing.domain.event_catalogue import EVENT_ID
from billing.domain.overdue import LOOKS_END_AFTER, OverduePeriod, due_by, overdue_event
from billing.domain.records import SubscriptionLife
from billing.domain.states import ENDED, CycleState, SubscriptionStatus
from tests.ledger.stories import day, subscription

S = SubscriptionStatus
POLICY = DunningPolicy(after_days=(1, 3), grace_days=7)


def test_what_the_run_says_it_waits_for_counts_before_anything_else():
    record = subscription(next_charge_at=day(1), waits_until=day(9))
    assert due_by(record) == day(9)


@pytest.mark.parametrize("status", sorted(ENDED))
def test_nothing_is_due_once_it_has_ended_whatever_the_row_still_says(status):
    record = subscription(status=status, next_charge_at=day(1), waits_until=day(2), current_period_end=day(3))
    assert due_by(record) is None
    assert due_by(replace(record, status=S.ACTIVE, ended_at=day(1))) is None


@pytest.mark.parametrize("status", [S.INCOMPLETE, S.TRIALING, S.ACTIVE, S.PAST_DUE])
def test_the_next_attempt_is_what_is_due(status):
    assert due_by(subscription(status=status, next_charge_at=day(4), current_period_end=day(1))) == day(4)


def test_an_unknown_outcome_is_looked_up_for_days_before_it_is_parked():
    record = subscription(next_charge_at=day(1), cycle_state=CycleState.UNKNOWN)
    assert due_by(record) == day(1) + LOOKS_END_AFTER


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"status": S.PAUSED, "current_period_end": day(1)}, None, id="paused until somebody acts"),
        pytest.param(
            {"status": S.PAUSED, "life": SubscriptionLife(resumes_at=day(5))}, day(5), id="a pause with an end"
        ),
        pytest.param({"status": S.UNPAID, "current_period_end": day(1)}, None, id="unpaid until somebody acts"),
        pytest.param({"status": S.TRIALING, "life": SubscriptionLife(trial_ends_at=day(3))}, day(3), id="a free trial"),
        pytest.param({"status": S.ACTIVE, "current_period_end": day(30)}, day(30), id="it ends with its period"),
        pytest.param({"status": S.INCOMPLETE}, day(0), id="a start that charges nothing yet"),
        pytest.param(
            {"status": S.PAST_DUE, "life": SubscriptionLife(dunning_policy=POLICY, grace_ends_at=day(40))},
            day(40),
            id="waits for another card as long as the grace",
        ),
        pytest.param(
            {
                "status": S.PAST_DUE,
                "life": SubscriptionLife(
                    dunning_policy=replace(POLICY, after_days=(5, 10), grace_days=0), grace_ends_at=day(30)
                ),
            },
            day(45),
            id="waits for another card as long as the retries would have taken",
        ),
        pytest.param(
            {"status": S.PAST_DUE, "current_period_end": day(30), "life": SubscriptionLife(dunning_policy=POLICY)},
            day(37),
            id="counted from the end of what was paid where nothing says when it first failed",
        ),
        pytest.param(
            {
                "status": S.PAST_DUE,
                "life": SubscriptionLife(
                    dunning_policy=replace(POLICY, end_action=EndAction.LEAVE), grace_ends_at=day(40)
                ),
            },
            None,
            id="left past due for ever",
        ),
    ],
)
def test_without_a_charge_to_come_the_row_says_what_it_waits_for(changes, expected):
    assert due_by(subscription(**changes)) == expected


def test_an_overdue_period_has_one_event_whoever_finds_it_and_whenever():
    record = subscription(cycle=7, merchant_uid="o7", next_charge_at=day(1))
    first, later = (overdue_event(OverduePeriod(record, day(1), day(n))) for n in (2, 3))
    assert first.event_id == later.event_id
    assert EVENT_ID.fullmatch(first.event_id)
    other = overdue_event(OverduePeriod(replace(record, cycle=8), day(1), day(2)))
    assert other.event_id != first.event_id
    assert (first.merchant_uid, first.data["cycle"], first.data["due_by"]) == ("o7", 7, "2027-02-01T00:30:00.123456Z")


def test_every_living_status_without_a_word_of_the_run_has_an_answer():
    for status in S:
        row = subscription(status=status, current_period_end=day(1))
        answer = due_by(row)
        assert answer is None or answer >= row.started_at - timedelta(0)
