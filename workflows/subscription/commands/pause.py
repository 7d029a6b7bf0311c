"""Pause: nothing is charged, and nothing asked of PortOne, until somebody resumes or until the day that was named."""

from datetime import datetime

from temporalio import workflow

from billing.domain import bounds, refusals
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.refusals import Refusal, need
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import (
    pausing,
    payloads,
)
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import ResumeAnchor, When
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.charge import stopping
from workflows.subscription.commands.command import OWING, Command, Fault, has_numbers_left, is_not_parked
from workflows.subscription.commands.texts import text

BY_REQUEST = "paused by request"

PAUSE_UNPAID = Refusal("pause_unpaid", f"{refusals.PAY}, or cancel it by POST …/cancel")
UNFINISHED = "PortOne has not finished a payment of the next charge; it is not paused"
BEFORE_THE_PAUSE = Refusal("before_the_pause", "give a later resumes_at, or pause with at: now", status=422, field="at")


class PauseSubscription(Message):
    """Stop charging, now or at the end of the period, until `resumes_at` or until somebody resumes.

    `resume_anchor` is the billing day with which it goes on by itself.
    """

    at: When = When.PERIOD_END
    resumes_at: datetime | None = None
    resume_anchor: ResumeAnchor = ResumeAnchor.NEW
    reason: str | None = None


def guard(message: PauseSubscription, subscription: Subscription, now: datetime) -> None:
    """Refuse where nothing is to be paused, or it would resume before it pauses."""
    state, resumes_at = subscription.state, message.resumes_at
    need(state.status is not SubscriptionStatus.PAUSED, refusals.ALREADY_PAUSED, "it is paused already")
    need(state.status not in OWING, PAUSE_UNPAID, "a period is not paid, and a pause would leave it owed")
    active = state.status is SubscriptionStatus.ACTIVE
    need(active, refusals.NOT_ACTIVE, "only an active subscription can be paused")
    need(not state.cancel.at_period_end, refusals.CANCEL_IS_SET, "it ends with its period")
    is_not_parked(subscription)
    need(resumes_at is None or resumes_at > now, refusals.IN_THE_PAST, "resumes_at must lie ahead")
    if resumes_at is not None:
        fault = bounds.ahead_fault(resumes_at, now, bounds.MAX_PAUSE_DAYS)
        need(fault is None, refusals.TOO_FAR_AHEAD, f"resumes_at {fault}")
    if message.at is When.PERIOD_END:
        goes_on = state.paid.another_begins(subscription.terms.plan.max_cycles)
        need(goes_on, refusals.TERM_ENDS, "the fixed term ends with this period")
        ends_at = state.periods.end
        early = resumes_at is not None and ends_at is not None and resumes_at <= ends_at
        need(not early, BEFORE_THE_PAUSE, "resumes_at must lie behind the end of the period")
    has_numbers_left(subscription)


def faults(message: PauseSubscription) -> list[Fault]:
    """What lies beyond a bound."""
    instant = bounds.instant_fault(message.resumes_at) if message.resumes_at is not None else None
    return [("resumes_at", instant), text("reason", message.reason, bounds.MAX_REASON)]


async def work(subscription: Subscription, recording: Recording, message: PauseSubscription) -> OrderAnswered:
    """Stop the next charge if it still can be, pause now or with the end of the period, and say what happened."""
    stopped = await stopping.stop_the_charge(subscription, recording)
    state = subscription.state
    if stopped.stands_in_the_way:
        return _not_paused(stopped, "the next charge ran first and was not paid; it is not paused")
    if stopped.unfinished:
        return _not_paused(stopped, UNFINISHED, code="charge_unfinished")
    if stopped.charge is ChargeAtOrder.REVOKED:
        recording.close_order(CycleState.REVOKED, message.reason or BY_REQUEST, workflow.now())
    at_once = message.at is When.NOW or state.periods.end is None or state.periods.end <= workflow.now()
    if not at_once and (why := _why_not_with_this_period(subscription, message)) is not None:
        # Only a charge that won this very race moves the end of the period so: what is asked for has no meaning now.
        return _not_paused(stopped, why)
    subscription.state.consent.withdraw()
    state.pause.ends_by_itself(message.resumes_at, message.resume_anchor)
    if at_once:
        pausing.begin(subscription, recording, workflow.now(), message.reason or BY_REQUEST)
    else:
        state.pause.comes_with_the_period()
        told = payloads.subscription(subscription, message.reason)
        recording.emit(EventType.SUBSCRIPTION_PAUSE_SCHEDULED, "will pause with its period", told, workflow.now())
        recording.write("pause at period end", workflow.now())
    return OrderAnswered(
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


def _why_not_with_this_period(subscription: Subscription, message: PauseSubscription) -> str | None:
    if subscription.terms.term_is_paid:
        return "the next charge ran first, and the period it paid for is the last one"
    ends_at = subscription.state.periods.end
    if message.resumes_at is not None and ends_at is not None and message.resumes_at <= ends_at:
        when = subscription.terms.local(ends_at)
        return f"the next charge ran first, and the period it paid for ends {when}, after resumes_at"
    return None


def _not_paused(stopped: stopping.Stopped, why: str, *, code: str | None = None) -> OrderAnswered:
    return OrderAnswered(
        done=False,
        code=code or f"charge_{stopped.charge.value}",
        message=why,
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


COMMAND = Command(
    name="pause",
    path="pause",
    summary="Pause now or at period end, until a day or until somebody resumes.",
    message=PauseSubscription,
    guard=guard,
    work=work,
    refusals=(
        refusals.ALREADY_PAUSED,
        refusals.NOT_ACTIVE,
        refusals.CANCEL_IS_SET,
        refusals.PARKED,
        refusals.IN_THE_PAST,
        refusals.TOO_FAR_AHEAD,
        refusals.TERM_ENDS,
        refusals.TOO_MANY_CHANGES,
        PAUSE_UNPAID,
        BEFORE_THE_PAUSE,
    ),
    events=(EventType.SUBSCRIPTION_PAUSE_SCHEDULED, EventType.SUBSCRIPTION_PAUSED),
    faults=faults,
    instant="resumes_at",
)
