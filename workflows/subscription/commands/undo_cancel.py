"""Take a cancel at period end back: the next period is charged after all."""

from datetime import datetime

from temporalio import workflow

from billing.domain import refusals
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.refusals import Refusal, need
from billing.domain.subscription import (
    payloads,
)
from billing.domain.subscription.answers import OrderAnswered
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.subscription.commands.command import Command, has_numbers_left

NOT_CANCELED = Refusal("not_canceled", f"{refusals.LOOK}: cancel_at_period_end is what would be undone")


class UndoCancel(Message):
    """Take a cancel at period end back."""


def guard(_message: UndoCancel, subscription: Subscription, _now: datetime) -> None:
    """Refuse where no cancel is set."""
    need(subscription.state.cancel.at_period_end, NOT_CANCELED, "no cancel at period end is set")
    has_numbers_left(subscription)


async def work(subscription: Subscription, recording: Recording, _message: UndoCancel) -> OrderAnswered:
    """Go on with the next period after all; its charge is planned again.

    What the cancel had voided, a pause or a change that was to come, stays void.
    """
    subscription.state.cancel.is_taken_back()
    recording.emit(
        EventType.SUBSCRIPTION_CANCEL_UNDONE,
        "will not end with its period",
        payloads.subscription(subscription),
        workflow.now(),
    )
    subscription.state.period.plan_again("the cancel was taken back")
    recording.write("the cancel is taken back", workflow.now())
    return OrderAnswered()


COMMAND = Command(
    name="undo_cancel",
    path="undo-cancel",
    summary="Take a cancel at period end back.",
    message=UndoCancel,
    guard=guard,
    work=work,
    refusals=(NOT_CANCELED, refusals.TOO_MANY_CHANGES),
    events=(EventType.SUBSCRIPTION_CANCEL_UNDONE,),
)
