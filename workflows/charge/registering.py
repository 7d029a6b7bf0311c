"""Registering the next attempt at PortOne, so that it stands there exactly once; one try a step, and nothing waits.

PortOne runs a registered schedule by itself: from here on the gateway is the arbiter. Any doubt about an answer is
closed by reading the row back before anything is sent again; a refusal after a try that was not answered is final only
when that try cannot be carried out any more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow

from billing.domain.calls import CallKind
from billing.domain.facts import ScheduleFact
from billing.domain.outcomes import CARD_GONE, ScheduleOutcome
from billing.domain.states import CycleState
from billing.domain.subscription import scheduling
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows import policies
from workflows.charge import portone
from workflows.contracts import RegisterSchedule, Reschedule, ScheduleAnswer

ALREADY_REGISTERED = ("이미 등록된 merchant_uid", "already registered")
"""PortOne's words for a number that is scheduled already (facts.md 1.3); after an unanswered call, it is ours."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What one try came to: it stands, it is refused for good with PortOne's words, or it is tried again later.

    `recorded` says that this is in the ledger already.
    """

    stands: bool = False
    recorded: bool = False
    refusal: str | None = None
    card_gone: bool = False


_LATER = Registration()
_STANDS = Registration(stands=True)


# ---------------------------------------------------------------- registering


async def go_on(subscription: Subscription, recording: Recording) -> None:
    """One try to register the open period; where PortOne refuses for good, we charge it on its day."""
    tried = await try_once(subscription, recording, records=True)
    if tried.stands and not tried.recorded:
        scheduling.tell_that_it_stands(subscription, recording, workflow.now())
    elif tried.refusal is not None:
        scheduling.charge_ourselves(subscription, recording, workflow.now(), tried.refusal)


async def try_once(
    subscription: Subscription,
    recording: Recording,
    vault_handle: str | None = None,
    *,
    records: bool = False,
) -> Registration:
    """Register the open period once, and read it back in any doubt.

    With a `vault_handle` PortOne issues the billing key in the same call. Whoever writes nothing but that it stands
    lets the call do it, by `records`.
    """
    state, number = subscription.state, subscription.terms.merchant_uid
    if state.in_flight.may_take_back(number):
        # An earlier call to revoke it was not answered: done late, it would revoke what is registered now.
        state.schedule.try_at(state.in_flight.last_end(number))
        return _LATER
    tried_before = state.in_flight.may_charge(number)
    if (tried_before or _is_tried_out(subscription)) and _is_found(
        subscription, workflow.now(), await portone.find_schedule(number)
    ):
        return _STANDS
    return (
        _given_up(subscription)
        if _is_tried_out(subscription)
        else await _try(subscription, recording, vault_handle, tried_before=tried_before, records=records)
    )


async def _try(
    subscription: Subscription,
    recording: Recording,
    vault_handle: str | None,
    *,
    tried_before: bool,
    records: bool,
) -> Registration:
    answer = await _send(subscription, recording, vault_handle, records=records)
    if answer.outcome is ScheduleOutcome.REGISTERED:
        _arrived(subscription, answered=True)
        _stands(subscription, answer.schedule)
        return Registration(stands=True, recorded=answer.recorded)
    if _is_found(subscription, workflow.now(), await portone.find_schedule(subscription.terms.merchant_uid)):
        return _STANDS
    if answer.outcome is ScheduleOutcome.REFUSED:
        return _refused(subscription, workflow.now(), answer, tried_before=tried_before)
    return _again_later(subscription, workflow.now(), answer)


def _refused(subscription: Subscription, now: datetime, answer: ScheduleAnswer, *, tried_before: bool) -> Registration:
    state = subscription.state
    words = answer.message or answer.code or "PortOne refused the schedule"
    ours = tried_before or state.schedule.tries > 0
    if ours and not state.schedule.reschedules and any(known in words for known in ALREADY_REGISTERED):
        # Only a call of ours has ever named this number, so it stands although the row is not shown yet.
        _arrived(subscription, answered=True)
        _stands(subscription, None, look_at=now + policies.ROW_LOOKS[-1])
        return _STANDS
    if tried_before:
        # An earlier try may still be carried out: the refusal of this one proves nothing before it cannot be.
        state.schedule.try_at(state.in_flight.last_end(subscription.terms.merchant_uid))
        return _LATER
    return Registration(refusal=words, card_gone=answer.code == CARD_GONE)


def _again_later(subscription: Subscription, now: datetime, answer: ScheduleAnswer) -> Registration:
    state = subscription.state
    state.period.failed(answer.message or state.period.last_failure)
    state.schedule.try_at(now + _ladder(subscription)[state.schedule.tries], again=True)
    return _LATER


def _given_up(subscription: Subscription) -> Registration:
    """It was tried often enough: once no try can be carried out any more, it is not registered."""
    state = subscription.state
    if state.in_flight.may_charge(subscription.terms.merchant_uid):
        state.schedule.try_at(state.in_flight.last_end(subscription.terms.merchant_uid))
        return _LATER
    return Registration(refusal=state.period.last_failure or "PortOne did not register it")


def _ladder(subscription: Subscription) -> tuple[timedelta, ...]:
    return policies.RESCHEDULE_AGAIN_AFTER if subscription.state.schedule.reschedules else policies.REGISTER_AGAIN_AFTER


def _is_tried_out(subscription: Subscription) -> bool:
    return subscription.state.schedule.tries >= len(_ladder(subscription))


# ---------------------------------------------------------------- sending and reading


async def _send(
    subscription: Subscription, recording: Recording, vault_handle: str | None, *, records: bool
) -> ScheduleAnswer:
    if subscription.state.schedule.reschedules:
        return await portone.reschedule(
            subscription,
            recording,
            Reschedule(
                merchant_uid=subscription.terms.merchant_uid, schedule_at=_not_past(subscription.state.period.due_at)
            ),
        )
    order, at = subscription.terms.ordered(), _not_past(subscription.state.period.due_at)
    request = RegisterSchedule(
        workflow_id=workflow.info().workflow_id,
        merchant_uid=order.merchant_uid,
        customer_uid=order.customer_uid,
        schedule_at=at,
        amount=order.amount,
        name=order.name,
        tax_free=order.tax_free,
        vat_amount=order.vat_amount,
        customer=subscription.start.customer,
        channel=subscription.terms.channel,
        vault_handle=vault_handle,
        records=scheduling.take_registered(subscription, recording, at) if records else None,
    )
    return await portone.schedule(subscription, recording, request)


def _is_found(subscription: Subscription, now: datetime, row: ScheduleFact | None) -> bool:
    """Whether a row that was read back is what was sent, and stands: not somebody's own under the same number."""
    order = subscription.terms.ordered()
    if row is None or (row.customer_uid, row.amount) != (order.customer_uid, order.amount):
        return False
    if subscription.state.schedule.reschedules and row.payment_status == "paid":
        # Somebody ran it in PortOne's console meanwhile: it is looked up in a moment, and recorded.
        subscription.state.period.is_due(now)
    elif row.status != "scheduled" and (subscription.state.schedule.reschedules or row.status == "revoked"):
        return False
    _arrived(subscription, answered=False)
    _stands(subscription, row)
    return True


def _arrived(subscription: Subscription, *, answered: bool) -> None:
    """A try has arrived. A number is registered once, whatever comes late; a schedule is moved as often as it is asked.

    So of several tries to move it, one that was not answered may still come after the one that was.
    """
    state, number = subscription.state, subscription.terms.merchant_uid
    state.in_flight.has_arrived(number, CallKind.SCHEDULE)
    if not answered:
        portone.shown_done(subscription, number, CallKind.RESCHEDULE)


def _stands(subscription: Subscription, row: ScheduleFact | None, look_at: datetime | None = None) -> None:
    """It stands; registered late, after an outage, the looks are counted from when PortOne will really run it."""
    state = subscription.state
    state.period.scheduled(row.schedule_at if row is not None else None)
    state.schedule.has_arrived(workflow.now(), subscription.terms.next_charged_by(), look_at)
    state.period.move(CycleState.REGISTERED)


def _not_past(due_at: datetime) -> datetime:
    return max(due_at, workflow.now() + policies.SCHEDULE_MARGIN)
