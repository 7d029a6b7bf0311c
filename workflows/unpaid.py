"""An unpaid period: attempts of our own on their day, or nothing but another card, a retry by hand, a late approval."""

from datetime import datetime, timedelta

from temporalio import workflow

from billing.domain.attempt import CONCLUSIVE, PENDING_ENDS_AFTER, PENDING_LOOK, PENDING_LOOK_LATER
from billing.domain.records import Disposition
from billing.domain.states import CycleState
from billing.domain.subscription.records import Booking, Purpose
from billing.domain.verdict import Finding, Verdict, judge
from workflows import attempts, dunning, portone
from workflows.settling import settle, stand
from workflows.subscription_run import SubscriptionRun

# ---------------------------------------------------------------- nothing will be tried until somebody acts


def stands(run: SubscriptionRun) -> bool:
    """Whether no attempt is planned: a hard decline, or every retry used up; another card or a person goes on."""
    return run.state.waits_for_a_card


def looks_or_ends_at(run: SubscriptionRun) -> datetime | None:
    """When the policy's time is over, and not before PortOne has finished what it calls unfinished."""
    ends_at, looks_at = dunning.ends_at(run), run.state.pending_look_at
    return max(ends_at, looks_at) if ends_at is not None and looks_at is not None else ends_at or looks_at


async def look_or_end(run: SubscriptionRun) -> None:
    """Look for a late approval because somebody reported one; at the end of the policy's time, act."""
    over = dunning.is_over(run)
    found = await _found(run)
    if found.finding in CONCLUSIVE:
        await settle(run, found)
    elif found.finding is Finding.PENDING:
        _look_when_it_may_be_finished(run)
        await run.close_answered_bells()
    elif over:
        dunning.act(run)
        await run.write("every attempt is used up")
    else:
        await run.close_answered_bells()


def _look_when_it_may_be_finished(run: SubscriptionRun) -> None:
    """PortOne has not finished an earlier payment of this number: it may still be approved.

    So nothing ends, and the number is not sent again, before it has; what it has not finished for days stands parked.
    """
    late = workflow.now() >= run.state.due_at + timedelta(hours=12)
    run.state.pending_look_at = workflow.now() + (PENDING_LOOK_LATER if late else PENDING_LOOK)


async def _found(run: SubscriptionRun) -> Verdict:
    """What PortOne has of the open order; who reported it, or asked for the look, is answered."""
    state = run.state
    reported = [bell for bell in state.bells if bell.merchant_uid == run.merchant_uid]
    rows = await portone.find_payments(run.merchant_uid)
    state.bells = [bell for bell in state.bells if bell not in reported]
    for bell in reported:
        run.answer_bell(bell, Disposition.APPLIED)
    state.pending_look_at = None
    run.note_failures(rows)
    return judge(run.expected(), rows, known_failures=state.known_failures)


# ---------------------------------------------------------------- attempts of our own


def charges_itself(run: SubscriptionRun) -> bool:
    """Whether the next attempt is ours to send: PortOne cannot, or would not, book it."""
    return run.state.booking is Booking.AGAIN and not run.state.booked


def charges_at(run: SubscriptionRun) -> datetime:
    """The day of the next attempt, and not before PortOne has finished what it calls unfinished."""
    return max(run.state.due_at, run.state.pending_look_at or run.state.due_at)


async def look_or_charge(run: SubscriptionRun) -> None:
    """Look whether a late approval, or a person in the console, was faster; on its day, charge the same number."""
    state, due = run.state, workflow.now() >= run.state.due_at
    found = await _found(run)
    if found.finding in CONCLUSIVE:
        await settle(run, found)
    elif found.finding is Finding.PENDING:
        await _wait_until_it_is_finished(run, found)
    elif due and not await _waits_for_the_schemes(run):
        state.move(CycleState.VERIFYING)
        attempts.begin(run, Purpose.DUE)
    else:
        await run.close_answered_bells()


async def _wait_until_it_is_finished(run: SubscriptionRun, found: Verdict) -> None:
    state = run.state
    if workflow.now() >= state.due_at + PENDING_ENDS_AFTER:
        state.move(CycleState.VERIFYING)
        await stand(run, CycleState.UNKNOWN, found)
        return
    _look_when_it_may_be_finished(run)
    await run.close_answered_bells()


async def charged_on_its_day(run: SubscriptionRun, verdict: Verdict) -> None:
    """The attempt that was planned is proven: record it, and what follows."""
    await settle(run, dunning.as_declined(verdict))


async def _waits_for_the_schemes(run: SubscriptionRun) -> bool:
    """Whether a retry must wait, because the card was tried for other subscriptions since it was planned."""
    if not run.state.failed_attempts:
        return False
    allowed_at = await dunning.card_may_be_tried_at(run, workflow.now())
    if allowed_at <= workflow.now():
        return False
    run.state.due_at = allowed_at
    await run.write(f"the card was tried too often: the attempt waits until {run.local(allowed_at)}")
    return True
