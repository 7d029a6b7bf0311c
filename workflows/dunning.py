"""After a decline: the retries of one cycle, all under its one order number."""

from datetime import datetime

from temporalio import workflow

from billing.domain.records import Disposition
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Finding, Verdict
from workflows import booking, policies
from workflows.bells import answer_stale_bells
from workflows.charge_protocol import CONCLUSIVE, look
from workflows.charging import charge_now
from workflows.subscription_run import SubscriptionRun
from workflows.subscription_state import Booking


async def after_decline(run: SubscriptionRun, verdict: Verdict) -> None:
    """Book the decline, become `past_due`, and put the next attempt in place; end when the ladder is used up."""
    state, payment = run.state, verdict.payment
    state.move(CycleState.DECLINED)
    state.booked = False
    state.parked_reason = None
    state.failed_attempts += 1
    state.last_failure = verdict.reason or "declined"
    state.last_failure_code = "charge_declined"
    failed = run.failures_seen | ({payment.imp_uid} if payment is not None else set())
    state.known_failures = sorted({*state.known_failures, *failed})
    run.failures_seen = set()
    result = run.result(CycleState.DECLINED, payment, verdict.reason)
    another_number = not booking.number_is_reusable(run)
    next_at = run.start.policy.retries.next_attempt_at(state.failed_attempts, _failed_at(run, verdict))
    if next_at is None:
        state.become(SubscriptionStatus.PAST_DUE)
        state.end(SubscriptionStatus.CANCELED, workflow.now(), f"every retry was declined: {state.last_failure}")
    else:
        state.become(SubscriptionStatus.PAST_DUE)
        state.due_at = next_at
        state.looks = 0
        if another_number:
            # PortOne has run this number and it is verified unpaid: only now may another one stand for the cycle.
            state.next_generation()
    await run.write(
        f"attempt {state.failed_attempts} of period {state.cycle} was declined",
        results=[result],
        payments=[payment] if payment else [],
        intents=[run.intent()] if next_at is not None and another_number else [],
    )
    if next_at is not None and state.booking is Booking.RESCHEDULE:
        refusal = await booking.rebook(run)
        if refusal is not None:
            await charge_ourselves(run, refusal)


async def charge_ourselves(run: SubscriptionRun, refusal: str) -> None:
    """PortOne would not book the attempt: that is no decline; on its day we charge it, under the same order number."""
    run.state.booking = Booking.AGAIN
    run.state.move(CycleState.DUE)
    run.state.last_failure = refusal
    await run.write("PortOne refused the schedule; charged by us when it is due")


def charges_itself(run: SubscriptionRun) -> bool:
    """Whether the next attempt is ours to send: PortOne cannot, or would not, book it."""
    return run.state.booking is Booking.AGAIN and not run.state.booked


async def wait_and_charge(run: SubscriptionRun) -> Verdict | None:
    """Wait for the next attempt's day, then charge with `again` under the same order number; None while it waits."""
    await run.hear(run.state.due_at, f"until attempt {run.state.failed_attempts + 1} of period {run.state.cycle}")
    bells = run.take_bells()
    await answer_stale_bells(run, [bell for bell in bells if bell.merchant_uid != run.merchant_uid])
    rung = [bell for bell in bells if bell.merchant_uid == run.merchant_uid]
    for bell in rung:
        run.answer_bell(bell, Disposition.APPLIED)
    due = workflow.now() >= run.state.due_at
    if rung or due:
        # A late approval, or a person in the console, may have been faster than this attempt.
        found = await look(run.expected(), run.state.known_failures, run.note_failures)
        if found.finding in CONCLUSIVE:
            return found
        if found.finding is Finding.PENDING:
            # PortOne has not finished an earlier payment of this number: sending it again could pay it twice.
            await run.hear(workflow.now() + policies.PENDING_LOOK, "PortOne has not finished the last attempt")
            return None
    if run.cancel_order is not None or not due:
        return None
    run.state.move(CycleState.VERIFYING)
    verdict = await charge_now(run)
    # Proven not to have run, for hours: the attempt is used up, the ladder goes on.
    return Verdict(Finding.DECLINED, None, verdict.reason) if verdict.finding is Finding.ABSENT else verdict


def _failed_at(run: SubscriptionRun, verdict: Verdict) -> datetime:
    """When PortOne says it failed; its clock decides when it accepts the next attempt, so it is never before ours."""
    failed_at = verdict.payment.failed_at if verdict.payment else None
    return max(failed_at or run.state.due_at, workflow.now())
