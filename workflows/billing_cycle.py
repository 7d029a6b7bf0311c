"""One period, from planned to paid, declined, or a named state that says why not.

What if the webhook never comes? The wait in `step` ends at the next rung of the deadline ladder whether or not anybody
rang, and `verify` looks the payment up either way: the timer, not the webhook, guarantees progress.
"""

from collections.abc import Sequence

from temporalio import workflow

from billing.domain.facts import BillingKeyFact
from billing.domain.records import Disposition
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Finding, Verdict, judge
from workflows import booking, dunning, policies
from workflows.bells import answer_stale_bells
from workflows.contracts import PaymentReported
from workflows.ports import PaymentActivities
from workflows.subscription_run import SubscriptionRun

STANDING = frozenset({CycleState.MISMATCH, CycleState.REVOKED, CycleState.UNKNOWN})
"""Where a period stands until a person, or a later look, decides: it is looked up daily, and nothing is charged."""


async def step(run: SubscriptionRun) -> None:
    """Do the next thing of the current period: wait, register, look, settle; one of them, then return."""
    if not run.charging:
        await _wait_for_the_end(run)
    elif run.state.booked or run.state.cycle_state in STANDING:
        await _wait_for_the_charge(run)
    elif dunning.charges_itself(run):
        verdict = await dunning.wait_and_charge(run)
        if verdict is not None:
            await settle(run, verdict)
    elif not booking.within_horizon(run):
        await run.hear(booking.opens_at(run), f"until period {run.state.cycle} can be scheduled")
        await answer_stale_bells(run)
    else:
        refusal = await booking.register(run)
        if refusal is not None:
            await dunning.charge_ourselves(run, refusal)


async def _wait_for_the_end(run: SubscriptionRun) -> None:
    ends_at = run.state.period_end or workflow.now()
    await run.hear(ends_at, f"until the last period ends, {run.local(ends_at)}")
    await answer_stale_bells(run)
    if workflow.now() >= ends_at and run.cancel_order is None:
        if run.state.cancel_at_period_end:
            run.state.end(SubscriptionStatus.CANCELED, workflow.now(), "canceled at period end")
        else:
            run.state.end(SubscriptionStatus.EXPIRED, workflow.now(), "the fixed term is done")
        await run.write("the last period has ended")


async def _wait_for_the_charge(run: SubscriptionRun) -> None:
    look_at = run.start.policy.deadlines.look_at(run.state.due_at, run.state.looks)
    await run.hear(look_at, f"period {run.state.cycle}: until PortOne rings, or look at {run.local(look_at)}")
    if run.cancel_order is not None:
        return
    bells = run.take_bells()
    ours = [bell for bell in bells if bell.merchant_uid == run.merchant_uid]
    await answer_stale_bells(run, [bell for bell in bells if bell.merchant_uid != run.merchant_uid])
    by_deadline = workflow.now() >= look_at
    if ours or by_deadline:
        await settle(run, await verify(run, ours), by_deadline=by_deadline)
        await run.close_answered_bells()


async def verify(run: SubscriptionRun, bells: Sequence[PaymentReported] = ()) -> Verdict:
    """Look the current cycle up, by `imp_uid` where a webhook named one and by `merchant_uid`, and judge it.

    Without a webhook the schedule row is read too: it tells "not run yet" from "lost".
    """
    by_number = workflow.start_activity_method(
        PaymentActivities.find_payments, run.merchant_uid, summary=f"look up {run.merchant_uid}", **policies.LOOK_UP
    )
    if not bells:
        row = await booking.find_row(run.merchant_uid)
        rows = await by_number
        run.note_failures(rows)
        return judge(run.expected(), rows, row, known_failures=run.state.known_failures)
    reported = await workflow.execute_activity_method(
        PaymentActivities.find_payment, bells[-1].imp_uid, summary=f"look up {bells[-1].imp_uid}", **policies.LOOK_UP
    )
    rows = await by_number
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
                await booking.revoke(run)
            await settle_paid(run, verdict)
        case Finding.DECLINED:
            await dunning.after_decline(run, verdict)
        case Finding.MISMATCH:
            await _park(run, CycleState.MISMATCH, verdict)
        case Finding.REVOKED:
            await _park(run, CycleState.REVOKED, verdict)
        case Finding.PENDING | Finding.ABSENT:
            exhausted = by_deadline and run.start.policy.deadlines.exhausted(run.state.looks)
            if exhausted and run.state.cycle_state not in STANDING:
                await _park(run, CycleState.UNKNOWN, verdict)


async def settle_paid(run: SubscriptionRun, verdict: Verdict, billing_key: BillingKeyFact | None = None) -> None:
    """Book the current cycle as paid and, in the same transaction, open the intent of the next one."""
    state, payment = run.state, verdict.payment
    state.move(CycleState.PAID)
    result = run.result(CycleState.PAID, payment)
    state.become(SubscriptionStatus.ACTIVE)
    state.paid_cycles += 1
    state.last_paid_imp_uid = payment.imp_uid if payment else None
    state.period_start, state.period_end = run.due(state.cycle), run.due(state.cycle + 1)
    paid = state.cycle
    if payment is not None and state.card is None:
        state.card = BillingKeyFact(
            run.start.customer_uid, card_name=payment.card_name, card_number=payment.card_number
        ).label()
    state.begin_cycle(state.period_end)
    await run.write(
        f"period {paid} is paid",
        results=[result],
        payments=[payment] if payment else [],
        intents=[run.intent()] if run.charging else [],
        billing_key=billing_key,
    )


async def _park(run: SubscriptionRun, state: CycleState, verdict: Verdict) -> None:
    """Stand in a named state until a person or a later look decides; nothing is charged and nothing is guessed."""
    reason = verdict.reason or verdict.finding.value
    run.state.looks = max(run.state.looks, len(run.start.policy.deadlines.after_seconds))
    if run.state.cycle_state is state and run.state.parked_reason == reason:
        return
    run.state.move(state)
    run.state.parked_reason = reason
    payment = verdict.payment
    await run.write(
        f"period {run.state.cycle} is parked: {state.value}",
        results=[run.result(state, payment, reason)],
        payments=[payment] if payment else [],
    )
