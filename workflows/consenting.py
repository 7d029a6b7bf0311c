"""The consent gate: nothing is registered at PortOne before the buyer has agreed, because a schedule charges by itself.

Asked inside the 30 days before a trial becomes paid or a charge rises, and granted only by an explicit act
(E-Commerce Act art. 13(6); anchors/billing.md section 4). Plans that do not need it never come here.
"""

from dataclasses import replace

from temporalio import workflow

from billing.domain.consent import ConsentDecision, ConsentEvidence, ConsentNeed, need_for, without_consent
from billing.domain.coupons import CouponDuration
from billing.domain.events import EventType
from billing.domain.money import Money
from billing.domain.plans import OnNoConsent
from billing.domain.records import ConsentRecord
from billing.domain.states import ConsentState, CycleState, SubscriptionStatus
from workflows import arbiter, telling
from workflows.bells import answer_stale_bells
from workflows.orders import AnswerConsent, OrderAnswered
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun

NO_CARD = "a payment method that is not known yet"


def need(run: SubscriptionRun) -> ConsentNeed | None:
    """What the buyer must agree to before the open period may be charged; None when nothing must."""
    state, holding = run.state, run.holding()
    before = state.last_paid
    if state.status is SubscriptionStatus.TRIALING:
        before = Money(0, holding.terms.price.currency)
    return need_for(holding.terms, before, holding.value(), state.due_at, state.card or NO_CARD)


def needs(run: SubscriptionRun) -> bool:
    """Whether the gate is closed: consent is needed, and not granted to exactly this.

    A period that was tried has passed the gate: its retries move the day, and another card is the buyer's own choice.
    """
    wanted = need(run)
    if wanted is None or run.state.failed_attempts:
        return False
    return not (run.state.consent is ConsentState.GRANTED and run.state.consent_need == wanted)


async def gate(run: SubscriptionRun) -> None:
    """Stand before the gate: wait for its window, ask, and wait for the answer or the day itself."""
    state, wanted = run.state, need(run)
    if wanted is None:
        return
    if state.consent_need != wanted:
        _begin_anew(run, wanted)
    if state.cycle_state is not CycleState.GATED:
        state.move(CycleState.GATED)
        await run.write(f"period {state.cycle} waits for the buyer's consent")
    now = workflow.now()
    if state.consent is ConsentState.WINDOW_CLOSED and now < wanted.opens_at:
        await run.hear(wanted.opens_at, f"until the buyer may be asked, {run.local(wanted.opens_at)}")
        await answer_stale_bells(run)
    elif state.consent is ConsentState.WINDOW_CLOSED and now < wanted.lapses_at:
        await _ask(run, wanted)
    elif now >= wanted.lapses_at:
        await _lapse(run, wanted)
    elif state.consent is ConsentState.REFUSED and state.cancel_at_period_end:
        return
    else:
        await run.hear(wanted.lapses_at, f"until the buyer consents, or {run.local(wanted.lapses_at)}")
        await answer_stale_bells(run)


async def answer(run: SubscriptionRun, order: AnswerConsent) -> OrderAnswered:
    """Note an explicit answer with what was shown; a refusal ends the subscription or holds the price, by the plan."""
    state, wanted = run.state, need(run)
    if wanted is None or state.consent_need != wanted:
        message = "what was asked for has changed meanwhile; it is asked anew"
        return OrderAnswered(snapshot=snapshot(run), done=False, code="consent_outdated", message=message)
    at = workflow.now()
    if not wanted.in_window(at):
        message = f"an answer counts from {run.local(wanted.opens_at)} to {run.local(wanted.lapses_at)}"
        return OrderAnswered(snapshot=snapshot(run), done=False, code="consent_out_of_time", message=message)
    evidence = ConsentEvidence(
        shown=order.shown,
        decision=order.decision,
        by=order.by,
        at=at,
        locale=order.locale,
        ip=order.ip,
        user_agent=order.user_agent,
    )
    if state.consent is ConsentState.REFUSED and order.decision is ConsentDecision.GRANTED:
        # The buyer thought better of it: what the refusal set is taken back.
        state.cancel_at_period_end = False
    state.agree(ConsentState(order.decision.value))
    run.keep_consent(_record(run, wanted, evidence))
    if state.consent is ConsentState.GRANTED:
        run.tell(EventType.CONSENT_GRANTED, "the buyer consented", telling.consent(run))
        await run.write("the buyer consented")
        return OrderAnswered(snapshot=snapshot(run))
    outcome = without_consent(run.plan, wanted)
    run.tell(EventType.CONSENT_REFUSED, "the buyer refused", telling.consent(run, _outcome(outcome)))
    await run.write("the buyer refused")
    await _go_on_without(run, outcome, "the buyer refused")
    return OrderAnswered(snapshot=snapshot(run))


def _begin_anew(run: SubscriptionRun, wanted: ConsentNeed) -> None:
    if run.state.consent is not ConsentState.WINDOW_CLOSED:
        run.state.agree(ConsentState.WINDOW_CLOSED)
    run.state.consent_need = wanted


async def _ask(run: SubscriptionRun, wanted: ConsentNeed) -> None:
    run.state.agree(ConsentState.ASKED)
    text = f"{wanted.amount_before} to {wanted.amount_after} from {run.local(wanted.effective_at)} needs consent"
    run.tell(EventType.CONSENT_REQUESTED, text, telling.consent(run))
    await run.write(text)


async def _lapse(run: SubscriptionRun, wanted: ConsentNeed) -> None:
    if run.state.consent is not ConsentState.REFUSED:
        run.state.agree(ConsentState.LAPSED)
    outcome = without_consent(run.plan, wanted)
    run.keep_consent(_record(run, wanted, None))
    run.tell(EventType.CONSENT_LAPSED, "no consent came in time", telling.consent(run, _outcome(outcome)))
    await run.write("no consent came in time")
    await _go_on_without(run, outcome, "no consent came in time")


async def _go_on_without(run: SubscriptionRun, outcome: OnNoConsent, why: str) -> None:
    """End with the period that is paid for, or go on at the price that was agreed to."""
    state = run.state
    if outcome is OnNoConsent.END:
        state.cancel_at_period_end = True
        run.close_number(CycleState.SKIPPED, why)
        run.tell(EventType.SUBSCRIPTION_CANCEL_SCHEDULED, f"will end: {why}", telling.subscription(run, why))
        await run.write(f"will end with its period: {why}")
        return
    if state.pending_change is not None:
        run.tell(
            EventType.PLAN_CHANGE_CANCELED, why, telling.change(run, state.pending_change, "next_period", reason=why)
        )
        state.pending_change = None
    elif state.coupon is not None:
        # The rise is the end of the coupon: the price that was agreed to is held by letting it go on.
        state.coupon = replace(state.coupon, duration=CouponDuration.FOREVER, duration_cycles=None)
    await arbiter.plan_again(run, why)


def _outcome(outcome: OnNoConsent) -> str:
    return "canceled" if outcome is OnNoConsent.END else "old_price"


def _record(run: SubscriptionRun, wanted: ConsentNeed, evidence: ConsentEvidence | None) -> ConsentRecord:
    return ConsentRecord(
        consent_id=f"{run.start.subscription_id}-{run.state.cycle}",
        subscription_id=run.start.subscription_id,
        customer_uid=run.start.customer_uid,
        state=run.state.consent,
        need=wanted,
        evidence=evidence,
        at=workflow.now(),
    )
