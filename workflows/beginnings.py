"""How a subscription begins whose first period somebody else was paid for, or will be: it is active at once.

None of these makes a charge. An order number that is taken over is the period's own from the first write on: what the
period is looked up, taken back, retried and refunded by.
"""

from billing.domain.calendar import Anchor, before_the_first
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact, ScheduleFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.records import Booking
from billing.domain.verdict import Verdict
from workflows import scheduling, telling
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid


async def paid_elsewhere(run: SubscriptionRun, key: BillingKeyFact | None) -> None:
    """Begin as paid until `paid_until`, where the first charge is due; there is no trial, and nobody is told of one."""
    until = run.local(run.state.due_at)
    _be_active(run, f"paid elsewhere until {until}")
    await run.write(f"an imported payer, paid until {until}", billing_key=key)


async def paid_already(run: SubscriptionRun, verdict: Verdict, key: BillingKeyFact) -> None:
    """Begin with the payment that was found on the key as the first period's: from when it was paid.

    With a chosen billing day from the start on, since what was paid is the price of the days from there.
    """
    payment = verdict.payment
    assert payment is not None  # noqa: S101 - PAID rests on a row
    _take_the_number(run, payment.merchant_uid)
    state = run.state
    if run.start.billing_day is None:
        state.due_at = payment.paid_at or state.started_at
        state.anchor = Anchor.at(state.due_at, run.plan.zone)
    state.move(CycleState.VERIFYING)
    text = f"order {payment.merchant_uid}, paid on the key before the start, is its first period"
    await run.write(text, intents=[run.intent()], payments=[payment])
    await settle_paid(run, verdict, billing_key=key)


async def scheduled_already(run: SubscriptionRun, row: ScheduleFact, key: BillingKeyFact) -> None:
    """Begin with the charge that stands on the key as the first period's: active until it runs, on its own day."""
    _take_the_number(run, row.merchant_uid)
    state = run.state
    state.due_at = row.schedule_at
    state.anchor = Anchor.at(row.schedule_at, run.plan.zone)
    for step in (CycleState.REGISTERING, CycleState.REGISTERED):
        state.move(step)
    state.booked = True
    state.booking = Booking.RESCHEDULE if scheduling.can_reschedule(run) else Booking.AGAIN
    text = f"order {row.merchant_uid}, scheduled on the key before the start, is its first charge"
    _be_active(run, text)
    await run.write(text, intents=[run.intent()], billing_key=key)


def _take_the_number(run: SubscriptionRun, merchant_uid: str) -> None:
    run.close_number(CycleState.SKIPPED, f"taken over as {merchant_uid}")
    run.state.next_generation()
    run.state.taken_over = merchant_uid


def _be_active(run: SubscriptionRun, why: str) -> None:
    """What was paid elsewhere runs until the first charge: a whole period of the plan, entered in its middle."""
    state = run.state
    whole_from = before_the_first(state.anchor, run.plan.interval)
    state.period_start, state.period_end = state.started_at, state.due_at
    state.counts_from = min(whole_from, state.started_at)
    state.paid_by = run.holding()
    state.last_paid = state.paid_by.value()
    state.become(SubscriptionStatus.ACTIVE)
    run.tell(EventType.SUBSCRIPTION_ACTIVE, why, telling.subscription(run, why))
