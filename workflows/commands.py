"""One command, carried out by the loop: checked once more, since the subscription may have moved meanwhile."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from billing.domain import refusals
from billing.domain.subscription.answers import CancelAnswered, OrderAnswered
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
    CancelChange,
    CancelSubscription,
    ChangePaymentMethod,
    ChangePlan,
    ChangeTrial,
    Decide,
    PauseSubscription,
    ResumeSubscription,
    RetryNow,
    UndoCancel,
)
from workflows.subscription_run import PlacedOrder, SubscriptionRun

Carry = Callable[[SubscriptionRun, Any], Awaitable[OrderAnswered | CancelAnswered | None]]

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
    """Do what the command says, and leave its answer or refusal to be told when nothing more is to be done at once.

    One whose charge or refunds are under way is answered when their outcome is proven; others are heard meanwhile.
    """
    try:
        possible.check(placed.order, run.state, run.plan, workflow.now(), run.customer_uid)
        pg_checks.check_again(placed.order, run.state, run.plan)
        _check_that_nothing_is_open(run, placed)
        placed.answer = await CARRY_OUT[type(placed.order)](run, placed.order)
    except ApplicationError as refusal:
        placed.refusal = refusal
    except ActivityError:
        run.asked_in_vain()
        placed.refusal = _refused("portone_unavailable", "PortOne does not answer, and nothing was changed")
    if placed.answer is None and placed.refusal is None:
        _is_under_way(run, placed)
    else:
        run.told_later(placed)
        if run.asking is not None and run.state.charge is None and not run.state.refunds:
            # It was stopped before it left: whoever asked for it is told.
            _is_over(run, run.asking)
            run.asking = None


def _is_over(run: SubscriptionRun, asking: PlacedOrder) -> None:
    asking.refusal = _refused("SubscriptionEnded", "the subscription was canceled meanwhile, and nothing was charged")
    run.told_later(asking)


def _is_under_way(run: SubscriptionRun, placed: PlacedOrder) -> None:
    if run.asking is not None:
        # Only an end goes beside a charge that somebody asked for: that one is answered by its own outcome.
        run.asking.refusal = _refused("SubscriptionEnded", "the subscription was canceled meanwhile")
        run.told_later(run.asking)
    run.asking = placed


def _check_that_nothing_is_open(run: SubscriptionRun, placed: PlacedOrder) -> None:
    """Refuse a command that would act beside a charge whose outcome nobody knows; an end is always possible."""
    if run.state.charge is not None and not isinstance(placed.order, CancelSubscription):
        message = "a charge is being made, and nobody knows yet what it came to"
        raise _refused("charge_open", message)


def _refused(code: str, message: str) -> ApplicationError:
    return ApplicationError(refusals.told(code, message), type=code, non_retryable=True)
