"""What a person did to the open charge in PortOne's console: moved it, ran it before its day, deleted its key."""

from datetime import datetime, timedelta

from billing.domain.events import EventType
from billing.domain.facts import ScheduleFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import payloads, scheduling
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.schedule import ChargedBy
from billing.domain.subscription.state import SubscriptionState
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Verdict

APART = timedelta(seconds=90)
"""Two instants closer than this are the same one: a schedule is registered up to a minute later than it is due."""

_IN_GOOD_STANDING = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING})


_ANEW = frozenset({CycleState.PLANNED, CycleState.REVOKED, CycleState.DECLINED, CycleState.NOT_EXECUTED})
_WAITING = frozenset({CycleState.REGISTERED, CycleState.DUE, CycleState.VERIFYING, CycleState.UNKNOWN})


def follow_the_schedule(
    subscription: Subscription, recording: Recording, now: datetime, row: ScheduleFact | None
) -> bool:
    """Charge when PortOne will, if its schedule stands at another time than planned; whether it did.

    A charge that was taken back and stands again is followed too: nobody needs to decide any more.
    """
    state = subscription.state
    if row is None or row.status != "scheduled" or not _is_as_ordered(subscription, row):
        return False
    if state.period.state not in _ANEW | _WAITING:
        return False
    stands_again = state.period.state in _ANEW or not state.schedule.stands
    moved = abs(row.schedule_at - state.period.due_at) > APART
    if not (stands_again or moved):
        return False
    _walk_to_where_it_stands(state)
    state.period.is_tried_next(row.schedule_at)
    state.period.unpark()
    state.schedule.is_followed(subscription.terms.next_charged_by())
    state.arrears.an_attempt_is_planned()
    when = subscription.terms.local(row.schedule_at)
    text = f"period {state.period.cycle} will be charged {when}, as PortOne's console has it"
    recording.emit(
        EventType.CHARGE_MOVED_ELSEWHERE, text, payloads.charge(subscription, state.period.state, None, text), now
    )
    recording.write(text, now)
    return True


def _walk_to_where_it_stands(state: SubscriptionState) -> None:
    if state.period.state is CycleState.UNKNOWN:
        state.period.move(CycleState.DUE)
        return
    if state.period.state is CycleState.DUE:
        state.period.move(CycleState.VERIFYING)
    elif state.period.state in _ANEW:
        state.period.move(CycleState.REGISTERING)
    state.period.move(CycleState.REGISTERED)


def _is_as_ordered(subscription: Subscription, row: ScheduleFact) -> bool:
    return subscription.terms.charging and (row.amount, row.customer_uid) == (
        subscription.terms.bill().amount,
        subscription.terms.customer_uid,
    )


def ran_before_its_day(subscription: Subscription, now: datetime) -> bool:
    """Whether the first attempt of a period was made while the period before it still runs."""
    state = subscription.state
    early = now < state.period.due_at - APART and not state.arrears.failed_attempts
    return early and state.status in _IN_GOOD_STANDING


def note_the_early_decline(subscription: Subscription, recording: Recording, now: datetime, verdict: Verdict) -> None:
    """The charge was run before its day and declined: nothing is due yet, and it is tried again on its day."""
    state, payment = subscription.state, verdict.payment
    state.period.move(CycleState.DECLINED)
    state.schedule.stands_no_more()
    state.period.declined()
    state.period.count_failures([payment.imp_uid] if payment is not None else [])
    state.period.failed(verdict.reason or "declined", "charge_declined")
    result = subscription.result(CycleState.DECLINED, payment, now, verdict.reason)
    recording.emit(
        EventType.CHARGE_DECLINED,
        f"period {state.period.cycle} was charged before its day, and declined; it is tried again on its day",
        payloads.charge(subscription, CycleState.DECLINED, payment, verdict.reason),
        now,
    )
    another_number = not subscription.terms.number_is_reusable()
    if another_number:
        state.take_next_number()
    recording.write(
        f"period {state.period.cycle} was declined before its day",
        now,
        results=[result],
        payments=[payment] if payment else [],
        intents=[subscription.intent()] if another_number else [],
    )
    if state.schedule.charged_by is ChargedBy.RESCHEDULE:
        scheduling.begin(subscription, anew=True)
