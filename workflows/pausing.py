"""A pause: nothing is charged until somebody resumes, or until the day that was named."""

from datetime import datetime

from temporalio import workflow

from billing.domain.calendar import Anchor
from billing.domain.events import EventType
from billing.domain.shares import day_of
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Finding, Verdict
from workflows import arbiter, booking, dunning, telling
from workflows.bells import answer_stale_bells
from workflows.charging import charge_now
from workflows.orders import (
    ChargeAtOrder,
    OrderAnswered,
    PauseSubscription,
    ResumeAnchor,
    ResumeSubscription,
    When,
)
from workflows.settling import settle
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid, settle_skipped


async def pause(run: SubscriptionRun, order: PauseSubscription) -> OrderAnswered:
    """Stop the next charge if it still can be, pause now or with the end of the period, and say what happened."""
    stopped = await arbiter.stop_the_charge(run)
    state = run.state
    if stopped.charge in (ChargeAtOrder.DECLINED, ChargeAtOrder.MISMATCH):
        message = "the next charge ran first and was not paid; it is not paused"
        return OrderAnswered(
            snapshot=snapshot(run), done=False, code=f"charge_{stopped.charge.value}", message=message,
            charge=stopped.charge, merchant_uid=stopped.merchant_uid,
        )  # fmt: skip
    if state.cycle_state is CycleState.REVOKED:
        run.close_number(CycleState.REVOKED, order.reason or "paused by request")
    state.resumes_at = order.resumes_at
    if order.at is When.NOW or state.period_end is None or state.period_end <= workflow.now():
        await begin(run, order.reason or "paused by request")
    else:
        state.pause_at_period_end = True
        run.tell(EventType.SUBSCRIPTION_PAUSE_SCHEDULED, "will pause with its period", telling.subscription(run))
        await run.write("pause at period end")
    return OrderAnswered(
        snapshot=snapshot(run),
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


async def begin(run: SubscriptionRun, reason: str) -> None:
    """Be paused from this moment on."""
    run.state.become(SubscriptionStatus.PAUSED)
    run.state.paused_at = workflow.now()
    run.state.pause_at_period_end = False
    run.tell(EventType.SUBSCRIPTION_PAUSED, f"paused: {reason}", telling.subscription(run, reason))
    await run.write("paused")


async def wait(run: SubscriptionRun) -> None:
    """Wait until somebody resumes, or the day that was named; then go on."""
    resumes_at = run.state.resumes_at
    until = f"until {run.local(resumes_at)}" if resumes_at is not None else "until somebody resumes"
    await run.hear(resumes_at, f"paused {until}")
    await answer_stale_bells(run)
    if resumes_at is not None and workflow.now() >= resumes_at and not run.orders:
        run.state.resumes_at = None
        if run.state.has_card:
            await _go_on(run, run.state.resume_anchor, by_itself=True)


async def resume(run: SubscriptionRun, order: ResumeSubscription) -> OrderAnswered:
    """Go on, charging at once what has to be paid for it; or take a pause at period end back."""
    if run.state.pause_at_period_end:
        run.state.pause_at_period_end = False
        run.state.resumes_at = None
        run.tell(EventType.SUBSCRIPTION_RESUMED, "will not pause with its period", telling.subscription(run))
        await run.write("the pause is taken back")
        await arbiter.plan_again(run, "the pause was taken back")
        return OrderAnswered(snapshot=snapshot(run))
    verdict = await _go_on(run, order.anchor, by_itself=False)
    if verdict is None:
        return OrderAnswered(snapshot=snapshot(run))
    paid = verdict.finding is Finding.PAID
    return OrderAnswered(
        snapshot=snapshot(run),
        done=paid,
        code=None if paid else f"charge_{verdict.finding.value}",
        message=None if paid else verdict.reason,
        charge=ChargeAtOrder.PAID if paid else ChargeAtOrder.DECLINED,
        charged=verdict.payment.amount if paid and verdict.payment else None,
    )


async def _go_on(run: SubscriptionRun, anchor: ResumeAnchor, *, by_itself: bool) -> Verdict | None:
    """Lay the periods anew and charge what is due now; None where the paid time is not over yet."""
    state, now = run.state, workflow.now().replace(microsecond=0)
    paused_at, period_end = state.paused_at or now, state.period_end
    if period_end is not None and paused_at < period_end and (anchor is ResumeAnchor.NEW or now < period_end):
        if anchor is ResumeAnchor.NEW:
            # The days that were used up stay used up, those of the pause were none.
            state.counts_from = run.whole_period()[0] + (now - paused_at.replace(microsecond=0))
            _begin_periods_at(run, (now + (period_end - paused_at)).replace(microsecond=0))
            state.period_end = state.due_at
        await _resumed(run)
        await arbiter.plan_again(run, "resumed")
        return None
    changes = state.pending_change
    if anchor is ResumeAnchor.NEW or (changes is not None and run.has_another_calendar(changes.plan)):
        # Another interval counts from the day on which it begins: there is no old period to fall into.
        _begin_periods_at(run, now)
    else:
        _fall_into_the_running_period(run, now)
    return await _charge_to_resume(run, by_itself=by_itself)


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


async def _charge_to_resume(run: SubscriptionRun, *, by_itself: bool) -> Verdict:
    state = run.state
    declined = state.cycle_state is CycleState.DECLINED and not booking.number_is_reusable(run)
    if declined or state.open_order != run.would_open():
        await arbiter.renumber(run, "resumed")
    if run.bill().amount.amount == 0:
        state.paused_at = None
        await settle_skipped(run)
        return Verdict(Finding.PAID)
    state.move(CycleState.VERIFYING)
    verdict = await charge_now(run)
    if verdict.finding is Finding.PAID:
        state.paused_at = None
        await settle_paid(run, verdict)
    elif by_itself:
        state.paused_at = None
        await settle(run, dunning.as_declined(verdict))
    else:
        # Somebody asked and is told: it stays paused, nothing is tried again behind their back.
        payment = verdict.payment
        state.move(CycleState.MISMATCH if verdict.finding is Finding.MISMATCH else CycleState.DECLINED)
        state.known_failures = sorted({*state.known_failures, *run.failures_seen})
        state.parked_reason = verdict.reason if verdict.finding is Finding.MISMATCH else None
        result = run.result(state.cycle_state, payment, verdict.reason)
        run.tell(
            EventType.CHARGE_DECLINED,
            "the charge to resume was declined",
            telling.charge(run, state.cycle_state, payment, verdict.reason),
        )
        await run.write("not resumed", results=[result], payments=[payment] if payment else [])
    return verdict


async def _resumed(run: SubscriptionRun) -> None:
    run.state.become(SubscriptionStatus.ACTIVE)
    run.state.paused_at = None
    run.state.resumes_at = None
    run.tell(EventType.SUBSCRIPTION_RESUMED, "goes on", telling.subscription(run))
    await run.write("resumed")
