"""One order, carried out by the main loop: checked once more, since the subscription may have moved meanwhile."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import (
    cancellation,
    card_change,
    changing,
    consenting,
    deciding,
    pausing,
    pg_checks,
    possible,
    resuming,
    retrying,
    trials,
)
from workflows.orders import (
    AnswerConsent,
    CancelAnswered,
    CancelChange,
    CancelSubscription,
    ChangePaymentMethod,
    ChangePlan,
    ChangeTrial,
    Decide,
    OrderAnswered,
    PauseSubscription,
    ResumeSubscription,
    RetryNow,
    UndoCancel,
)
from workflows.subscription_run import PlacedOrder, SubscriptionRun

Carry = Callable[[SubscriptionRun, Any], Awaitable[OrderAnswered | CancelAnswered]]

CARRY_OUT: Mapping[type, Carry] = MappingProxyType(
    {
        CancelSubscription: cancellation.carry_out,
        UndoCancel: cancellation.undo,
        PauseSubscription: pausing.pause,
        ResumeSubscription: resuming.resume,
        ChangePlan: changing.change,
        CancelChange: changing.cancel_change,
        ChangeTrial: trials.change,
        ChangePaymentMethod: card_change.change,
        RetryNow: retrying.retry_now,
        AnswerConsent: consenting.answer,
        Decide: deciding.decide,
    }
)


async def carry_out(run: SubscriptionRun, placed: PlacedOrder) -> None:
    """Do what the order says and leave the answer, or the refusal, on the desk."""
    try:
        possible.check(placed.order, run.state, run.plan, workflow.now(), run.customer_uid)
        pg_checks.check_again(placed.order, run.state, run.plan)
        placed.answer = await CARRY_OUT[type(placed.order)](run, placed.order)
    except ApplicationError as refusal:
        placed.refusal = refusal
