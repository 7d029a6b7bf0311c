"""A look at the open period, and what follows from what it proved."""

from collections.abc import Sequence
from dataclasses import replace

from billing.domain.events import EventType
from billing.domain.records import Disposition
from billing.domain.states import CycleState
from billing.domain.subscription.reports import PaymentReported
from billing.domain.verdict import Finding, Verdict, judge
from workflows import dunning, elsewhere, portone, telling
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid

STANDING = frozenset({CycleState.MISMATCH, CycleState.REVOKED, CycleState.UNKNOWN})
"""Where a period stands until a person, or a later look, decides: it is looked up daily, and nothing is charged."""


async def verify(run: SubscriptionRun, bells: Sequence[PaymentReported] = ()) -> Verdict:
    """Look the current cycle up, by `imp_uid` where a webhook named one and by `merchant_uid`, and judge it.

    Without a webhook the schedule row is read too: it tells "not run yet" from "lost".
    """
    if not bells:
        rows = await portone.find_payments(run.merchant_uid)
        row = await portone.find_schedule(run.merchant_uid)
        run.note_failures(rows)
        return replace(judge(run.expected(), rows, row, known_failures=run.state.known_failures), schedule=row)
    reported = await portone.find_payment(bells[-1].imp_uid)
    rows = await portone.find_payments(run.merchant_uid)
    run.note_failures(rows)
    ours = {row.imp_uid for row in rows}
    if reported is not None and reported.merchant_uid == run.merchant_uid:
        ours.add(reported.imp_uid)
    for bell in bells:
        # A webhook that names somebody else's payment, or none that exists, is counted and has no effect.
        run.answer_bell(bell, Disposition.APPLIED if bell.imp_uid in ours else Disposition.MISMATCH)
    known = reported if reported is not None and reported.imp_uid in ours else None
    return judge(run.expected(), rows, reported=known, known_failures=run.state.known_failures)


async def settle(run: SubscriptionRun, verdict: Verdict, *, by_deadline: bool = False) -> None:
    """Write what a look proved and turn to what follows from it."""
    if by_deadline and verdict.finding not in (Finding.PAID, Finding.DECLINED):
        run.state.looks += 1
    match verdict.finding:
        case Finding.PAID:
            if run.state.booked and run.state.failed_attempts:
                # A late approval may have come while the retry still stands at PortOne: it must not run.
                await portone.unschedule(run, run.customer_uid, run.merchant_uid)
            await settle_paid(run, verdict)
        case Finding.DECLINED:
            await _settle_declined(run, verdict)
        case Finding.MISMATCH:
            await stand(run, CycleState.MISMATCH, verdict)
        case Finding.REVOKED:
            if run.state.booked:
                # What we took back ourselves is no news.
                await stand(run, CycleState.REVOKED, verdict)
        case Finding.PENDING | Finding.ABSENT:
            await _settle_open(run, verdict, by_deadline=by_deadline)


async def _settle_declined(run: SubscriptionRun, verdict: Verdict) -> None:
    if elsewhere.ran_before_its_day(run):
        await elsewhere.note_the_early_decline(run, verdict)
        return
    await dunning.after_found_decline(run, verdict)
    if run.state.hard_declined:
        await elsewhere.check_the_key(run)


async def _settle_open(run: SubscriptionRun, verdict: Verdict, *, by_deadline: bool) -> None:
    if await elsewhere.follow_the_schedule(run, verdict.schedule):
        return
    exhausted = by_deadline and run.start.policy.deadlines.exhausted(run.state.looks)
    if exhausted and run.state.cycle_state not in STANDING:
        await stand(run, CycleState.UNKNOWN, verdict)


_PARKED_AS = {
    CycleState.MISMATCH: EventType.CHARGE_MISMATCH,
    CycleState.REVOKED: EventType.CHARGE_REVOKED_ELSEWHERE,
    CycleState.UNKNOWN: EventType.CHARGE_UNKNOWN,
}


async def stand(run: SubscriptionRun, state: CycleState, verdict: Verdict) -> None:
    """Stand in a named state until a person or a later look decides; nothing is charged and nothing is guessed."""
    reason = verdict.reason or verdict.finding.value
    run.state.looks = max(run.state.looks, len(run.start.policy.deadlines.after_seconds))
    if run.state.cycle_state is state and run.state.parked_reason == reason:
        return
    run.state.move(state)
    run.state.parked_reason = reason
    payment = verdict.payment
    run.tell(_PARKED_AS[state], f"period {run.state.cycle}: {reason}", telling.charge(run, state, payment, reason))
    await run.write(
        f"period {run.state.cycle} is parked: {state.value}",
        results=[run.result(state, payment, reason)],
        payments=[payment] if payment else [],
    )
