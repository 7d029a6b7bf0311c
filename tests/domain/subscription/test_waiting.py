"""A run that waits beyond what follows from its row says until when; one that does not is told by its row."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.money import Money
from billing.domain.overdue import due_by
from billing.domain.plans import PlanTerms
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import waiting
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.subscription import Subscription, begin

DUE = datetime(2026, 3, 1, 3, tzinfo=UTC)
PLAN = PlanTerms("월간 이용권", Money(9900), Interval(IntervalUnit.MONTH))


@pytest.fixture
def subscription():
    """Active, and due at DUE."""
    start = StartSubscription(subscription_id="s" + "0" * 19, customer_uid="buyer", plan=PLAN)
    state = begin(start, DUE)
    state.become(SubscriptionStatus.ACTIVE)
    return Subscription(start, state)


def said(subscription, until, now):
    """What is written of a wait; None where nothing is."""
    recording = Recording(subscription)
    waiting.say(subscription, recording, until, now)
    writes = recording.take_writes()
    return writes[0].entry.subscription if writes else None


def test_a_wait_for_a_payment_that_portone_does_not_finish_is_said_and_is_not_overdue_before_it(subscription):
    until = DUE + timedelta(hours=6)
    row = said(subscription, until, DUE + timedelta(hours=2))
    assert row.waits_until == until
    assert due_by(row) == until
    assert said(subscription, until, DUE + timedelta(hours=3)) is None


def test_the_next_write_of_anything_else_says_nothing_of_it_any_more(subscription):
    said(subscription, DUE + timedelta(hours=6), DUE + timedelta(hours=2))
    recording = Recording(subscription)
    recording.write("something", DUE + timedelta(hours=3))
    assert recording.take_writes()[0].entry.subscription.waits_until is None


@pytest.mark.parametrize("until", [None, DUE, DUE + timedelta(minutes=10)])
def test_what_follows_from_the_row_is_not_written(subscription, until):
    assert said(subscription, until, DUE - timedelta(days=2)) is None


def test_what_stands_parked_or_has_ended_is_listed_already(subscription):
    later = DUE + timedelta(days=1)
    subscription.state.period.park("nobody knows")
    assert said(subscription, later, DUE + timedelta(hours=1)) is None
    subscription.state.period.unpark()
    assert said(subscription, later, DUE + timedelta(hours=1)) is not None
    subscription.state.period.state = CycleState.PLANNED
    subscription.state.end(SubscriptionStatus.CANCELED, DUE, "canceled")
    assert said(subscription, later, DUE + timedelta(hours=1)) is None
