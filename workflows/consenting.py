"""The consent gate: nothing is registered at PortOne before the buyer has agreed, because a schedule charges by itself.

Asked inside the 30 days before a trial becomes paid or a charge rises, and granted only by an explicit act
(E-Commerce Act art. 13(6); anchors/billing.md section 4). Plans that do not need it never come here.
"""

from dataclasses import replace
from datetime import datetime

from temporalio import workflow

from billing.domain.consent import ConsentDecision, ConsentEvidence, ConsentNeed, without_consent
from billing.domain.coupons import CouponDuration
from billing.domain.events import EventType
from billing.domain.instants import AT_ONCE
from billing.domain.plans import OnNoConsent
from billing.domain.records import ConsentRecord, PendingChange
from billing.domain.states import ConsentState, CycleState, SubscriptionStatus
from billing.domain.subscription.answers import OrderAnswered
from billing.domain.subscription.consent_answer import ConsentAnswer
from workflows import ending, telling
from workflows.consent_need import asking_plan, need, withdraw
from workflows.pending_change import void_the_change
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun

IN_ARREARS = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})


def is_void(run: SubscriptionRun) -> bool:
    """Whether a question stands that nothing asks for any more: the higher charge was taken back."""
    state = run.state
    return state.consent is not ConsentState.NOT_NEEDED and state.status not in IN_ARREARS and need(run) is None


async def forget(run: SubscriptionRun) -> None:
    """Take the question back; what was answered to it stays in the ledger."""
    withdraw(run)
    await run.write("no consent is needed any more")


async def gate(run: SubscriptionRun) -> None:
    """Stand before the gate: ask when its window opens, and let the day itself be the last of it."""
    state, wanted = run.state, need(run)
    assert wanted is not None  # noqa: S101 - whoever comes here needs consent
    if state.consent_need != wanted:
        withdraw(run)
        state.agree(ConsentState.WINDOW_CLOSED)
        state.consent_need = wanted
    now = workflow.now()
    if state.paused_at is None and state.cycle_state is not CycleState.GATED:
        state.move(CycleState.GATED)
        await run.write(f"period {state.cycle} waits for the buyer's consent")
    elif now >= wanted.lapses_at:
        await _lapse(run, wanted)
    elif state.consent is ConsentState.WINDOW_CLOSED and now >= wanted.opens_at:
        await _ask(run, wanted)


def gate_at(run: SubscriptionRun) -> datetime:
    """When the gate has something to do: at once where it does not stand yet, to ask, or when the day has come."""
    state, wanted = run.state, need(run)
    assert wanted is not None  # noqa: S101 - whoever comes here needs consent
    stands = state.paused_at is not None or state.cycle_state is CycleState.GATED
    if state.consent_need != wanted or not stands:
        return AT_ONCE
    return wanted.opens_at if state.consent is ConsentState.WINDOW_CLOSED else wanted.lapses_at


def gate_why(run: SubscriptionRun) -> str:
    """What is waited for before the gate, in words."""
    wanted = need(run)
    assert wanted is not None  # noqa: S101 - whoever comes here needs consent
    if run.state.consent is ConsentState.WINDOW_CLOSED:
        return f"until the buyer may be asked, {run.local(wanted.opens_at)}"
    return f"until the buyer consents, or {run.local(wanted.lapses_at)}"


async def answer(run: SubscriptionRun, order: ConsentAnswer) -> OrderAnswered:
    """Note an explicit answer with what was shown; a refusal ends the subscription or holds the price, by the plan."""
    state, wanted = run.state, need(run)
    if wanted is None or state.consent_need != wanted:
        message = "what was asked for has changed meanwhile; if consent is still needed, it is asked anew"
        return OrderAnswered(snapshot=snapshot(run), done=False, code="consent_outdated", message=message)
    if not wanted.in_window(workflow.now()):
        message = f"an answer counts from {run.local(wanted.opens_at)} to {run.local(wanted.lapses_at)}"
        return OrderAnswered(snapshot=snapshot(run), done=False, code="consent_out_of_time", message=message)
    if order.decision is ConsentDecision.GRANTED:
        await _grant(run, order)
    else:
        await _refuse(run, order, wanted)
    return OrderAnswered(snapshot=snapshot(run))


def grant_at_once(run: SubscriptionRun, wanted: ConsentNeed, order: ConsentAnswer) -> None:
    """Keep an act that is consent and order in one, as evidence with the next write."""
    withdraw(run)
    run.state.consent_need = wanted
    run.state.consent_asks += 1
    run.state.agree(ConsentState.ASKED)
    _keep_the_grant(run, order)


def _keep_the_grant(run: SubscriptionRun, order: ConsentAnswer) -> None:
    run.state.agree(ConsentState.GRANTED)
    run.keep_consent(_record(run, _evidence(order)))
    run.tell(EventType.CONSENT_GRANTED, "the buyer consented", telling.consent(run))


async def _ask(run: SubscriptionRun, wanted: ConsentNeed) -> None:
    run.state.consent_asks += 1
    run.state.agree(ConsentState.ASKED)
    run.keep_consent(_record(run, None))
    text = f"{wanted.amount_before} to {wanted.amount_after} from {run.local(wanted.effective_at)} needs consent"
    run.tell(EventType.CONSENT_REQUESTED, text, telling.consent(run))
    await run.write(text)


async def _grant(run: SubscriptionRun, order: ConsentAnswer) -> None:
    state = run.state
    if state.consent is ConsentState.REFUSED and state.cancel_at_period_end:
        # The buyer thought better of it: the end that the refusal had set is taken back.
        state.cancel_at_period_end, state.cancel_reason = False, None
        run.tell(EventType.SUBSCRIPTION_CANCEL_UNDONE, "the buyer consented after all", telling.subscription(run))
    _keep_the_grant(run, order)
    await run.write("the buyer consented")


async def _refuse(run: SubscriptionRun, order: ConsentAnswer, wanted: ConsentNeed) -> None:
    outcome = without_consent(asking_plan(run), wanted)
    run.state.agree(ConsentState.REFUSED)
    run.keep_consent(_record(run, _evidence(order)))
    run.tell(EventType.CONSENT_REFUSED, "the buyer refused", telling.consent(run, _told(outcome)))
    if outcome is OnNoConsent.HOLD_PRICE:
        await _hold_the_price(run, "the buyer refused")
    elif run.state.paused_at is not None:
        # It stays paused: the buyer may think better of it until the day on which it would have gone on.
        await run.write("the buyer refused")
    else:
        await _end_with_the_period(run, "the buyer refused")


async def _lapse(run: SubscriptionRun, wanted: ConsentNeed) -> None:
    """The day is here, and nobody has agreed: silence is no consent, and a refusal stays one."""
    state, outcome, why = run.state, without_consent(asking_plan(run), wanted), "the buyer refused"
    if state.consent is not ConsentState.REFUSED:
        why = "no consent came in time"
        state.agree(ConsentState.LAPSED)
        run.keep_consent(_record(run, None))
        run.tell(EventType.CONSENT_LAPSED, why, telling.consent(run, _told(outcome)))
    if outcome is OnNoConsent.HOLD_PRICE:
        await _hold_the_price(run, why)
        return
    await ending.cancel(run, why)


async def _end_with_the_period(run: SubscriptionRun, why: str) -> None:
    """What is paid for may be used up; the buyer may think better of it until then."""
    run.state.cancel_at_period_end, run.state.cancel_reason = True, why
    run.tell(EventType.SUBSCRIPTION_CANCEL_SCHEDULED, f"will end: {why}", telling.subscription(run, why))
    await run.write(f"will end with its period: {why}")


async def _hold_the_price(run: SubscriptionRun, why: str) -> None:
    """Go on with what the running period is paid for: the price that was agreed to, its coupon included."""
    state, held = run.state, run.state.paid_by
    assert held is not None  # noqa: S101 - there is a price to hold, so a period was paid for
    if state.pending_change is not None:
        void_the_change(run, why)
    back = PendingChange(held.terms, held.quantity, state.coupon)
    if held.coupon is not None:
        back = replace(back, coupon=replace(held.coupon, duration=CouponDuration.FOREVER, duration_cycles=None))
    if (back.plan, back.quantity) != (run.plan, state.quantity):
        # A change whose price is only due from now on had been made at once: it goes back.
        run.tell(
            EventType.PLAN_CHANGE_APPLIED,
            f"back to {back.plan.name} × {back.quantity}: {why}",
            telling.change(run, back, "none", reason=why),
        )
    run.take_over(back, coupon_used=False)
    withdraw(run)
    state.plans_again = why
    await run.write(f"the price stays: {why}")


def _evidence(order: ConsentAnswer) -> ConsentEvidence:
    return ConsentEvidence(
        shown=order.shown,
        decision=order.decision,
        by=order.by,
        at=workflow.now(),
        locale=order.locale,
        ip=order.ip,
        user_agent=order.user_agent,
    )


def _record(run: SubscriptionRun, evidence: ConsentEvidence | None) -> ConsentRecord:
    wanted = run.state.consent_need
    assert wanted is not None  # noqa: S101 - a consent that is kept was needed
    return ConsentRecord(
        consent_id=run.consent_id,
        subscription_id=run.start.subscription_id,
        customer_uid=run.start.customer_uid,
        state=run.state.consent,
        need=wanted,
        evidence=evidence,
        at=workflow.now(),
    )


def _told(outcome: OnNoConsent) -> str:
    return "canceled" if outcome is OnNoConsent.END else "old_price"
