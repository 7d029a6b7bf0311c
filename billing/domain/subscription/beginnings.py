"""How a subscription begins whose first period somebody else was paid for, or will be: it is active at once.

None of these makes a charge. An order number that is taken over is the period's own from the first write on: what the
period is looked up, taken back, retried and refunded by.
"""

from datetime import datetime

from billing.domain.calendar import Anchor, before_the_first
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact, ScheduleFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import payloads
from billing.domain.subscription.period_close import settle_paid
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Verdict


def paid_elsewhere(subscription: Subscription, recording: Recording, now: datetime, key: BillingKeyFact | None) -> None:
    """Begin as paid until `paid_until`, where the first charge is due; there is no trial, and nobody is told of one."""
    until = subscription.terms.local(subscription.state.period.due_at)
    _be_active(subscription, recording, now, f"paid elsewhere until {until}")
    recording.write(f"an imported payer, paid until {until}", now, billing_key=key)


def paid_already(
    subscription: Subscription, recording: Recording, now: datetime, verdict: Verdict, key: BillingKeyFact
) -> None:
    """Begin with the payment that was found on the key as the first period's: from when it was paid.

    With a chosen billing day from the start on, since what was paid is the price of the days from there.
    """
    payment = verdict.payment
    assert payment is not None  # noqa: S101 - PAID rests on a row
    _take_the_number(subscription, recording, now, payment.merchant_uid)
    state = subscription.state
    if subscription.start.billing_day is None:
        state.period.is_due(payment.paid_at or state.started_at)
        state.periods.anchor_at(Anchor.at(state.period.due_at, subscription.terms.plan.zone), state.periods.first_cycle)
    state.period.move(CycleState.VERIFYING)
    text = f"order {payment.merchant_uid}, paid on the key before the start, is its first period"
    recording.write(text, now, intents=[subscription.intent()], payments=[payment])
    settle_paid(subscription, recording, now, verdict, billing_key=key)


def scheduled_already(
    subscription: Subscription, recording: Recording, now: datetime, row: ScheduleFact, key: BillingKeyFact
) -> None:
    """Begin with the charge that stands on the key as the first period's: active until it runs, on its own day."""
    _take_the_number(subscription, recording, now, row.merchant_uid)
    state = subscription.state
    state.period.is_due(row.schedule_at)
    state.periods.anchor_at(Anchor.at(row.schedule_at, subscription.terms.plan.zone), state.periods.first_cycle)
    for step in (CycleState.REGISTERING, CycleState.REGISTERED):
        state.period.move(step)
    state.schedule.is_followed(subscription.terms.next_charged_by())
    text = f"order {row.merchant_uid}, scheduled on the key before the start, is its first charge"
    _be_active(subscription, recording, now, text)
    recording.write(text, now, intents=[subscription.intent()], billing_key=key)


def _take_the_number(subscription: Subscription, recording: Recording, now: datetime, merchant_uid: str) -> None:
    recording.close_order(CycleState.SKIPPED, f"taken over as {merchant_uid}", now)
    subscription.state.take_next_number()
    subscription.state.period.take_number(merchant_uid)


def _be_active(subscription: Subscription, recording: Recording, now: datetime, why: str) -> None:
    """What was paid elsewhere runs until the first charge: a whole period of the plan, entered in its middle."""
    state = subscription.state
    whole_from = before_the_first(state.periods.anchor, subscription.terms.plan.interval)
    state.periods.enter(state.started_at, state.period.due_at)
    state.periods.count_days_from(min(whole_from, state.started_at))
    state.paid.is_paid_for(subscription.terms.holding())
    state.become(SubscriptionStatus.ACTIVE)
    recording.emit(EventType.SUBSCRIPTION_ACTIVE, why, payloads.subscription(subscription, why), now)
