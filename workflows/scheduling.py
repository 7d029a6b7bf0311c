"""Registering the next attempt at PortOne, so that it stands there exactly once; one try a step, and nothing waits.

PortOne runs a registered schedule by itself: from here on the gateway is the arbiter. Any doubt about an answer is
closed by reading the row back before anything is sent again; a refusal after a try that was not answered is final only
when that try cannot be carried out any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow

from billing.domain import calls
from billing.domain.calls import CallKind
from billing.domain.facts import ScheduleFact
from billing.domain.outcomes import CARD_GONE, ScheduleOutcome
from billing.domain.pg_capabilities import capability, provider_of
from billing.domain.pg_capability import PgCapability
from billing.domain.records import ChargeResult
from billing.domain.states import CycleState
from billing.domain.subscription.records import Booking
from workflows import policies, portone
from workflows.contracts import RegisterSchedule, Reschedule, ScheduleAnswer
from workflows.subscription_run import SubscriptionRun

ALREADY_REGISTERED = ("이미 등록된 merchant_uid", "already registered")
"""PortOne's words for a number that is scheduled already (facts.md 1.3); after an unanswered call, it is ours."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What one try came to: it stands, it is refused for good with PortOne's words, or it is tried again later."""

    stands: bool = False
    refusal: str | None = None
    card_gone: bool = False


_LATER = Registration()
_STANDS = Registration(stands=True)


def opens_at(run: SubscriptionRun) -> datetime:
    """From when on the current cycle may be registered: PortOne lists schedules in three-month windows."""
    return run.state.due_at - timedelta(days=run.start.policy.schedule_horizon_days)


def within_horizon(run: SubscriptionRun) -> bool:
    """Whether the current cycle may be registered now."""
    return workflow.now() >= opens_at(run)


def can_reschedule(run: SubscriptionRun) -> bool:
    """Whether the PG behind the key supports `reschedule`; an unknown PG is taken to (facts.md 2.7)."""
    known = pg(run)
    return known is None or known.reschedule


def number_is_reusable(run: SubscriptionRun) -> bool:
    """Whether a declined order number may be tried again at this PG; Naver Pay's may not (facts.md 4.3)."""
    known = pg(run)
    return known is None or known.merchant_uid_reusable


def pg(run: SubscriptionRun) -> PgCapability | None:
    """What is known of the PG that holds the billing key; None where that is not known."""
    provider = run.state.pg_provider or provider_of(run.channel.pg)
    return capability(provider) if provider else None


# ---------------------------------------------------------------- registering


def begin(run: SubscriptionRun, *, anew: bool = False) -> None:
    """Let the open period be registered from now on; `anew` lets a failed or revoked schedule stand again."""
    state = run.state
    state.move(CycleState.REGISTERING)
    state.reschedules, state.registrations = anew, 0
    state.registers_at = None


def is_under_way(run: SubscriptionRun) -> bool:
    """Whether the open period is being registered and does not stand yet."""
    return run.state.cycle_state is CycleState.REGISTERING and not run.state.booked


async def go_on(run: SubscriptionRun) -> None:
    """One try to register the open period; where PortOne refuses for good, we charge it on its day."""
    tried = await try_once(run)
    if tried.stands:
        await tell_that_it_stands(run)
    elif tried.refusal is not None:
        await charge_ourselves(run, tried.refusal)


async def try_once(run: SubscriptionRun, vault_handle: str | None = None) -> Registration:
    """Register the open period once, and read it back in any doubt.

    With a `vault_handle` PortOne issues the billing key in the same call.
    """
    state, number = run.state, run.merchant_uid
    if calls.may_take_back(state.calls, number):
        # An earlier call to revoke it was not answered: done late, it would revoke what is registered now.
        state.registers_at = calls.last_end(state.calls, number)
        return _LATER
    tried_before = calls.may_charge(state.calls, number)
    if (tried_before or _is_tried_out(run)) and _is_found(run, await portone.find_schedule(number)):
        return _STANDS
    return _given_up(run) if _is_tried_out(run) else await _try(run, vault_handle, tried_before=tried_before)


async def _try(run: SubscriptionRun, vault_handle: str | None, *, tried_before: bool) -> Registration:
    answer = await _send(run, vault_handle)
    if answer.outcome is ScheduleOutcome.REGISTERED:
        _arrived(run, answered=True)
        _stands(run, answer.schedule)
        return _STANDS
    if _is_found(run, await portone.find_schedule(run.merchant_uid)):
        return _STANDS
    if answer.outcome is ScheduleOutcome.REFUSED:
        return _refused(run, answer, tried_before=tried_before)
    return _again_later(run, answer)


def _refused(run: SubscriptionRun, answer: ScheduleAnswer, *, tried_before: bool) -> Registration:
    state = run.state
    words = answer.message or answer.code or "PortOne refused the schedule"
    ours = tried_before or state.registrations > 0
    if ours and not state.reschedules and any(known in words for known in ALREADY_REGISTERED):
        # Only a call of ours has ever named this number, so it stands although the row is not shown yet.
        _arrived(run, answered=True)
        _stands(run, None)
        state.row_look_at = workflow.now() + policies.ROW_LOOKS[-1]
        return _STANDS
    if tried_before:
        # An earlier try may still be carried out: the refusal of this one proves nothing before it cannot be.
        state.registers_at = calls.last_end(state.calls, run.merchant_uid)
        return _LATER
    return Registration(refusal=words, card_gone=answer.code == CARD_GONE)


def _again_later(run: SubscriptionRun, answer: ScheduleAnswer) -> Registration:
    state = run.state
    state.last_failure = answer.message or state.last_failure
    state.registers_at = workflow.now() + _ladder(run)[state.registrations]
    state.registrations += 1
    return _LATER


def _given_up(run: SubscriptionRun) -> Registration:
    """It was tried often enough: once no try can be carried out any more, it is not registered."""
    state = run.state
    if calls.may_charge(state.calls, run.merchant_uid):
        state.registers_at = calls.last_end(state.calls, run.merchant_uid)
        return _LATER
    return Registration(refusal=state.last_failure or "PortOne did not register it")


def _ladder(run: SubscriptionRun) -> tuple[timedelta, ...]:
    return policies.RESCHEDULE_AGAIN_AFTER if run.state.reschedules else policies.REGISTER_AGAIN_AFTER


def _is_tried_out(run: SubscriptionRun) -> bool:
    return run.state.registrations >= len(_ladder(run))


async def tell_that_it_stands(run: SubscriptionRun) -> None:
    """Write that the current cycle stands at PortOne, and for when, where no other write is about to say it."""
    state = run.state
    again = state.reschedules and not state.failed_attempts
    when = "again" if again else f"for {run.local(state.due_at)}"
    await run.write(f"period {state.cycle} stands at PortOne {when}")


async def charge_ourselves(run: SubscriptionRun, refusal: str, *, results: Sequence[ChargeResult] = ()) -> None:
    """PortOne would not book the attempt: that is no decline; on its day we charge it, under the same order number."""
    run.state.booking = Booking.AGAIN
    run.state.move(CycleState.DUE)
    if not run.state.failed_attempts:
        run.state.last_failure = refusal
    await run.write("PortOne refused the schedule; charged by us when it is due", results=results)


# ---------------------------------------------------------------- sending and reading


async def _send(run: SubscriptionRun, vault_handle: str | None) -> ScheduleAnswer:
    if run.state.reschedules:
        return await portone.reschedule(
            run, Reschedule(merchant_uid=run.merchant_uid, schedule_at=_not_past(run.state.due_at))
        )
    order = run.ordered()
    request = RegisterSchedule(
        workflow_id=workflow.info().workflow_id,
        merchant_uid=order.merchant_uid,
        customer_uid=order.customer_uid,
        schedule_at=_not_past(run.state.due_at),
        amount=order.amount,
        name=order.name,
        tax_free=order.tax_free,
        vat_amount=order.vat_amount,
        customer=run.start.customer,
        channel=run.channel,
        vault_handle=vault_handle,
    )
    return await portone.schedule(run, request)


def _is_found(run: SubscriptionRun, row: ScheduleFact | None) -> bool:
    """Whether a row that was read back is what was sent, and stands: not somebody's own under the same number."""
    order = run.ordered()
    if row is None or (row.customer_uid, row.amount) != (order.customer_uid, order.amount):
        return False
    if run.state.reschedules and row.payment_status == "paid":
        # Somebody ran it in PortOne's console meanwhile: it is looked up in a moment, and recorded.
        run.state.due_at = workflow.now()
    elif row.status != "scheduled" and (run.state.reschedules or row.status == "revoked"):
        return False
    _arrived(run, answered=False)
    _stands(run, row)
    return True


def _arrived(run: SubscriptionRun, *, answered: bool) -> None:
    """A try has arrived. A number is registered once, whatever comes late; a schedule is moved as often as it is asked.

    So of several tries to move it, one that was not answered may still come after the one that was.
    """
    state, number = run.state, run.merchant_uid
    state.calls = [call for call in state.calls if not (call.about == number and call.kind is CallKind.SCHEDULE)]
    if not answered:
        portone.shown_done(run, number, CallKind.RESCHEDULE)


def _stands(run: SubscriptionRun, row: ScheduleFact | None) -> None:
    state = run.state
    if row is not None and row.schedule_at > state.due_at:
        # Registered late, after an outage: the looks are counted from when PortOne will really run it.
        state.due_at = row.schedule_at
    state.booked, state.looks = True, 0
    state.registrations, state.registers_at, state.row_look_at = 0, None, None
    state.booking = Booking.RESCHEDULE if can_reschedule(run) else Booking.AGAIN
    state.move(CycleState.REGISTERED)


def _not_past(due_at: datetime) -> datetime:
    return max(due_at, workflow.now() + policies.SCHEDULE_MARGIN)
