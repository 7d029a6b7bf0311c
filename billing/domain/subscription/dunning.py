"""After a decline: where the retries of one period stand, all under its one order number, and how they end."""

from datetime import datetime, timedelta

from billing.domain.attempt import PENDING_LOOK, PENDING_LOOK_LATER
from billing.domain.declines import DeclineClass, classify
from billing.domain.dunning import EndAction
from billing.domain.events import EventType
from billing.domain.states import CycleState, DunningState, SubscriptionStatus
from billing.domain.subscription import payloads
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.schedule import ChargedBy
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict


def note_the_decline(subscription: Subscription, verdict: Verdict, failed_at: datetime, *, by_hand: bool) -> None:
    """Count a decline of the current order number; an attempt made `by_hand` does not spend the budget of retries."""
    state, payment = subscription.state, verdict.payment
    state.period.move(CycleState.DECLINED)
    state.schedule.stands_no_more()
    state.period.unpark()
    state.period.declined()
    hard = classify(state.method.pg_provider, verdict.reason) is DeclineClass.HARD
    state.arrears.count(failed_at, hard=hard, spends=not by_hand)
    state.period.failed(verdict.reason or "declined", "charge_declined")
    state.period.count_failures([payment.imp_uid] if payment is not None else [])


def note_where_it_stands(subscription: Subscription, next_at: datetime | None) -> None:
    """Note whether an attempt is to come; that access ends is noted when it is announced."""
    policy, state = subscription.start.policy.dunning, subscription.state
    if policy is None:
        return
    if state.arrears.end_action_taken:
        state.arrears.walk_to(DunningState.ENDED if next_at is None else DunningState.SUSPENDED)
    elif state.arrears.state is not DunningState.SUSPENDED:
        state.arrears.walk_to(DunningState.GRACE if next_at is None else DunningState.RETRYING)


def failed_at(subscription: Subscription, now: datetime, verdict: Verdict) -> datetime:
    """When PortOne says it failed; its clock decides when it accepts the next attempt, so it is not before ours.

    In whole seconds, as PortOne books: what is told of the next attempt is the instant at which it stands there.
    """
    at = verdict.payment.failed_at if verdict.payment else None
    return max(at or subscription.state.period.due_at, now.replace(microsecond=0))


def emit_decline(
    subscription: Subscription, recording: Recording, now: datetime, was: SubscriptionStatus, verdict: Verdict
) -> None:
    """Emit that an attempt was declined, and that a period is owed where that is new."""
    state = subscription.state
    if was is not SubscriptionStatus.PAST_DUE and state.status is SubscriptionStatus.PAST_DUE:
        recording.emit(
            EventType.SUBSCRIPTION_PAST_DUE, "a period is due and not paid", payloads.subscription(subscription), now
        )
    recording.emit(
        EventType.CHARGE_DECLINED,
        f"attempt {state.arrears.failed_attempts} of period {state.period.cycle} was declined: "
        f"{state.period.last_failure}",
        payloads.charge(subscription, CycleState.DECLINED, verdict.payment, verdict.reason),
        now,
    )


def ends_at(subscription: Subscription, now: datetime) -> datetime | None:
    """When the end action is due; None where it was taken, or where an attempt is still to come."""
    policy, state = subscription.start.policy.dunning, subscription.state
    if not state.arrears.retries_over or state.arrears.end_action_taken:
        return None
    if policy is None or state.arrears.first_failed_at is None:
        return now
    return policy.ends_at(state.arrears.first_failed_at)


def is_over(subscription: Subscription, now: datetime) -> bool:
    """Whether the end action is due."""
    over_at = ends_at(subscription, now)
    return over_at is not None and now >= over_at


def act(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Every attempt is used up: cancel, close access and keep the key, or leave it as it is."""
    state, policy = subscription.state, subscription.start.policy.dunning
    reason = f"every retry was declined: {state.period.last_failure}"
    end_action = EndAction.CANCEL if policy is None else policy.end_action
    if end_action is EndAction.LEAVE and state.arrears.state is not DunningState.SUSPENDED:
        # The grace ends at this very moment, and no other event will say that access does.
        state.arrears.walk_to(DunningState.SUSPENDED)
        recording.emit(
            EventType.SUBSCRIPTION_SUSPENDED, "the grace has ended", payloads.subscription(subscription, reason), now
        )
    state.arrears.take_end_action()
    if policy is not None:
        state.arrears.walk_to(DunningState.ENDED)
    match end_action:
        case EndAction.CANCEL:
            state.end(SubscriptionStatus.CANCELED, now, reason)
            recording.emit(EventType.SUBSCRIPTION_CANCELED, reason, payloads.subscription(subscription), now)
        case EndAction.UNPAID:
            state.become(SubscriptionStatus.UNPAID)
            recording.emit(EventType.SUBSCRIPTION_UNPAID, reason, payloads.subscription(subscription, reason), now)
        case EndAction.LEAVE:
            pass


def as_declined(verdict: Verdict) -> Verdict:
    """Proven not to have run, for hours: the attempt is used up, the ladder goes on."""
    return Verdict(Finding.DECLINED, None, verdict.reason) if verdict.finding is Finding.ABSENT else verdict


def looks_or_ends_at(subscription: Subscription, now: datetime) -> datetime | None:
    """When the policy's time is over, and not before PortOne has finished what it calls unfinished."""
    over_at, looks_at = ends_at(subscription, now), subscription.state.period.unfinished_look_at
    return max(over_at, looks_at) if over_at is not None and looks_at is not None else over_at or looks_at


def charges_itself(subscription: Subscription) -> bool:
    """Whether the next attempt is ours to send: PortOne cannot, or would not, book it."""
    return subscription.state.schedule.charged_by is ChargedBy.AGAIN and not subscription.state.schedule.stands


def charges_at(subscription: Subscription) -> datetime:
    """The day of the next attempt, and not before PortOne has finished what it calls unfinished."""
    return max(
        subscription.state.period.due_at,
        subscription.state.period.unfinished_look_at or subscription.state.period.due_at,
    )


def look_when_it_may_be_finished(subscription: Subscription, now: datetime) -> None:
    """PortOne has not finished an earlier payment of this number: it may still be approved.

    So nothing ends, and the number is not sent again, before it has; what it has not finished for days stands parked.
    """
    late = now >= subscription.state.period.due_at + timedelta(hours=12)
    subscription.state.period.look_when_finished(now + (PENDING_LOOK_LATER if late else PENDING_LOOK))


def write_the_last_decline(subscription: Subscription, recording: Recording, now: datetime, verdict: Verdict) -> None:
    """The charge that an end met was declined: written down, and nothing follows."""
    state, payment = subscription.state, verdict.payment
    state.period.move(CycleState.DECLINED)
    state.schedule.stands_no_more()
    state.period.failed(verdict.reason)
    state.period.count_failures()
    result = subscription.result(CycleState.DECLINED, payment, now, verdict.reason)
    told = payloads.charge(subscription, CycleState.DECLINED, payment, verdict.reason)
    recording.emit(EventType.CHARGE_DECLINED, "the last charge was declined", told, now)
    recording.write("the last charge was declined", now, results=[result], payments=[payment] if payment else [])
