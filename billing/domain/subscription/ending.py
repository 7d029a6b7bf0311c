"""The ways in which a subscription is over, or a start has come to nothing: written at once."""

from datetime import datetime, timedelta

from billing.domain.events import EventType
from billing.domain.instants import AT_ONCE
from billing.domain.outcomes import CARD_GONE
from billing.domain.plans import TrialEnd
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import pausing, payloads
from billing.domain.subscription.opening import OpeningStep
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict

GIVES_UP_AFTER = timedelta(days=1)
"""How long an ended subscription asks what is left on its key; then the reconciliation is who finds it."""

_NOT_YET_CHARGED = frozenset({CycleState.PLANNED, CycleState.GATED, CycleState.REGISTERING, CycleState.DUE})


def cancel(subscription: Subscription, recording: Recording, now: datetime, reason: str) -> None:
    """Be canceled from this moment on; a number that never left here is let go."""
    state = subscription.state
    if state.cancel.open_order is not None and state.schedule.look_at is None:
        # PortOne had not finished a payment of it: what it comes to is found out after the end.
        state.schedule.look(now)
    if state.status is SubscriptionStatus.INCOMPLETE:
        give_up(subscription, recording, now, reason)
        return
    if state.period.state in _NOT_YET_CHARGED and not state.period.sends:
        recording.close_order(CycleState.SKIPPED, reason, now)
    state.end(SubscriptionStatus.CANCELED, now, reason)
    recording.emit(EventType.SUBSCRIPTION_CANCELED, f"canceled: {reason}", payloads.subscription(subscription), now)
    recording.write("canceled", now)


def expire(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Every period of the term was paid for and is over: there is nothing to go on with."""
    subscription.state.end(SubscriptionStatus.EXPIRED, now, "the fixed term is done")
    recording.emit(EventType.SUBSCRIPTION_EXPIRED, "the fixed term is done", payloads.subscription(subscription), now)
    recording.write("the fixed term is done", now)


def end_without_a_card(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Pause, or end, as the plan says: a period is due, after a trial or a free one, and there is nothing to charge."""
    trial = subscription.state.status is SubscriptionStatus.TRIALING
    reason = "the trial ended without a payment method" if trial else "there is no payment method for the next period"
    recording.close_order(CycleState.SKIPPED, "no payment method", now)
    subscription.state.period.close_order()
    if subscription.terms.plan.trial_end_without_card is TrialEnd.PAUSE:
        pausing.begin(subscription, recording, now, reason)
        return
    subscription.state.end(SubscriptionStatus.CANCELED, now, reason)
    recording.emit(EventType.SUBSCRIPTION_CANCELED, reason, payloads.subscription(subscription), now)
    recording.write(reason, now)


def start_failed(subscription: Subscription, recording: Recording, now: datetime, code: str, reason: str) -> None:
    """The start has failed before anything was charged: told with a stable code, and the reason."""
    subscription.state.opening.go_to(OpeningStep.OVER)
    subscription.state.period.failed(reason, code)
    subscription.state.period.move(CycleState.SKIPPED)
    _fail(subscription, recording, now, reason)
    summary = "the card is gone" if code == CARD_GONE else "the card was not accepted"
    recording.write(summary, now, results=[subscription.result(CycleState.SKIPPED, None, now, reason)])


def first_charge_failed(subscription: Subscription, recording: Recording, now: datetime, verdict: Verdict) -> None:
    """The first charge was not paid: written and told at once; the key that was issued for it is deleted after that."""
    state, payment, reason = subscription.state, verdict.own_payment, verdict.reason or verdict.finding.value
    if verdict.finding is Finding.MISMATCH:
        # Money that is not as ordered pays for nothing: its order is looked up after the end, and it goes back.
        state.period.move(CycleState.MISMATCH)
        state.schedule.look(now)
    elif verdict.finding is Finding.DECLINED:
        state.period.move(CycleState.DECLINED)
        state.arrears.first_charge_declined()
    else:
        state.period.move(CycleState.NOT_EXECUTED)
    state.period.failed(reason, f"charge_{state.period.state.value}")
    if subscription.start.vault_handle is not None and verdict.finding is not Finding.MISMATCH:
        state.forget_key(subscription.start.customer_uid)
    recording.emit(
        EventType.CHARGE_DECLINED,
        f"the first charge was not paid: {reason}",
        payloads.charge(subscription, state.period.state, payment, reason),
        now,
    )
    _fail(subscription, recording, now, reason)
    recording.write(
        "the first charge was not paid",
        now,
        results=[subscription.result(state.period.state, payment, now, reason)],
        payments=verdict.rows,
        billing_key=state.method.issued,
    )


def give_up(subscription: Subscription, recording: Recording, now: datetime, reason: str) -> None:
    """A start that was canceled before it began: what it has issued is deleted, and a charge in doubt given back."""
    state = subscription.state
    if (
        subscription.start.vault_handle is not None
        and state.in_flight.charge is None
        and state.opening.step is not OpeningStep.CARD
    ):
        # Before it was looked for, a key under this name is somebody else's.
        state.forget_key(subscription.start.customer_uid)
    if state.period.state in (CycleState.PLANNED, CycleState.REGISTERING):
        state.period.move(CycleState.SKIPPED)
        recording.close_order(CycleState.SKIPPED, reason, now)
    state.period.failed(reason, "canceled")
    _fail(subscription, recording, now, reason)
    recording.write("canceled before it began", now)


def _fail(subscription: Subscription, recording: Recording, now: datetime, reason: str) -> None:
    subscription.state.opening.go_to(OpeningStep.OVER)
    subscription.state.end(SubscriptionStatus.INCOMPLETE_EXPIRED, now, reason)
    recording.emit(
        EventType.SUBSCRIPTION_START_FAILED,
        f"did not begin: {reason}",
        payloads.subscription(subscription, reason),
        now,
    )


def asks_what_is_left(subscription: Subscription) -> bool:
    """Whether the key of an ended subscription is still there, and has not been asked about since it ended."""
    state = subscription.state
    if state.ended_at is None or not state.method.is_there or state.after_end.standing is not None:
        return False
    # A card whose start failed has no key any more; a key that was there before has.
    begun = state.status is not SubscriptionStatus.INCOMPLETE_EXPIRED
    return begun or (subscription.start.vault_handle is None and state.method.pg_provider is not None)


def is_late(subscription: Subscription, now: datetime) -> bool:
    """Whether it ended so long ago that it asks no more: the reconciliation is who finds what is left."""
    ended_at = subscription.state.ended_at
    return ended_at is not None and now >= ended_at + GIVES_UP_AFTER


def is_tidying(subscription: Subscription, now: datetime) -> bool:
    """Whether an ended subscription still has something to do or to wait for."""
    state = subscription.state
    if state.in_flight.charge is not None or state.refunds.under_way or state.in_flight.calls or state.keys_are_left:
        return True
    return state.schedule.look_at is not None or (asks_what_is_left(subscription) and not is_late(subscription, now))


def tidies_at(subscription: Subscription) -> datetime | None:
    """When an ended subscription does something by itself; None where it only waits for what is on its way."""
    if subscription.state.schedule.look_at is not None or asks_what_is_left(subscription):
        return subscription.state.after_end.at or AT_ONCE
    return None


def why_it_waits(subscription: Subscription) -> str:
    """Until when a subscription waits that is not charged again, in words."""
    ends_at = subscription.state.periods.end
    return f"until the last period ends, {subscription.terms.local(ends_at)}" if ends_at is not None else ""
