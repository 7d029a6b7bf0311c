"""What a person did to the open charge in PortOne's console: moved it, ran it before its day, deleted its key."""

from datetime import timedelta

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.facts import ScheduleFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.records import Booking
from billing.domain.subscription.state import SubscriptionState
from billing.domain.verdict import Verdict
from workflows import portone, scheduling, telling
from workflows.subscription_run import SubscriptionRun

APART = timedelta(seconds=90)
"""Two instants closer than this are the same one: a schedule is registered up to a minute later than it is due."""

_IN_GOOD_STANDING = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING})


_ANEW = frozenset({CycleState.PLANNED, CycleState.REVOKED, CycleState.DECLINED, CycleState.NOT_EXECUTED})
_WAITING = frozenset({CycleState.REGISTERED, CycleState.DUE, CycleState.VERIFYING, CycleState.UNKNOWN})


async def follow_the_schedule(run: SubscriptionRun, row: ScheduleFact | None) -> bool:
    """Charge when PortOne will, if its schedule stands at another time than planned; whether it did.

    A charge that was taken back and stands again is followed too: nobody needs to decide any more.
    """
    state = run.state
    if row is None or row.status != "scheduled" or not _is_as_ordered(run, row):
        return False
    if state.cycle_state not in _ANEW | _WAITING:
        return False
    stands_again = state.cycle_state in _ANEW or not state.booked
    moved = abs(row.schedule_at - state.due_at) > APART
    if not (stands_again or moved):
        return False
    _walk_to_where_it_stands(state)
    state.due_at, state.looks = row.schedule_at, 0
    state.booked, state.retries_over, state.parked_reason = True, False, None
    state.booking = Booking.RESCHEDULE if scheduling.can_reschedule(run) else Booking.AGAIN
    text = f"period {state.cycle} will be charged {run.local(row.schedule_at)}, as PortOne's console has it"
    run.tell(EventType.CHARGE_MOVED_ELSEWHERE, text, telling.charge(run, state.cycle_state, None, text))
    await run.write(text)
    return True


def _walk_to_where_it_stands(state: SubscriptionState) -> None:
    if state.cycle_state is CycleState.UNKNOWN:
        state.move(CycleState.DUE)
        return
    if state.cycle_state is CycleState.DUE:
        state.move(CycleState.VERIFYING)
    elif state.cycle_state in _ANEW:
        state.move(CycleState.REGISTERING)
    state.move(CycleState.REGISTERED)


def _is_as_ordered(run: SubscriptionRun, row: ScheduleFact) -> bool:
    return run.charging and (row.amount, row.customer_uid) == (run.bill().amount, run.customer_uid)


def ran_before_its_day(run: SubscriptionRun) -> bool:
    """Whether the first attempt of a period was made while the period before it still runs."""
    state = run.state
    early = workflow.now() < state.due_at - APART and not state.failed_attempts
    return early and state.status in _IN_GOOD_STANDING


async def note_the_early_decline(run: SubscriptionRun, verdict: Verdict) -> None:
    """The charge was run before its day and declined: nothing is due yet, and it is tried again on its day."""
    state, payment = run.state, verdict.payment
    state.move(CycleState.DECLINED)
    state.booked, state.number_declined = False, True
    failed = run.failures_seen | ({payment.imp_uid} if payment is not None else set())
    state.known_failures = sorted({*state.known_failures, *failed})
    run.failures_seen = set()
    state.last_failure, state.last_failure_code = verdict.reason or "declined", "charge_declined"
    result = run.result(CycleState.DECLINED, payment, verdict.reason)
    run.tell(
        EventType.CHARGE_DECLINED,
        f"period {state.cycle} was charged before its day, and declined; it is tried again on its day",
        telling.charge(run, CycleState.DECLINED, payment, verdict.reason),
    )
    another_number = not scheduling.number_is_reusable(run)
    if another_number:
        state.next_generation()
    await run.write(
        f"period {state.cycle} was declined before its day",
        results=[result],
        payments=[payment] if payment else [],
        intents=[run.intent()] if another_number else [],
    )
    if state.booking is Booking.RESCHEDULE:
        scheduling.begin(run, anew=True)


async def check_the_key(run: SubscriptionRun) -> None:
    """Ask whether the billing key still exists; that it is gone is announced once."""
    state = run.state
    if state.ended_at is not None or not state.has_card or state.key_missing == run.customer_uid:
        return
    if await portone.find_key(run.customer_uid) is not None:
        return
    state.key_missing = run.customer_uid
    reason = f"PortOne has no billing key {run.customer_uid!r} any more, and it was not deleted here"
    run.tell(
        EventType.PAYMENT_METHOD_DELETED_ELSEWHERE,
        "the billing key was deleted in PortOne's console",
        telling.payment_method(run, reason=reason),
    )
    await run.write("the billing key is gone at PortOne", deleted_billing_key=run.customer_uid)
