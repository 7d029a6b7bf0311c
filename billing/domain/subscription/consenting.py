"""The consent gate: nothing is registered at PortOne before the buyer has agreed, because a schedule charges by itself.

Asked inside the 30 days before a trial becomes paid or a charge rises, and granted only by an explicit act
(E-Commerce Act art. 13(6); anchors/billing.md section 4). Plans that do not need it never come here.
"""

from dataclasses import replace
from datetime import datetime

from billing.domain.consent import ConsentDecision, ConsentEvidence, ConsentNeed, without_consent
from billing.domain.coupons import CouponDuration
from billing.domain.events import EventType
from billing.domain.instants import AT_ONCE
from billing.domain.plans import OnNoConsent
from billing.domain.records import ConsentRecord, PendingChange
from billing.domain.states import ConsentState, CycleState, SubscriptionStatus
from billing.domain.subscription import ending, payloads, pending_change
from billing.domain.subscription.answers import OrderAnswered
from billing.domain.subscription.consent_answer import ConsentAnswer
from billing.domain.subscription.consent_need import asking_plan, need
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription

IN_ARREARS = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})


def is_void(subscription: Subscription) -> bool:
    """Whether a question stands that nothing asks for any more: the higher charge was taken back."""
    state = subscription.state
    return (
        state.consent.state is not ConsentState.NOT_NEEDED
        and state.status not in IN_ARREARS
        and need(subscription) is None
    )


def forget(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Take the question back; what was answered to it stays in the ledger."""
    subscription.state.consent.withdraw()
    recording.write("no consent is needed any more", now)


def gate(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Stand before the gate: ask when its window opens, and let the day itself be the last of it."""
    state, wanted = subscription.state, need(subscription)
    assert wanted is not None  # noqa: S101 - whoever comes here needs consent
    if state.consent.need != wanted:
        state.consent.is_needed(wanted)
    if state.pause.since is None and state.period.state is not CycleState.GATED:
        state.period.move(CycleState.GATED)
        recording.write(f"period {state.period.cycle} waits for the buyer's consent", now)
    elif now >= wanted.lapses_at:
        _lapse(subscription, recording, now, wanted)
    elif state.consent.state is ConsentState.WINDOW_CLOSED and now >= wanted.opens_at:
        _ask(subscription, recording, now, wanted)


def gate_at(subscription: Subscription) -> datetime:
    """When the gate has something to do: at once where it does not stand yet, to ask, or when the day has come."""
    state, wanted = subscription.state, need(subscription)
    assert wanted is not None  # noqa: S101 - whoever comes here needs consent
    stands = state.pause.since is not None or state.period.state is CycleState.GATED
    if state.consent.need != wanted or not stands:
        return AT_ONCE
    return wanted.opens_at if state.consent.state is ConsentState.WINDOW_CLOSED else wanted.lapses_at


def gate_why(subscription: Subscription) -> str:
    """What is waited for before the gate, in words."""
    wanted = need(subscription)
    assert wanted is not None  # noqa: S101 - whoever comes here needs consent
    if subscription.state.consent.state is ConsentState.WINDOW_CLOSED:
        return f"until the buyer may be asked, {subscription.terms.local(wanted.opens_at)}"
    return f"until the buyer consents, or {subscription.terms.local(wanted.lapses_at)}"


def answer(subscription: Subscription, recording: Recording, now: datetime, order: ConsentAnswer) -> OrderAnswered:
    """Note an explicit answer with what was shown; a refusal ends the subscription or holds the price, by the plan."""
    state, wanted = subscription.state, need(subscription)
    if wanted is None or state.consent.need != wanted:
        message = "what was asked for has changed meanwhile; if consent is still needed, it is asked anew"
        return OrderAnswered(done=False, code="consent_outdated", message=message)
    if not wanted.in_window(now):
        local = subscription.terms.local
        message = f"an answer counts from {local(wanted.opens_at)} to {local(wanted.lapses_at)}"
        return OrderAnswered(done=False, code="consent_out_of_time", message=message)
    if order.decision is ConsentDecision.GRANTED:
        _grant(subscription, recording, now, order)
    else:
        _refuse(subscription, recording, now, order, wanted)
    return OrderAnswered()


def grant_at_once(
    subscription: Subscription, recording: Recording, now: datetime, wanted: ConsentNeed, order: ConsentAnswer
) -> None:
    """Keep an act that is consent and order in one, as evidence with the next write."""
    subscription.state.consent.ask_at_once(wanted)
    _keep_the_grant(subscription, recording, now, order)


def _keep_the_grant(subscription: Subscription, recording: Recording, now: datetime, order: ConsentAnswer) -> None:
    subscription.state.consent.walk_to(ConsentState.GRANTED)
    recording.keep_consent(_record(subscription, now, _evidence(order, now)))
    recording.emit(EventType.CONSENT_GRANTED, "the buyer consented", payloads.consent(subscription), now)


def _ask(subscription: Subscription, recording: Recording, now: datetime, wanted: ConsentNeed) -> None:
    subscription.state.consent.ask()
    recording.keep_consent(_record(subscription, now, None))
    since = subscription.terms.local(wanted.effective_at)
    text = f"{wanted.amount_before} to {wanted.amount_after} from {since} needs consent"
    recording.emit(EventType.CONSENT_REQUESTED, text, payloads.consent(subscription), now)
    recording.write(text, now)


def _grant(subscription: Subscription, recording: Recording, now: datetime, order: ConsentAnswer) -> None:
    state = subscription.state
    if state.consent.state is ConsentState.REFUSED and state.cancel.at_period_end:
        # The buyer thought better of it: the end that the refusal had set is taken back.
        state.cancel.is_taken_back()
        recording.emit(
            EventType.SUBSCRIPTION_CANCEL_UNDONE,
            "the buyer consented after all",
            payloads.subscription(subscription),
            now,
        )
    _keep_the_grant(subscription, recording, now, order)
    recording.write("the buyer consented", now)


def _refuse(
    subscription: Subscription, recording: Recording, now: datetime, order: ConsentAnswer, wanted: ConsentNeed
) -> None:
    outcome = without_consent(asking_plan(subscription), wanted)
    subscription.state.consent.walk_to(ConsentState.REFUSED)
    recording.keep_consent(_record(subscription, now, _evidence(order, now)))
    recording.emit(EventType.CONSENT_REFUSED, "the buyer refused", payloads.consent(subscription, _told(outcome)), now)
    if outcome is OnNoConsent.HOLD_PRICE:
        _hold_the_price(subscription, recording, now, "the buyer refused")
    elif subscription.state.pause.since is not None:
        # It stays paused: the buyer may think better of it until the day on which it would have gone on.
        recording.write("the buyer refused", now)
    else:
        _end_with_the_period(subscription, recording, now, "the buyer refused")


def _lapse(subscription: Subscription, recording: Recording, now: datetime, wanted: ConsentNeed) -> None:
    """The day is here, and nobody has agreed: silence is no consent, and a refusal stays one."""
    state, outcome, why = subscription.state, without_consent(asking_plan(subscription), wanted), "the buyer refused"
    if state.consent.state is not ConsentState.REFUSED:
        why = "no consent came in time"
        state.consent.walk_to(ConsentState.LAPSED)
        recording.keep_consent(_record(subscription, now, None))
        recording.emit(EventType.CONSENT_LAPSED, why, payloads.consent(subscription, _told(outcome)), now)
    if outcome is OnNoConsent.HOLD_PRICE:
        _hold_the_price(subscription, recording, now, why)
        return
    ending.cancel(subscription, recording, now, why)


def _end_with_the_period(subscription: Subscription, recording: Recording, now: datetime, why: str) -> None:
    """What is paid for may be used up; the buyer may think better of it until then."""
    subscription.state.cancel.comes_with_the_period(why)
    recording.emit(
        EventType.SUBSCRIPTION_CANCEL_SCHEDULED, f"will end: {why}", payloads.subscription(subscription, why), now
    )
    recording.write(f"will end with its period: {why}", now)


def _hold_the_price(subscription: Subscription, recording: Recording, now: datetime, why: str) -> None:
    """Go on with what the running period is paid for: the price that was agreed to, its coupon included."""
    state, held = subscription.state, subscription.state.paid.by
    assert held is not None  # noqa: S101 - there is a price to hold, so a period was paid for
    if state.items.pending is not None:
        pending_change.drop(subscription, recording, now, why)
    back = PendingChange(held.terms, held.quantity, state.items.coupon)
    if held.coupon is not None:
        back = replace(back, coupon=replace(held.coupon, duration=CouponDuration.FOREVER, duration_cycles=None))
    if (back.plan, back.quantity) != (subscription.terms.plan, state.items.quantity):
        # A change whose price is only due from now on had been made at once: it goes back.
        recording.emit(
            EventType.PLAN_CHANGE_APPLIED,
            f"back to {back.plan.name} × {back.quantity}: {why}",
            payloads.change(subscription, back, "none", reason=why),
            now,
        )
    subscription.become(back, coupon_used=False)
    subscription.state.consent.withdraw()
    state.period.plan_again(why)
    recording.write(f"the price stays: {why}", now)


def _evidence(order: ConsentAnswer, now: datetime) -> ConsentEvidence:
    return ConsentEvidence(
        shown=order.shown,
        decision=order.decision,
        by=order.by,
        at=now,
        locale=order.locale,
        ip=order.ip,
        user_agent=order.user_agent,
    )


def _record(subscription: Subscription, now: datetime, evidence: ConsentEvidence | None) -> ConsentRecord:
    wanted = subscription.state.consent.need
    assert wanted is not None  # noqa: S101 - a consent that is kept was needed
    return ConsentRecord(
        consent_id=subscription.terms.consent_id,
        subscription_id=subscription.start.subscription_id,
        customer_uid=subscription.start.customer_uid,
        state=subscription.state.consent.state,
        need=wanted,
        evidence=evidence,
        at=now,
    )


def _told(outcome: OnNoConsent) -> str:
    return "canceled" if outcome is OnNoConsent.END else "old_price"
