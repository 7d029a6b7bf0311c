"""The end of a pause: the periods are laid anew, and what has to be paid to go on is charged at once.

What if the process dies here? The charge has one number, brought to a proven end before anything else is done; the
answer that is lost is looked up, as in every other charge.
"""

from datetime import datetime

from temporalio import workflow

from billing.domain.consent import ConsentDecision
from billing.domain.events import EventType
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import ResumeAnchor
from billing.domain.subscription.records import PeriodsBefore, Purpose
from billing.domain.verdict import Finding, Verdict
from workflows import attempts, bookkeeping, consent_need, consenting, dunning, ending, scheduling, stopping, telling
from workflows.attempts import Proven
from workflows.orders import ResumeSubscription
from workflows.pause_rest import (
    credit_the_rest,
    has_rest,
    is_within_a_paid_period,
    last_anchor,
    lay_the_periods,
    noted,
    put_back,
    use_the_rest,
)
from workflows.settling import settle, stand
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid, settle_skipped


async def resume(run: SubscriptionRun, order: ResumeSubscription) -> OrderAnswered | None:
    """Go on, charging at once what has to be paid for it; or take a pause at period end back."""
    if run.state.pause_at_period_end:
        await _take_the_pause_back(run)
        return OrderAnswered(snapshot=snapshot(run))
    now = workflow.now().replace(microsecond=0)
    await _follow_what_is_paid(run)
    anchor = last_anchor(run, order.anchor)
    if has_rest(run, anchor, now):
        await _use_the_rest(run, anchor, now)
        return OrderAnswered(snapshot=snapshot(run))
    before = noted(run)
    credit_the_rest(run, now)
    if run.term_is_paid:
        await ending.expire(run)
        return OrderAnswered(snapshot=snapshot(run))
    wanted = consent_need.need_at(run, now)
    if wanted is not None:
        if order.consent is None or order.consent.decision is not ConsentDecision.GRANTED:
            put_back(run, before)
            message = f"to go on costs {wanted.amount_after} instead of {wanted.amount_before}: resume with consent"
            return OrderAnswered(snapshot=snapshot(run), done=False, code="consent_needed", message=message)
        consenting.grant_at_once(run, wanted, order.consent)
        await run.write("the buyer consented by resuming")
    lay_the_periods(run, anchor, now)
    if await _charge(run, Purpose.RESUME, before):
        return None
    return OrderAnswered(snapshot=snapshot(run))


async def resume_by_itself(run: SubscriptionRun) -> None:
    """The day that was named has come; nobody is there to be told of a decline, so dunning begins with it."""
    state, now = run.state, workflow.now().replace(microsecond=0)
    await _follow_what_is_paid(run)
    anchor = last_anchor(run, state.resume_anchor)
    state.resumes_at = None
    if has_rest(run, anchor, now):
        await _use_the_rest(run, anchor, now)
        return
    before = noted(run)
    credit_the_rest(run, now)
    if run.term_is_paid:
        await ending.expire(run)
    elif not state.has_card and run.holding().value().amount > 0:
        put_back(run, before)
        why = "it was to go on, and there is no payment method"
        run.tell(EventType.SUBSCRIPTION_PAUSED, f"stays paused: {why}", telling.subscription(run, why))
        await run.write("stays paused: no payment method")
    else:
        lay_the_periods(run, anchor, now)
        await _charge(run, Purpose.RESUME_BY_ITSELF, before)


async def _follow_what_is_paid(run: SubscriptionRun) -> None:
    """Look up what is left of what paid the period that the pause cut."""
    if is_within_a_paid_period(run):
        await bookkeeping.follow(run)


async def _take_the_pause_back(run: SubscriptionRun) -> None:
    run.state.pause_at_period_end, run.state.resumes_at = False, None
    run.tell(EventType.SUBSCRIPTION_RESUMED, "will not pause with its period", telling.subscription(run))
    run.state.plans_again = "the pause was taken back"
    await run.write("the pause is taken back")


async def _use_the_rest(run: SubscriptionRun, anchor: ResumeAnchor, now: datetime) -> None:
    """Paid time is left: with a new anchor the whole rest of it follows, with the old one it goes on where it is."""
    state = run.state
    use_the_rest(run, anchor, now)
    state.become(SubscriptionStatus.ACTIVE)
    state.paused_at, state.resumes_at = None, None
    run.tell(EventType.SUBSCRIPTION_RESUMED, "goes on", telling.subscription(run))
    state.plans_again = "resumed"
    await run.write("resumed")


async def _charge(run: SubscriptionRun, purpose: Purpose, before: PeriodsBefore) -> bool:
    """Let what is due to go on be charged; whether anything has to be."""
    state = run.state
    declined = state.cycle_state is CycleState.DECLINED and not scheduling.number_is_reusable(run)
    revoked = state.cycle_state is CycleState.REVOKED and not scheduling.can_reschedule(run)
    if declined or revoked or state.open_order != run.would_open():
        await stopping.renumber(run, "resumed")
    if run.bill().amount.amount == 0:
        await settle_skipped(run)
        return False
    state.move(CycleState.VERIFYING)
    attempts.begin(run, purpose, before=before)
    return True


async def charged_by_itself(run: SubscriptionRun, proven: Proven) -> None:
    """The charge with which it goes on by itself is proven: paid, it goes on; declined, dunning begins with it."""
    verdict = dunning.as_declined(proven.verdict)
    if verdict.finding is Finding.DECLINED:
        # It is not paused any more: a period is due, and not paid. What is not as ordered stays paused for a person.
        run.state.paused_at = None
    if verdict.finding is Finding.PENDING:
        await stand(run, CycleState.UNKNOWN, verdict)
    else:
        await settle(run, verdict)


async def charged_by_hand(run: SubscriptionRun, proven: Proven) -> OrderAnswered:
    """Somebody asked and is told: after a decline it stays paused, and nothing is tried again behind their back."""
    verdict, before = proven.verdict, proven.charge.before
    assert before is not None  # noqa: S101 - noted when the charge began
    if verdict.finding is Finding.PAID:
        await settle_paid(run, verdict)
        return OrderAnswered(
            snapshot=snapshot(run),
            charge=ChargeAtOrder.PAID if verdict.payment else ChargeAtOrder.NONE_PLANNED,
            merchant_uid=verdict.payment.merchant_uid if verdict.payment else None,
            charged=verdict.payment.amount if verdict.payment else None,
        )
    number = run.merchant_uid
    state = run.state
    if verdict.finding is Finding.MISMATCH:
        await settle(run, verdict)
    elif verdict.finding is Finding.PENDING:
        await stand(run, CycleState.UNKNOWN, verdict)
    else:
        await _stay_paused(run, verdict)
    put_back(run, before)
    came_to = {Finding.MISMATCH: ChargeAtOrder.MISMATCH, Finding.PENDING: ChargeAtOrder.UNKNOWN}
    return OrderAnswered(
        snapshot=snapshot(run),
        done=False,
        code=f"charge_{state.cycle_state.value}",
        message=verdict.reason,
        charge=came_to.get(verdict.finding, ChargeAtOrder.DECLINED),
        merchant_uid=number,
    )


async def _stay_paused(run: SubscriptionRun, verdict: Verdict) -> None:
    state, payment = run.state, verdict.payment
    state.move(CycleState.DECLINED if verdict.finding is Finding.DECLINED else CycleState.NOT_EXECUTED)
    state.known_failures = sorted({*state.known_failures, *run.failures_seen})
    state.last_failure = verdict.reason or verdict.finding.value
    state.last_failure_code = f"charge_{state.cycle_state.value}"
    result = run.result(state.cycle_state, payment, verdict.reason)
    run.tell(
        EventType.CHARGE_DECLINED,
        "the charge to resume was declined",
        telling.charge(run, state.cycle_state, payment, verdict.reason),
    )
    await run.write("stays paused", results=[result], payments=[payment] if payment else [])
