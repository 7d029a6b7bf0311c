"""What is written together, and what is not: neighbours that say nothing of the same order are one transaction."""

from datetime import UTC, datetime

import pytest

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.states import CycleState
from billing.domain.subscription import payloads
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.state import SubscriptionState
from billing.domain.subscription.subscription import Subscription, begin

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
PLAN = PlanTerms("월간 이용권", Money(9900), Interval(IntervalUnit.MONTH))


@pytest.fixture
def subscription():
    start = StartSubscription(subscription_id="s" + "0" * 19, customer_uid="buyer", plan=PLAN)
    return Subscription(start, begin(start, NOW))


def test_two_writes_that_concern_different_orders_are_one_transaction_with_the_later_row(subscription):
    recording = Recording(subscription)
    recording.write("one", NOW)
    recording.write("two", NOW, intents=[subscription.intent()])
    (write,) = recording.take_writes()
    assert write.summary == "one; two"
    assert (write.entry.subscription.revision, len(write.entry.intents)) == (2, 1)
    assert recording.take_writes() == []


def test_a_result_of_an_order_is_written_after_its_intent_and_not_with_it(subscription):
    recording = Recording(subscription)
    recording.write("opened", NOW, intents=[subscription.intent()])
    recording.close_order(CycleState.SKIPPED, "replaced", NOW)
    recording.write("closed", NOW)
    opened, closed = recording.take_writes()
    assert (len(opened.entry.intents), len(opened.entry.results)) == (1, 0)
    assert (len(closed.entry.intents), len(closed.entry.results)) == (0, 1)


def test_a_key_is_written_by_itself_in_its_turn(subscription):
    recording = Recording(subscription)
    recording.write("issued", NOW, billing_key=BillingKeyFact("buyer"))
    recording.write("deleted", NOW, deleted_billing_key="buyer")
    assert [write.summary for write in recording.take_writes()] == ["issued", "deleted"]


def test_events_keep_their_order_and_each_has_an_id_of_its_own(subscription):
    recording = Recording(subscription)
    for what in (EventType.SUBSCRIPTION_CREATED, EventType.SUBSCRIPTION_ACTIVE):
        recording.emit(what, "it happened", payloads.subscription(subscription), NOW)
    recording.write("two events", NOW)
    recording.emit(EventType.SUBSCRIPTION_PAUSED, "it happened", payloads.subscription(subscription), NOW)
    recording.write("one event", NOW)
    (write,) = recording.take_writes()
    kinds = [event.type for event in write.entry.events]
    assert kinds == [
        EventType.SUBSCRIPTION_CREATED,
        EventType.SUBSCRIPTION_ACTIVE,
        EventType.SUBSCRIPTION_PAUSED,
    ]
    assert len({event.event_id for event in write.entry.events}) == 3


def test_two_subscriptions_share_no_record_of_their_state():
    one = SubscriptionState.model_validate(begin_state().model_dump())
    other = begin_state()
    one.in_flight.asked_in_vain(NOW)
    one.reports.ask_for_a_look("number")
    assert (other.in_flight.unanswered, other.reports.looks_asked) == (0, [])


def begin_state():
    start = StartSubscription(subscription_id="s" + "0" * 19, customer_uid="buyer", plan=PLAN)
    return begin(start, NOW)
