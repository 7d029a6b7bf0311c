"""A look at the open period, and what follows from what it proved."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from temporalio import workflow

from billing.domain.records import Disposition
from billing.domain.states import CycleState
from billing.domain.subscription import console_changes, scheduling
from billing.domain.subscription.period_close import settle_paid
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.reports import PaymentReported
from billing.domain.subscription.standing import STANDING, stand
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict, judge
from workflows.charge import declines, look_up, portone
from workflows.contracts import LookUpOrder


async def verify(subscription: Subscription, recording: Recording, reports: Sequence[PaymentReported] = ()) -> Verdict:
    """Look the current cycle up, by `imp_uid` where a webhook named one and by `merchant_uid`, and judge it.

    Without a webhook the schedule row is read too: it tells "not run yet" from "lost".
    """
    number = subscription.terms.merchant_uid
    imp_uid = reports[-1].imp_uid if reports else None
    seen = await portone.look_up_order(LookUpOrder(merchant_uid=number, imp_uid=imp_uid, with_schedule=not reports))
    rows, reported = seen.payments, seen.reported
    subscription.state.period.note_failures(rows)
    if not reports:
        verdict = judge(
            subscription.terms.expected(),
            rows,
            seen.schedule,
            known_failures=subscription.state.period.known_failures,
        )
        return replace(verdict, schedule=seen.schedule)
    ours = {row.imp_uid for row in rows}
    if reported is not None and reported.merchant_uid == subscription.terms.merchant_uid:
        ours.add(reported.imp_uid)
    for report in reports:
        # A webhook that names somebody else's payment, or none that exists, is counted and has no effect.
        recording.answer(report, Disposition.APPLIED if report.imp_uid in ours else Disposition.MISMATCH)
    known = reported if reported is not None and reported.imp_uid in ours else None
    return judge(
        subscription.terms.expected(), rows, reported=known, known_failures=subscription.state.period.known_failures
    )


async def settle(
    subscription: Subscription, recording: Recording, verdict: Verdict, *, by_deadline: bool = False
) -> None:
    """Write what a look proved and turn to what follows from it."""
    if by_deadline and verdict.finding not in (Finding.PAID, Finding.DECLINED):
        subscription.state.period.looked_in_vain()
    match verdict.finding:
        case Finding.PAID:
            if _may_charge_once_more(subscription, verdict):
                # It was paid late while the retry stands, or by hand before its day: what stands must not run.
                await _take_back(subscription, recording)
            settle_paid(subscription, recording, workflow.now(), verdict)
        case Finding.DECLINED:
            await _settle_declined(subscription, recording, verdict)
        case Finding.MISMATCH:
            await _settle_mismatch(subscription, recording, verdict)
        case Finding.REVOKED:
            _settle_revoked(subscription, recording, workflow.now(), verdict)
        case Finding.PENDING | Finding.ABSENT:
            _settle_open(subscription, recording, workflow.now(), verdict, by_deadline=by_deadline)


def _settle_revoked(subscription: Subscription, recording: Recording, now: datetime, verdict: Verdict) -> None:
    """It waits for a person where somebody else has revoked it; what we took back ourselves is no news."""
    state, number, quiet = subscription.state, subscription.terms.merchant_uid, subscription.start.policy.quiet
    stood_at = state.schedule.registered_at
    if not state.schedule.stands:
        return
    if state.schedule.reschedules and stood_at is not None and not quiet.counts(stood_at, now):
        # It was revoked before it stood again: a look that lags shows that.
        state.reports.look_at(number, quiet.look_at(stood_at, 0))
        return
    if state.schedule.revoked_at is None and not state.in_flight.may_take_back(number):
        stand(subscription, recording, now, CycleState.REVOKED, verdict)
    elif state.in_flight.may_charge(number):
        state.schedule.look(state.in_flight.last_end(number))
    else:
        scheduling.settle_the_revoke(subscription, recording, now)


async def _settle_mismatch(subscription: Subscription, recording: Recording, verdict: Verdict) -> None:
    """It waits for a person; what still stands for it is taken back, and read again until that is so."""
    if verdict.moved and _may_charge_once_more(subscription, verdict):
        await _take_back(subscription, recording)
        row = await portone.find_schedule(subscription.terms.merchant_uid)
        row = scheduling.without_lag(subscription, row, workflow.now())
        if row is None or row.status != "scheduled":
            subscription.state.schedule.stands_no_more()
        else:
            scheduling.look_again_later(subscription, workflow.now())
    stand(subscription, recording, workflow.now(), CycleState.MISMATCH, verdict)


async def _take_back(subscription: Subscription, recording: Recording) -> None:
    await portone.unschedule(subscription, recording, subscription.terms.customer_uid, subscription.terms.merchant_uid)


def _may_charge_once_more(subscription: Subscription, verdict: Verdict) -> bool:
    """Whether the schedule of a period that proved paid still stands at PortOne."""
    if not subscription.state.schedule.stands:
        return False
    ran = verdict.schedule is not None and verdict.schedule.status == "executed"
    early = console_changes.ran_before_its_day(subscription, workflow.now()) and not ran
    return bool(subscription.state.arrears.failed_attempts) or early


async def _settle_declined(subscription: Subscription, recording: Recording, verdict: Verdict) -> None:
    if console_changes.ran_before_its_day(subscription, workflow.now()):
        console_changes.note_the_early_decline(subscription, recording, workflow.now(), verdict)
        return
    await declines.after_found_decline(subscription, recording, verdict)
    if subscription.state.arrears.hard_declined:
        await look_up.check_the_key(subscription, recording)


def _settle_open(
    subscription: Subscription, recording: Recording, now: datetime, verdict: Verdict, *, by_deadline: bool
) -> None:
    if console_changes.follow_the_schedule(subscription, recording, now, verdict.schedule):
        return
    exhausted = by_deadline and subscription.start.policy.deadlines.exhausted(subscription.state.period.looks)
    if exhausted and subscription.state.period.state not in STANDING:
        stand(subscription, recording, now, CycleState.UNKNOWN, verdict)
