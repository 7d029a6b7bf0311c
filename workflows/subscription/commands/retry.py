"""Retry: charge the unpaid period now, beside the retries that are planned."""

from datetime import datetime

from temporalio import workflow

from billing.domain import bounds, refusals
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.refusals import Refusal, need
from billing.domain.subscription.answers import OrderAnswered
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.charge import declines, retrying, stopping
from workflows.subscription.commands.command import OWING, Command, is_not_parked
from workflows.subscription.commands.texts import text

NOTHING_TO_RETRY = Refusal("nothing_to_retry", f"{refusals.LOOK}: the next charge is made by itself on its day")
HARD_DECLINED = Refusal("hard_declined", "bring another card by POST …/payment-method; it is charged at once")


class RetryNow(Message):
    """Charge the open period now; it does not spend the budget of the retries that are planned."""

    by: str | None = None


def guard(_message: RetryNow, subscription: Subscription, _now: datetime) -> None:
    """Refuse where nothing is owed, or the card was declined for good."""
    state = subscription.state
    need(state.status in OWING, NOTHING_TO_RETRY, "no period is unpaid")
    is_not_parked(subscription)
    lost = state.arrears.hard_declined and state.arrears.retries_over
    need(not lost, HARD_DECLINED, "the card was declined for good")


async def work(subscription: Subscription, recording: Recording, _message: RetryNow) -> OrderAnswered | None:
    """Charge the unpaid period now; a decline leaves the retries as they were planned."""
    allowed_at = await declines.card_may_be_tried_at(subscription, recording, workflow.now())
    if allowed_at > workflow.now():
        message = f"the card was tried too often; it may be tried again {subscription.terms.local(allowed_at)}"
        return OrderAnswered(done=False, code="card_tried_too_often", message=message)
    planned = None if subscription.state.arrears.retries_over else subscription.state.period.due_at
    stopped = await stopping.stop_the_charge(subscription, recording)
    if stopped.charge in retrying.RAN:
        # The attempt that was planned ran at this very moment: it is the answer.
        return retrying.answer(stopped.charge, stopped, subscription.state.period.last_failure)
    if stopped.unfinished:
        retrying.plan_as_before(subscription, recording, workflow.now())
        message = "PortOne has not finished an earlier payment of this order; it is looked at until it has"
        return OrderAnswered(done=False, code="charge_unfinished", message=message)
    retrying.try_now(subscription, recording, workflow.now(), planned, Purpose.RETRY)
    return None


COMMAND = Command(
    name="retry",
    path="retry",
    summary="Charge the unpaid period now; it does not spend the budget of retries.",
    message=RetryNow,
    guard=guard,
    work=work,
    refusals=(NOTHING_TO_RETRY, HARD_DECLINED, refusals.PARKED),
    events=(EventType.CHARGE_PAID, EventType.CHARGE_DECLINED),
    faults=lambda message: [text("by", message.by, bounds.MAX_WHO)],
)
