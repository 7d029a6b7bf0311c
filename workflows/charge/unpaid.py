"""An unpaid period: attempts of our own on their day, or nothing but another card, a retry by hand, a late approval."""

from datetime import datetime

from temporalio import workflow

from billing.domain.attempt import CONCLUSIVE, PENDING_ENDS_AFTER
from billing.domain.records import Disposition
from billing.domain.states import CycleState
from billing.domain.subscription import dunning
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.standing import stand
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict, judge
from workflows.charge import attempts, declines, portone
from workflows.charge.settling import settle

# ---------------------------------------------------------------- nothing will be tried until somebody acts


async def look_or_end(subscription: Subscription, recording: Recording) -> None:
    """Look for a late approval because somebody reported one; at the end of the policy's time, act."""
    over = dunning.is_over(subscription, workflow.now())
    found = await _found(subscription, recording)
    if found.finding in CONCLUSIVE:
        await settle(subscription, recording, found)
    elif found.finding is Finding.PENDING:
        dunning.look_when_it_may_be_finished(subscription, workflow.now())
        recording.close_reports(workflow.now())
    elif over:
        dunning.act(subscription, recording, workflow.now())
        recording.write("every attempt is used up", workflow.now())
    else:
        recording.close_reports(workflow.now())


async def _found(subscription: Subscription, recording: Recording) -> Verdict:
    """What PortOne has of the open order; who reported it, or asked for the look, is answered."""
    state = subscription.state
    reported = state.reports.about(subscription.terms.merchant_uid)
    rows = await portone.find_payments(subscription.terms.merchant_uid)
    state.reports.take(reported)
    for report in reported:
        recording.answer(report, Disposition.APPLIED)
    state.period.look_when_finished(None)
    subscription.state.period.note_failures(rows)
    return judge(subscription.terms.expected(), rows, known_failures=state.period.known_failures)


# ---------------------------------------------------------------- attempts of our own


async def look_or_charge(subscription: Subscription, recording: Recording) -> None:
    """Look whether a late approval, or a person in the console, was faster; on its day, charge the same number."""
    state, due = subscription.state, workflow.now() >= subscription.state.period.due_at
    found = await _found(subscription, recording)
    if found.finding in CONCLUSIVE:
        await settle(subscription, recording, found)
    elif found.finding is Finding.PENDING:
        _wait_until_it_is_finished(subscription, recording, workflow.now(), found)
    elif due and not await _waits_for_the_schemes(subscription, recording):
        state.period.move(CycleState.VERIFYING)
        attempts.begin(subscription, workflow.now(), Purpose.DUE)
    else:
        recording.close_reports(workflow.now())


def _wait_until_it_is_finished(subscription: Subscription, recording: Recording, now: datetime, found: Verdict) -> None:
    state = subscription.state
    if now >= state.period.due_at + PENDING_ENDS_AFTER:
        state.period.move(CycleState.VERIFYING)
        stand(subscription, recording, now, CycleState.UNKNOWN, found)
        return
    dunning.look_when_it_may_be_finished(subscription, now)
    recording.close_reports(now)


async def charged_on_its_day(subscription: Subscription, recording: Recording, verdict: Verdict) -> None:
    """The attempt that was planned is proven: record it, and what follows."""
    await settle(subscription, recording, dunning.as_declined(verdict))


async def _waits_for_the_schemes(subscription: Subscription, recording: Recording) -> bool:
    """Whether a retry must wait, because the card was tried for other subscriptions since it was planned."""
    if not subscription.state.arrears.failed_attempts:
        return False
    allowed_at = await declines.card_may_be_tried_at(subscription, recording, workflow.now())
    if allowed_at <= workflow.now():
        return False
    subscription.state.period.is_due(allowed_at)
    recording.write(
        f"the card was tried too often: the attempt waits until {subscription.terms.local(allowed_at)}", workflow.now()
    )
    return True
