"""Charge the next period after all that has not begun yet."""

from datetime import datetime

from temporalio import workflow

from billing.domain import refusals
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.refusals import Refusal, need
from billing.domain.states import CycleState
from billing.domain.subscription import payloads, skipping
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.charge import stopping
from workflows.subscription.commands.command import Command, has_numbers_left, is_not_parked
from workflows.subscription.commands.skip import moved_intents, not_moved, ran_first

NOTHING_SKIPPED = Refusal("nothing_skipped", f"{refusals.LOOK}: skip is what would be undone")


class UndoSkip(Message):
    """Skip no period that has not begun yet."""


def guard(_message: UndoSkip, subscription: Subscription, now: datetime) -> None:
    """Refuse where no period is skipped, or those that are have all begun."""
    skipped = subscription.state.periods.skipped is not None
    need(skipped, NOTHING_SKIPPED, "no period is skipped")
    ahead = skipping.can_be_undone(subscription, now)
    need(ahead, NOTHING_SKIPPED, "the period that is skipped has begun, and the next one is charged")
    need(not subscription.state.cancel.at_period_end, refusals.CANCEL_IS_SET, "it ends with its period")
    is_not_parked(subscription)
    has_numbers_left(subscription)


async def work(subscription: Subscription, recording: Recording, _message: UndoSkip) -> OrderAnswered:
    """Take the charge back that was to come after the skipped periods, and plan it for the next one."""
    stopped = await stopping.stop_the_charge(subscription, recording)
    if ran_first(stopped):
        return not_moved(stopped, "the next charge ran first, and nothing was changed")
    now = workflow.now()
    if stopped.charge is ChargeAtOrder.REVOKED:
        recording.close_order(CycleState.REVOKED, "not skipped after all", now)
    skipping.undo(subscription, now)
    subscription.state.period.plan_again("periods are not skipped after all")
    text = f"charged {subscription.terms.local(subscription.state.period.due_at)} after all"
    recording.emit(EventType.SUBSCRIPTION_SKIP_UNDONE, text, payloads.subscription(subscription), now)
    recording.write(text, now, intents=moved_intents(subscription, stopped))
    return OrderAnswered(charge=stopped.charge, merchant_uid=stopped.merchant_uid)


COMMAND = Command(
    name="undo_skip",
    path="undo-skip",
    summary="Skip no period that has not begun: the next one is charged.",
    message=UndoSkip,
    guard=guard,
    work=work,
    refusals=(NOTHING_SKIPPED, refusals.CANCEL_IS_SET, refusals.PARKED, refusals.TOO_MANY_CHANGES),
    events=(EventType.SUBSCRIPTION_SKIP_UNDONE,),
)
