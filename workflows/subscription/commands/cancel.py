"""Cancel: the next charge is stopped if it still can be, and the caller is told which one won, in the same answer."""

from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain import bounds, refusals
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.records import RefundState
from billing.domain.refusals import RefusedError
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import (
    ending,
    payloads,
    pending_change,
)
from billing.domain.subscription.answers import CancelAnswered, ChargeAtOrder
from billing.domain.subscription.choices import RefundAtCancel, When
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.refunds import RefundsFor
from billing.domain.subscription.subscription import Subscription
from workflows.billing_key.issuing import discard_card
from workflows.charge import look_up, stopping
from workflows.refund import refunding
from workflows.subscription import left_on_key
from workflows.subscription.commands.command import Command
from workflows.subscription.commands.texts import text

BY_REQUEST = "canceled by request"


class CancelSubscription(Message):
    """Cancel; `reason` is stored as given. A refund is made only where the cancel takes effect now."""

    at: When = When.PERIOD_END
    reason: str | None = None
    refund: RefundAtCancel = RefundAtCancel.NONE


def guard(_message: CancelSubscription, _subscription: Subscription, _now: datetime) -> None:
    """An end is always possible."""


async def work(subscription: Subscription, recording: Recording, message: CancelSubscription) -> CancelAnswered | None:
    """Stop the next charge if it still can be, cancel now or at the end of the period, and say what happened.

    None where refunds are under way: it is answered when they are over, or soon when that takes long.
    """
    if subscription.state.ended_at is not None:
        return _told_again(subscription, workflow.now())
    if message.refund is not RefundAtCancel.NONE and subscription.state.refunds.under_way:
        raise RefusedError(refusals.CHARGE_RUNNING, "a refund of this subscription is being made")
    number = subscription.terms.merchant_uid if subscription.terms.charging else None
    stopped = await stopping.stop_the_charge(subscription, recording, ending=True)
    charge = ChargeAtOrder.UNKNOWN if stopped.unfinished else stopped.charge
    state = subscription.state
    # What has not begun has no period at whose end it could end.
    not_begun = state.status is SubscriptionStatus.INCOMPLETE
    ends_now = message.at is When.NOW or not_begun or subscription.terms.nothing_is_left_to_use(workflow.now())
    if ends_now and message.refund is not RefundAtCancel.NONE:
        # Where PortOne cannot be asked, nothing is voided and nothing ends.
        await look_up.follow_returns(subscription)
    if stopped.charge is ChargeAtOrder.REVOKED:
        recording.close_order(CycleState.REVOKED, message.reason or BY_REQUEST, workflow.now())
    pending_change.drop(subscription, recording, workflow.now(), "canceled")
    subscription.state.consent.withdraw()
    told = CancelAnswered(
        status=state.status,
        charge=charge,
        merchant_uid=number,
        charged_imp_uid=stopped.payment.imp_uid if stopped.payment else None,
        charged_amount=stopped.payment.amount if stopped.payment else None,
    )
    if ends_now:
        return await _end_now(subscription, recording, message, told)
    _end_with_the_period(subscription, recording, workflow.now(), message.reason)
    standing = await left_on_key.what_stands(subscription)
    return _as_it_stands(subscription, workflow.now(), told).model_copy(update={"standing": standing})


async def _end_now(
    subscription: Subscription, recording: Recording, message: CancelSubscription, told: CancelAnswered
) -> CancelAnswered | None:
    state = subscription.state
    reason = message.reason or state.cancel.reason or BY_REQUEST
    gives_back = message.refund is not RefundAtCancel.NONE
    if not state.opening.is_over and subscription.start.vault_handle is not None:
        await discard_card(subscription.start.vault_handle)
    ending.cancel(subscription, recording, workflow.now(), reason)
    with suppress(ActivityError):
        # Where PortOne does not answer, the run asks on before it is over.
        await left_on_key.look_once_more(subscription, recording)
    refunds = refunding.of_cancel(subscription, workflow.now(), message.refund, reason) if gives_back else []
    told = _as_it_stands(subscription, workflow.now(), told)
    state.cancel.is_answered(told)
    if not refunds:
        return told
    refunding.begin(subscription, workflow.now(), refunds, RefundsFor(reason=reason, cancel=told))
    return None


async def given_back(subscription: Subscription, recording: Recording) -> CancelAnswered | None:
    """The refunds of a cancel are over: what came of them is written, and told."""
    whom = subscription.state.refunds.whom
    refunded = await refunding.given_back_at_cancel(subscription, recording)
    if whom is None or whom.cancel is None:
        return None
    owed = max(subscription.terms.books().owed(workflow.now()), refunded.remaining or 0)
    done = refunded.state is RefundState.REFUNDED
    answered = whom.cancel.model_copy(
        update={
            "refunded": refunded.amount,
            "refund_state": refunded.state.value,
            "refund_message": None if done else refunded.message,
            # Of a full refund also what was used was to go back.
            "owed": Money(owed, subscription.terms.plan.price.currency),
        }
    )
    subscription.state.cancel.is_answered(answered)
    return answered


def _as_it_stands(subscription: Subscription, now: datetime, told: CancelAnswered) -> CancelAnswered:
    state = subscription.state
    owed = None
    if state.ended_at is not None:
        owed = Money(subscription.terms.books().owed(now), subscription.terms.plan.price.currency)
    return told.model_copy(
        update={
            "status": state.status,
            "cancel_at_period_end": state.cancel.at_period_end,
            "ends_at": state.ended_at or state.periods.end,
            "standing": None
            if state.after_end.standing is None or state.ended_at is None
            else tuple(state.after_end.standing),
            "owed": owed,
        }
    )


def _told_again(subscription: Subscription, now: datetime) -> CancelAnswered:
    """It has ended, and something of it is still on its way: what is known by now, as often as it is asked.

    Raises:
        RefusedError: `SubscriptionEnded`, where it was not a cancel that ended it.
    """
    told = subscription.state.cancel.answered
    if told is None:
        raise RefusedError(refusals.ENDED, f"the subscription is {subscription.state.status.value}")
    return _as_it_stands(subscription, now, told)


def _end_with_the_period(subscription: Subscription, recording: Recording, now: datetime, reason: str | None) -> None:
    state = subscription.state
    again = state.cancel.at_period_end
    state.cancel.comes_with_the_period(reason)
    state.pause.is_taken_back()
    if not again:
        told = payloads.subscription(subscription, state.cancel.reason)
        recording.emit(EventType.SUBSCRIPTION_CANCEL_SCHEDULED, "will end with its period", told, now)
    recording.write("cancel at period end", now)


COMMAND = Command(
    name="cancel",
    path="cancel",
    summary="Cancel now or at period end; answers whether the next charge was stopped in time.",
    message=CancelSubscription,
    guard=guard,
    work=work,
    refusals=(refusals.CHARGE_RUNNING,),
    events=(EventType.SUBSCRIPTION_CANCEL_SCHEDULED, EventType.SUBSCRIPTION_CANCELED),
    faults=lambda message: [text("reason", message.reason, bounds.MAX_REASON)],
    answers=CancelAnswered,
    beside_a_charge=True,
    # Asked again while something of it is still on its way: what is known by now is told.
    after_the_end=lambda subscription: subscription.state.cancel.answered is not None,
    before_the_start=lambda _: True,
)
