"""Resume: the periods are laid anew, and what has to be paid to go on is charged at once.

What if the process dies here? The charge has one number, brought to a proven end before anything else is done; the
answer that is lost is looked up, as in every other charge.
"""

from datetime import datetime

from temporalio import workflow

from billing.domain import refusals
from billing.domain.consent import ConsentDecision
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.refusals import Refusal, need
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import (
    consent_need,
    consenting,
    dunning,
    ending,
    payloads,
    scheduling,
)
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import ResumeAnchor
from billing.domain.subscription.consent_answer import ConsentAnswer
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.layout import PeriodsBefore
from billing.domain.subscription.pause_rest import (
    credit_the_rest,
    has_rest,
    is_within_a_paid_period,
    last_anchor,
    lay_the_periods,
    noted,
    put_back,
    use_the_rest,
)
from billing.domain.subscription.period_close import settle_paid, settle_skipped
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.standing import stand
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict
from workflows.charge import attempts, look_up
from workflows.charge.attempts import Proven
from workflows.charge.settling import settle
from workflows.subscription.commands.command import Command, has_numbers_left, is_not_parked
from workflows.subscription.commands.texts import of_an_answer

NOT_PAUSED = Refusal("not_paused", f"{refusals.LOOK}; to pause it is POST …/pause")
CONSENT_REFUSED = Refusal("consent_refused", "leave it paused, or cancel it by POST …/cancel")


class ResumeSubscription(Message):
    """Go on, or take a pause at period end back.

    `consent` is the buyer's act of resuming, where what is charged with it needs their consent.
    """

    anchor: ResumeAnchor = ResumeAnchor.NEW
    consent: ConsentAnswer | None = None


def guard(message: ResumeSubscription, subscription: Subscription, _now: datetime) -> None:
    """Refuse where nothing is paused, or there is nothing to go on with."""
    state = subscription.state
    is_paused = state.status is SubscriptionStatus.PAUSED
    need(is_paused or state.pause.at_period_end, NOT_PAUSED, "it is not paused, and no pause is set")
    plan = state.items.pending.plan if state.items.pending is not None else subscription.terms.plan
    has_to_pay = is_paused and plan.price.amount > 0
    need(state.method.is_there or not has_to_pay, refusals.NO_PAYMENT_METHOD, "there is no payment method")
    is_not_parked(subscription)
    agrees = message.consent is None or message.consent.decision is ConsentDecision.GRANTED
    need(agrees, CONSENT_REFUSED, "whoever refuses does not resume")
    has_numbers_left(subscription)


async def work(subscription: Subscription, recording: Recording, message: ResumeSubscription) -> OrderAnswered | None:
    """Go on, charging at once what has to be paid for it; or take a pause at period end back."""
    if subscription.state.pause.at_period_end:
        _take_the_pause_back(subscription, recording, workflow.now())
        return OrderAnswered()
    now = workflow.now().replace(microsecond=0)
    await _follow_what_is_paid(subscription)
    anchor = last_anchor(subscription, message.anchor)
    if has_rest(subscription, anchor, now):
        _use_the_rest(subscription, recording, now, anchor)
        return OrderAnswered()
    before = noted(subscription)
    credit_the_rest(subscription, now)
    if subscription.terms.term_is_paid:
        ending.expire(subscription, recording, workflow.now())
        return OrderAnswered()
    wanted = consent_need.need_at(subscription, now)
    if wanted is not None:
        if message.consent is None or message.consent.decision is not ConsentDecision.GRANTED:
            put_back(subscription, before)
            why = f"to go on costs {wanted.amount_after} instead of {wanted.amount_before}: resume with consent"
            return OrderAnswered(done=False, code="consent_needed", message=why)
        consenting.grant_at_once(subscription, recording, workflow.now(), wanted, message.consent)
        recording.write("the buyer consented by resuming", workflow.now())
    lay_the_periods(subscription, anchor, now)
    if _charge(subscription, recording, workflow.now(), Purpose.RESUME, before):
        return None
    return OrderAnswered()


async def resume_by_itself(subscription: Subscription, recording: Recording) -> None:
    """The day that was named has come; nobody is there to be told of a decline, so dunning begins with it."""
    state, now = subscription.state, workflow.now().replace(microsecond=0)
    await _follow_what_is_paid(subscription)
    anchor = last_anchor(subscription, state.pause.anchor)
    state.pause.its_day_has_come()
    if has_rest(subscription, anchor, now):
        _use_the_rest(subscription, recording, now, anchor)
        return
    before = noted(subscription)
    credit_the_rest(subscription, now)
    if subscription.terms.term_is_paid:
        ending.expire(subscription, recording, workflow.now())
    elif not state.method.is_there and subscription.terms.holding().value().amount > 0:
        put_back(subscription, before)
        why = "it was to go on, and there is no payment method"
        recording.emit(
            EventType.SUBSCRIPTION_PAUSED,
            f"stays paused: {why}",
            payloads.subscription(subscription, why),
            workflow.now(),
        )
        recording.write("stays paused: no payment method", workflow.now())
    else:
        lay_the_periods(subscription, anchor, now)
        _charge(subscription, recording, workflow.now(), Purpose.RESUME_BY_ITSELF, before)


async def _follow_what_is_paid(subscription: Subscription) -> None:
    """Look up what is left of what paid the period that the pause cut."""
    if is_within_a_paid_period(subscription):
        await look_up.follow_returns(subscription)


def _take_the_pause_back(subscription: Subscription, recording: Recording, now: datetime) -> None:
    subscription.state.pause.is_taken_back()
    recording.emit(
        EventType.SUBSCRIPTION_RESUMED, "will not pause with its period", payloads.subscription(subscription), now
    )
    subscription.state.period.plan_again("the pause was taken back")
    recording.write("the pause is taken back", now)


def _use_the_rest(subscription: Subscription, recording: Recording, now: datetime, anchor: ResumeAnchor) -> None:
    """Paid time is left: with a new anchor the whole rest of it follows, with the old one it goes on where it is."""
    state = subscription.state
    use_the_rest(subscription, anchor, now)
    state.become(SubscriptionStatus.ACTIVE)
    state.pause.is_over()
    state.pause.its_day_has_come()
    recording.emit(EventType.SUBSCRIPTION_RESUMED, "goes on", payloads.subscription(subscription), now)
    state.period.plan_again("resumed")
    recording.write("resumed", now)


def _charge(
    subscription: Subscription, recording: Recording, now: datetime, purpose: Purpose, before: PeriodsBefore
) -> bool:
    """Let what is due to go on be charged; whether anything has to be."""
    state = subscription.state
    declined = state.period.state is CycleState.DECLINED and not subscription.terms.number_is_reusable()
    revoked = state.period.state is CycleState.REVOKED and not subscription.terms.can_reschedule()
    if declined or revoked or state.period.order != subscription.terms.would_open():
        scheduling.renumber(subscription, recording, now, "resumed")
    if subscription.terms.bill().amount.amount == 0:
        settle_skipped(subscription, recording, now)
        return False
    state.period.move(CycleState.VERIFYING)
    attempts.begin(subscription, now, purpose, before=before)
    return True


async def charged_by_itself(subscription: Subscription, recording: Recording, proven: Proven) -> None:
    """The charge with which it goes on by itself is proven: paid, it goes on; declined, dunning begins with it."""
    verdict = dunning.as_declined(proven.verdict)
    if verdict.finding is Finding.DECLINED:
        # It is not paused any more: a period is due, and not paid. What is not as ordered stays paused for a person.
        subscription.state.pause.is_over()
    if verdict.finding is Finding.PENDING:
        stand(subscription, recording, workflow.now(), CycleState.UNKNOWN, verdict)
    else:
        await settle(subscription, recording, verdict)


async def charged_by_hand(subscription: Subscription, recording: Recording, proven: Proven) -> OrderAnswered:
    """Somebody asked and is told: after a decline it stays paused, and nothing is tried again behind their back."""
    verdict, before = proven.verdict, proven.charge.before
    assert before is not None  # noqa: S101 - noted when the charge began
    if verdict.finding is Finding.PAID:
        settle_paid(subscription, recording, workflow.now(), verdict)
        return OrderAnswered(
            charge=ChargeAtOrder.PAID if verdict.payment else ChargeAtOrder.NONE_PLANNED,
            merchant_uid=verdict.payment.merchant_uid if verdict.payment else None,
            charged=verdict.payment.amount if verdict.payment else None,
        )
    number = subscription.terms.merchant_uid
    state = subscription.state
    if verdict.finding is Finding.MISMATCH:
        await settle(subscription, recording, verdict)
    elif verdict.finding is Finding.PENDING:
        stand(subscription, recording, workflow.now(), CycleState.UNKNOWN, verdict)
    else:
        _stay_paused(subscription, recording, workflow.now(), verdict)
    put_back(subscription, before)
    came_to = {Finding.MISMATCH: ChargeAtOrder.MISMATCH, Finding.PENDING: ChargeAtOrder.UNKNOWN}
    return OrderAnswered(
        done=False,
        code=f"charge_{state.period.state.value}",
        message=verdict.reason,
        charge=came_to.get(verdict.finding, ChargeAtOrder.DECLINED),
        merchant_uid=number,
    )


def _stay_paused(subscription: Subscription, recording: Recording, now: datetime, verdict: Verdict) -> None:
    state, payment = subscription.state, verdict.payment
    state.period.move(CycleState.DECLINED if verdict.finding is Finding.DECLINED else CycleState.NOT_EXECUTED)
    state.period.count_failures()
    state.period.failed(verdict.reason or verdict.finding.value, f"charge_{state.period.state.value}")
    result = subscription.result(state.period.state, payment, now, verdict.reason)
    recording.emit(
        EventType.CHARGE_DECLINED,
        "the charge to resume was declined",
        payloads.charge(subscription, state.period.state, payment, verdict.reason),
        now,
    )
    recording.write("stays paused", now, results=[result], payments=[payment] if payment else [])


COMMAND = Command(
    name="resume",
    path="resume",
    summary="Resume on a new billing day or the old one, or take a pause at period end back.",
    message=ResumeSubscription,
    guard=guard,
    work=work,
    refusals=(NOT_PAUSED, CONSENT_REFUSED, refusals.NO_PAYMENT_METHOD, refusals.PARKED, refusals.TOO_MANY_CHANGES),
    events=(EventType.SUBSCRIPTION_RESUMED, EventType.CHARGE_PAID, EventType.CHARGE_DECLINED),
    faults=lambda message: of_an_answer(message.consent) if message.consent is not None else (),
)
