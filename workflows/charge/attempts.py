"""The charge that we send ourselves: begun here, and carried on by one call a step until its outcome is proven.

What if the answer never comes? `billing.domain.attempt` says what is done next, and when; nothing in here waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from temporalio import workflow

from billing.domain import calls
from billing.domain.attempt import Attempt, AttemptStep, Sent
from billing.domain.facts import PaymentFact
from billing.domain.proration import ChangeQuote
from billing.domain.records import Disposition
from billing.domain.subscription.in_flight import Charge, Purpose
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.layout import PeriodsBefore
from billing.domain.subscription.orders import OpenOrder
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.schedule import ChargedBy
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Expected, Finding, Verdict, judge
from workflows.charge import portone
from workflows.contracts import ChargeAgain, ChargeAnswer, RetrySchedule


@dataclass(frozen=True, slots=True)
class Proven:
    """A charge that has come to its end, and what it was proven to have come to."""

    charge: Charge
    verdict: Verdict


def begin(
    subscription: Subscription,
    now: datetime,
    purpose: Purpose,
    *,
    order: OpenOrder | None = None,
    planned: datetime | None = None,
    change: ItemsChange | None = None,
    costs: ChangeQuote | None = None,
    before: PeriodsBefore | None = None,
) -> None:
    """Let the open period be charged now, or an `order` of its own that was never sent before.

    A schedule that failed or was revoked is retried at PortOne under its own number; where PortOne will not, or has
    none, the same number is sent with `again`, after it is proven that the retry did not run.
    """
    state, own = subscription.state, order or subscription.terms.ordered()
    attempt = Attempt.begun(
        Expected(own.merchant_uid, own.amount, own.customer_uid), 1 if order else state.period.sends + 1, now
    )
    charge = Charge(
        purpose=purpose,
        attempt=attempt,
        order=own,
        retries=order is None and state.schedule.charged_by is ChargedBy.RESCHEDULE,
        planned=planned,
        change=change,
        costs=costs,
        before=before,
    )
    state.in_flight.begin_charge(charge)


def is_due(subscription: Subscription, now: datetime) -> bool:
    """Whether the charge has something to do at this moment."""
    charge = subscription.state.in_flight.charge
    return charge is not None and charge.attempt.is_due(now) and subscription.state.in_flight.may_ask(now)


async def go_on(subscription: Subscription, recording: Recording) -> Proven | None:
    """Take the next step of the charge: one sending, or one look; the outcome where it proves one."""
    charge, now = subscription.state.in_flight.charge, workflow.now()
    assert charge is not None  # noqa: S101 - asked of a charge that is due
    attempt = charge.attempt
    if attempt.step is AttemptStep.SEND:
        blocked_until = calls.charges_until(subscription.state.in_flight.calls, attempt.merchant_uid)
        if blocked_until is not None and now < blocked_until:
            # A call of ours may still let the same order number be charged: it is not sent beside it.
            subscription.state.in_flight.keep_attempt(attempt.postponed(blocked_until))
        else:
            await _send(subscription, recording, charge)
        return None
    verdict = await _look(subscription, charge)
    went = attempt.looked(verdict, workflow.now(), subscription.start.policy.quiet)
    if isinstance(went, Attempt):
        subscription.state.in_flight.keep_attempt(went)
        return None
    if went.finding is Finding.ABSENT and charge.retries and not attempt.given_up:
        subscription.state.schedule.charge_ourselves()
        again = Attempt.begun(attempt.expected, attempt.next_send, workflow.now())
        subscription.state.in_flight.charge_by_again(again)
        return None
    subscription.state.in_flight.charge_is_over()
    if charge.order.merchant_uid == subscription.terms.merchant_uid:
        # Its day in the ledger may be another one: it was paused meanwhile, or charged before its next attempt.
        began_at = attempt.began_at.replace(microsecond=0)
        day = min(subscription.state.period.due_at, began_at)
        subscription.state.period.charged_on(subscription.terms.merchant_uid, day)
    return Proven(charge, went)


def hear(subscription: Subscription, recording: Recording, now: datetime) -> bool:
    """Take up what was reported of the order that is being charged; whether it is to be looked up at once."""
    charge = subscription.state.in_flight.charge
    assert charge is not None  # noqa: S101 - asked while a charge is made
    reported = subscription.state.reports.about(charge.order.merchant_uid)
    if not reported:
        return False
    subscription.state.reports.take(reported)
    for report in reported:
        recording.answer(report, Disposition.APPLIED)
    subscription.state.in_flight.keep_attempt(charge.attempt.heard(now))
    return is_due(subscription, now)


def give_up(subscription: Subscription) -> bool:
    """Send nothing more of the charge; whether that is its end, since PortOne proved that nothing ran."""
    charge = subscription.state.in_flight.charge
    assert charge is not None  # noqa: S101 - asked while a charge is made
    if charge.attempt.may_have_run:
        subscription.state.in_flight.keep_attempt(charge.attempt.stopped())
        return False
    subscription.state.in_flight.charge_is_over()
    return True


async def _send(subscription: Subscription, recording: Recording, charge: Charge) -> None:
    attempt = charge.attempt.sending(workflow.now())
    subscription.state.in_flight.keep_attempt(attempt)
    send_no = attempt.next_send - 1
    if charge.order.merchant_uid == subscription.terms.merchant_uid:
        subscription.state.period.sent(send_no)
    answer = await _call(subscription, recording, charge, send_no)
    current = subscription.state.in_flight.charge
    assert current is not None  # noqa: S101 - nothing but its own steps ends it
    sent = Sent(answer.outcome, answer.worth_resending, answer.code, answer.message)
    subscription.state.in_flight.keep_attempt(current.attempt.answered(sent, workflow.now()))


async def _call(subscription: Subscription, recording: Recording, charge: Charge, send_no: int) -> ChargeAnswer:
    order, cycle = charge.order, subscription.state.period.cycle
    if charge.retries:
        return await portone.retry(
            recording,
            RetrySchedule(merchant_uid=order.merchant_uid, send_no=send_no),
            f"retry {order.amount}, period {cycle}",
        )
    request = ChargeAgain(
        workflow_id=workflow.info().workflow_id,
        merchant_uid=order.merchant_uid,
        customer_uid=order.customer_uid,
        amount=order.amount,
        name=order.name,
        send_no=send_no,
        tax_free=order.tax_free,
        vat_amount=order.vat_amount,
        customer=subscription.start.customer,
        channel=subscription.terms.channel,
    )
    what = f"change to {order.name}" if charge.purpose is Purpose.CHANGE else f"period {cycle}"
    return await portone.again(recording, request, what)


async def _look(subscription: Subscription, charge: Charge) -> Verdict:
    of_the_period = charge.order.merchant_uid == subscription.terms.merchant_uid
    rows: Sequence[PaymentFact] = await portone.find_payments(charge.order.merchant_uid)
    if of_the_period:
        subscription.state.period.note_failures(rows)
    known = subscription.state.period.known_failures if of_the_period else ()
    return judge(charge.attempt.expected, rows, known_failures=known)
