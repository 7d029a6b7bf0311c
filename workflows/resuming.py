"""The end of a pause: the periods are laid anew, and what has to be paid to go on is charged at once.

What if the process dies here? The charge has one number, brought to a proven end before anything else is done; the
answer that is lost is looked up, as in every other charge.
"""

from dataclasses import dataclass
from datetime import datetime

from temporalio import workflow

from billing.domain.calendar import Anchor
from billing.domain.consent import ConsentDecision
from billing.domain.events import EventType
from billing.domain.shares import day_of
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Finding, Verdict
from workflows import arbiter, booking, consent_need, consenting, dunning, ending, telling
from workflows.charging import charge_now
from workflows.orders import ChargeAtOrder, OrderAnswered, ResumeAnchor, ResumeSubscription
from workflows.pause_rest import has_rest, possible_anchor
from workflows.settling import settle
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid, settle_skipped


async def resume(run: SubscriptionRun, order: ResumeSubscription) -> OrderAnswered:
    """Go on, charging at once what has to be paid for it; or take a pause at period end back."""
    if run.state.pause_at_period_end:
        await _take_the_pause_back(run)
        return OrderAnswered(snapshot=snapshot(run))
    now, anchor = workflow.now().replace(microsecond=0), possible_anchor(run, order.anchor)
    if run.term_is_paid and not has_rest(run, anchor, now):
        await ending.expire(run)
        return OrderAnswered(snapshot=snapshot(run))
    if has_rest(run, anchor, now):
        await _use_the_rest(run, anchor, now)
        return OrderAnswered(snapshot=snapshot(run))
    wanted = consent_need.need_at(run, now)
    if wanted is not None:
        if order.consent is None or order.consent.decision is not ConsentDecision.GRANTED:
            message = f"to go on costs {wanted.amount_after} instead of {wanted.amount_before}: resume with consent"
            return OrderAnswered(snapshot=snapshot(run), done=False, code="consent_needed", message=message)
        consenting.grant_at_once(run, wanted, order.consent)
        await run.write("the buyer consented by resuming")
    return await _charge_by_hand(run, anchor, now)


async def resume_by_itself(run: SubscriptionRun) -> None:
    """The day that was named has come; nobody is there to be told of a decline, so dunning begins with it."""
    state, now = run.state, workflow.now().replace(microsecond=0)
    anchor = possible_anchor(run, state.resume_anchor)
    state.resumes_at = None
    if has_rest(run, anchor, now):
        await _use_the_rest(run, anchor, now)
    elif run.term_is_paid:
        await ending.expire(run)
    elif not state.has_card and run.holding().value().amount > 0:
        why = "it was to go on, and there is no payment method"
        run.tell(EventType.SUBSCRIPTION_PAUSED, f"stays paused: {why}", telling.subscription(run, why))
        await run.write("stays paused: no payment method")
    else:
        _lay_the_periods(run, anchor, now)
        await _charge_by_itself(run)


async def _take_the_pause_back(run: SubscriptionRun) -> None:
    run.state.pause_at_period_end, run.state.resumes_at = False, None
    run.tell(EventType.SUBSCRIPTION_RESUMED, "will not pause with its period", telling.subscription(run))
    await run.write("the pause is taken back")
    await arbiter.plan_again(run, "the pause was taken back")


async def _use_the_rest(run: SubscriptionRun, anchor: ResumeAnchor, now: datetime) -> None:
    """Paid time is left: with a new anchor the whole rest of it follows, with the old one what the pause has left."""
    state = run.state
    paused_at, start, end = state.paused_at, state.period_start, state.period_end
    if anchor is ResumeAnchor.NEW and paused_at is not None and start is not None and end is not None:
        # The whole period moves, so that its days are still worth what was paid for them.
        state.period_end = (end + (now - paused_at)).replace(microsecond=0)
        state.period_start = state.period_end - (end - start)
        if state.counts_from is not None:
            state.counts_from += state.period_end - end
        _begin_periods_at(run, state.period_end)
    state.become(SubscriptionStatus.ACTIVE)
    state.paused_at, state.resumes_at = None, None
    run.tell(EventType.SUBSCRIPTION_RESUMED, "goes on", telling.subscription(run))
    await run.write("resumed")
    await arbiter.plan_again(run, "resumed")


@dataclass(frozen=True, slots=True)
class _Periods:
    """Where the periods lie, and when they were to begin again."""

    anchor: Anchor
    first_cycle: int
    due_at: datetime
    paid_days: int
    resumes_at: datetime | None


def _lay_the_periods(run: SubscriptionRun, anchor: ResumeAnchor, now: datetime) -> _Periods:
    """Lay the periods anew, so that the next one begins now; answers how they lay before."""
    state = run.state
    before = _Periods(state.anchor, state.first_cycle, state.due_at, state.paid_days, state.resumes_at)
    state.resumes_at = None
    if anchor is ResumeAnchor.NEW:
        _begin_periods_at(run, now)
    else:
        _fall_into_the_running_period(run, now)
    return before


def _begin_periods_at(run: SubscriptionRun, at: datetime) -> None:
    run.state.anchor = Anchor.at(at, run.holding().terms.zone)
    run.state.first_cycle = run.state.cycle
    run.state.due_at = at
    run.state.paid_days = 0


def _fall_into_the_running_period(run: SubscriptionRun, now: datetime) -> None:
    """Count periods on from the old anchor up to the one that runs now; its days so far are not charged."""
    state = run.state
    while run.due(state.cycle + 1) <= now:
        state.first_cycle -= 1
    state.paid_days, _ = day_of(run.due(state.cycle), run.due(state.cycle + 1), now, run.plan.zone)
    state.due_at = now


async def _charge(run: SubscriptionRun) -> Verdict:
    """Charge what is due to go on; a paid period is booked, anything else is the caller's to settle."""
    state = run.state
    declined = state.cycle_state is CycleState.DECLINED and not booking.number_is_reusable(run)
    revoked = state.cycle_state is CycleState.REVOKED and not booking.can_reschedule(run)
    if declined or revoked or state.open_order != run.would_open():
        await arbiter.renumber(run, "resumed")
    if run.bill().amount.amount == 0:
        await settle_skipped(run)
        return Verdict(Finding.PAID)
    state.move(CycleState.VERIFYING)
    verdict = await charge_now(run)
    if verdict.finding is Finding.PAID:
        await settle_paid(run, verdict)
    return verdict


async def _charge_by_itself(run: SubscriptionRun) -> None:
    verdict = dunning.as_declined(await _charge(run))
    if verdict.finding is Finding.DECLINED:
        # It is not paused any more: a period is due, and not paid. What is not as ordered stays paused for a person.
        run.state.paused_at = None
    if verdict.finding is not Finding.PAID:
        await settle(run, verdict)


async def _charge_by_hand(run: SubscriptionRun, anchor: ResumeAnchor, now: datetime) -> OrderAnswered:
    """Somebody asked and is told: after a decline it stays paused, and nothing is tried again behind their back."""
    before = _lay_the_periods(run, anchor, now)
    verdict = await _charge(run)
    if verdict.finding is Finding.PAID:
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
    else:
        await _stay_paused(run, verdict)
    state.anchor, state.first_cycle = before.anchor, before.first_cycle
    state.due_at, state.paid_days, state.resumes_at = before.due_at, before.paid_days, before.resumes_at
    mismatch = verdict.finding is Finding.MISMATCH
    return OrderAnswered(
        snapshot=snapshot(run),
        done=False,
        code=f"charge_{state.cycle_state.value}",
        message=verdict.reason,
        charge=ChargeAtOrder.MISMATCH if mismatch else ChargeAtOrder.DECLINED,
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
