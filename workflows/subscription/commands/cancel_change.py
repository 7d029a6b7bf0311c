"""Take the change that waits for the next period back."""

from datetime import datetime

from temporalio import workflow

from billing.domain import refusals
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.refusals import Refusal, need
from billing.domain.subscription import (
    pending_change,
    scheduling,
)
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.charge import stopping
from workflows.subscription.commands.change_plan import UNFINISHED, answer, close_what_nothing_will_charge, untouched
from workflows.subscription.commands.command import Command, has_numbers_left, is_not_parked

NO_PENDING_CHANGE = Refusal("no_pending_change", f"{refusals.LOOK}: pending_change is what would be taken back")
NO_ATTEMPT_PLANNED = Refusal("no_attempt_planned", f"{refusals.PAY}: the change is part of what is owed")


class CancelChange(Message):
    """Forget the pending change."""


def guard(_message: CancelChange, subscription: Subscription, _now: datetime) -> None:
    """Refuse where no change waits, or it is part of what is owed."""
    state = subscription.state
    need(state.items.pending is not None, NO_PENDING_CHANGE, "no change is pending")
    if state.coming_change is not None:
        is_not_parked(subscription)
        need(not state.arrears.retries_over, NO_ATTEMPT_PLANNED, "no further attempt is planned")
        has_numbers_left(subscription)


async def work(subscription: Subscription, recording: Recording, _message: CancelChange) -> OrderAnswered:
    """Forget the pending change; the next period is charged as before."""
    if subscription.state.coming_change is not subscription.state.items.pending:
        pending_change.drop(subscription, recording, workflow.now(), "taken back or replaced")
        recording.write("the pending change is forgotten", workflow.now())
        return answer(untouched(subscription))
    stopped = await stopping.stop_the_charge(subscription, recording)
    if stopped.charge is ChargeAtOrder.DECLINED and scheduling.is_under_way(subscription):
        # It ran at this moment and was declined, and its retry would be scheduled at the price of the change.
        stopped = await stopping.stop_the_charge(subscription, recording)
    if stopped.unfinished:
        return answer(stopped, code="charge_unfinished", message=UNFINISHED)
    if stopped.charge is ChargeAtOrder.MISMATCH:
        message = "the next charge ran first and is not as ordered; decide that first"
        return answer(stopped, code="charge_mismatch", message=message)
    if subscription.state.items.pending is None:
        message = "the period began first, and the change with it"
        return answer(stopped, code="change_applied", message=message)
    pending_change.drop(subscription, recording, workflow.now(), "taken back or replaced")
    close_what_nothing_will_charge(subscription, recording, workflow.now(), "the change was taken back")
    subscription.state.period.plan_again("the plan stays")
    recording.write("the pending change is forgotten", workflow.now())
    return answer(stopped)


COMMAND = Command(
    name="cancel_change",
    path="pending-change",
    summary="Forget the pending change.",
    message=CancelChange,
    guard=guard,
    work=work,
    refusals=(NO_PENDING_CHANGE, NO_ATTEMPT_PLANNED, refusals.PARKED, refusals.TOO_MANY_CHANGES),
    events=(EventType.PLAN_CHANGE_CANCELED,),
)
