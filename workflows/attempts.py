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
from billing.domain.outcomes import ChargeOutcome
from billing.domain.proration import ChangeQuote
from billing.domain.records import Disposition
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.records import Booking, Charge, OpenOrder, PeriodsBefore, Purpose
from billing.domain.verdict import Expected, Finding, Verdict, judge
from workflows import portone, showing
from workflows.contracts import ChargeAgain, ChargeAnswer, RetrySchedule
from workflows.subscription_run import SubscriptionRun


@dataclass(frozen=True, slots=True)
class Proven:
    """A charge that has come to its end, and what it was proven to have come to."""

    charge: Charge
    verdict: Verdict


def begin(
    run: SubscriptionRun,
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
    state, own = run.state, order or run.ordered()
    attempt = Attempt.begun(
        Expected(own.merchant_uid, own.amount, own.customer_uid), 1 if order else state.sends + 1, workflow.now()
    )
    state.charge = Charge(
        purpose=purpose,
        attempt=attempt,
        order=own,
        retries=order is None and state.booking is Booking.RESCHEDULE,
        planned=planned,
        change=change,
        costs=costs,
        before=before,
    )


def is_due(run: SubscriptionRun) -> bool:
    """Whether the charge has something to do at this moment."""
    charge = run.state.charge
    return charge is not None and charge.attempt.is_due(workflow.now()) and run.may_ask


async def go_on(run: SubscriptionRun) -> Proven | None:
    """Take the next step of the charge: one sending, or one look; the outcome where it proves one."""
    charge, now = run.state.charge, workflow.now()
    assert charge is not None  # noqa: S101 - asked of a charge that is due
    attempt = charge.attempt
    if attempt.step is AttemptStep.SEND:
        blocked_until = calls.charges_until(run.state.calls, attempt.merchant_uid)
        if blocked_until is not None and now < blocked_until:
            # A call of ours may still let the same order number be charged: it is not sent beside it.
            _keep(run, charge, attempt.postponed(blocked_until))
        else:
            await _send(run, charge)
        return None
    verdict = await _look(run, charge)
    went = attempt.looked(verdict, workflow.now(), run.start.policy.quiet)
    if isinstance(went, Attempt):
        _keep(run, charge, went)
        return None
    if went.finding is Finding.ABSENT and charge.retries and not attempt.given_up:
        run.state.booking = Booking.AGAIN
        again = Attempt.begun(attempt.expected, attempt.next_send, workflow.now())
        run.state.charge = charge.model_copy(update={"retries": False, "attempt": again})
        return None
    run.state.charge = None
    if charge.order.merchant_uid == run.merchant_uid:
        # Its day in the ledger may be another one: it was paused meanwhile, or charged before its next attempt.
        began_at = attempt.began_at.replace(microsecond=0)
        run.charged_from = run.merchant_uid, min(run.state.due_at, began_at)
    return Proven(charge, went)


def hear(run: SubscriptionRun) -> bool:
    """Take up what was reported of the order that is being charged; whether it is to be looked up at once."""
    charge = run.state.charge
    assert charge is not None  # noqa: S101 - asked while a charge is made
    reported = [bell for bell in run.state.bells if bell.merchant_uid == charge.order.merchant_uid]
    if not reported:
        return False
    run.state.bells = [bell for bell in run.state.bells if bell not in reported]
    for bell in reported:
        run.answer_bell(bell, Disposition.APPLIED)
    _keep(run, charge, charge.attempt.heard(workflow.now()))
    return is_due(run)


def give_up(run: SubscriptionRun) -> bool:
    """Send nothing more of the charge; whether that is its end, since PortOne proved that nothing ran."""
    charge = run.state.charge
    assert charge is not None  # noqa: S101 - asked while a charge is made
    if charge.attempt.may_have_run:
        _keep(run, charge, charge.attempt.stopped())
        return False
    run.state.charge = None
    return True


def _keep(run: SubscriptionRun, charge: Charge, attempt: Attempt) -> None:
    run.state.charge = charge.model_copy(update={"attempt": attempt})


async def _send(run: SubscriptionRun, charge: Charge) -> None:
    attempt = charge.attempt.sending(workflow.now())
    _keep(run, charge, attempt)
    send_no = attempt.next_send - 1
    if charge.order.merchant_uid == run.merchant_uid:
        run.state.sends = send_no
    answer = await _call(run, charge, send_no)
    if answer.outcome is ChargeOutcome.UNKNOWN:
        workflow.set_current_details(f"{showing.details(run)}\n\nThe answer to the charge is lost; looking it up.")
    current = run.state.charge
    assert current is not None  # noqa: S101 - nothing but its own steps ends it
    sent = Sent(answer.outcome, answer.worth_resending, answer.code, answer.message)
    _keep(run, current, current.attempt.answered(sent, workflow.now()))


async def _call(run: SubscriptionRun, charge: Charge, send_no: int) -> ChargeAnswer:
    order, cycle = charge.order, run.state.cycle
    if charge.retries:
        return await portone.retry(
            RetrySchedule(merchant_uid=order.merchant_uid, send_no=send_no), f"retry {order.amount}, period {cycle}"
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
        customer=run.start.customer,
        channel=run.channel,
    )
    what = f"change to {order.name}" if charge.purpose is Purpose.CHANGE else f"period {cycle}"
    return await portone.again(request, what)


async def _look(run: SubscriptionRun, charge: Charge) -> Verdict:
    of_the_period = charge.order.merchant_uid == run.merchant_uid
    rows: Sequence[PaymentFact] = await portone.find_payments(charge.order.merchant_uid)
    if of_the_period:
        run.note_failures(rows)
    known = run.state.known_failures if of_the_period else ()
    return judge(charge.attempt.expected, rows, known_failures=known)
