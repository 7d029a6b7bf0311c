"""An order to a running subscription: one update, and its answer, its refusal, or 202 while it is being done."""

import asyncio
import secrets
from typing import Any, TypeVar

from fastapi import Response
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from api.attempt import Attempt
from api.dependencies import Desk
from api.errors import Problem
from api.failures import cannot_go_on, run_cannot_go_on
from api.idempotency import Names, Once, answer
from api.running import StillOpen, is_gone, require_temporal, within
from api.views import subscription_view
from billing.domain.message import Message
from billing.domain.outcomes import CARD_GONE
from billing.domain.subscription.answers import OrderAnswered
from billing.ledger import SubscriptionRow
from workflows.subscription.commands.registry import BY_NAME
from workflows.subscription.workflow import SubscriptionWorkflow

Answered = TypeVar("Answered", bound=Message)

DECLINED = frozenset({"charge_declined", "charge_not_executed", "billing_key_refused", "schedule_refused"})
"""Orders that came to nothing because the card, or PortOne, said no."""


async def find_subscription(desk: Desk, customer_uid: str) -> SubscriptionRow:
    """What stands under a customer_uid: its newest life.

    Raises:
        Problem: 404 when there is none.
    """
    return (await find_shown(desk, customer_uid))[0]


async def find_shown(desk: Desk, customer_uid: str) -> tuple[SubscriptionRow, SubscriptionRow | None]:
    """What stands under a customer_uid, and the start after it that was refused, where there is one.

    Raises:
        Problem: 404 when there is none.
    """
    record, refused_start = await desk.ledger.shown_subscription(customer_uid)
    if record is None:
        raise Problem(404, "subscription_not_found", "there is no subscription under this customer_uid")
    return record, refused_start


async def order(
    desk: Desk, record: SubscriptionRow, update: str, message: Message, result: type[Answered], *, attempt: Attempt
) -> Answered | None:
    """The answer of one update; None while it is still being done.

    Raises:
        Problem: 409 or 422 with the code of the refusal.
    """
    handle = desk.temporal.get_workflow_handle_for(SubscriptionWorkflow.run, record.workflow_id)
    return await send_update(desk, handle, update, message, result, attempt=attempt)


async def send_update(
    desk: Desk,
    handle: WorkflowHandle[Any, Any],
    update: str,
    message: Message,
    result: type[Answered],
    *,
    attempt: Attempt,
) -> Answered | None:
    """The answer of one update of any workflow; None while it is still being done.

    The attempt's resource is the update's id: however often it is sent, Temporal does it once.

    Raises:
        Problem: 409 or 422 with the code of the refusal; 503 when no worker took it, so that it may never be done.
    """
    clock = asyncio.get_running_loop()
    until = clock.time() + desk.settings.first_answer_seconds
    await require_temporal(handle)
    attempt.leaves()
    taken = handle.start_update(
        update, message, id=attempt.resource, wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=result
    )
    try:
        started = await within(desk.settings.first_answer_seconds, taken)
        if started is None:
            # Temporal keeps an update for good only once it is accepted.
            detail = "no worker has taken the order yet, and one still may; send the same request again"
            raise StillOpen(503, "order_not_taken", detail)
        attempt.has_begun()
        answered = await within(max(0.0, until - clock.time()), started.result())
    except WorkflowUpdateFailedError as error:
        attempt.is_refused()
        raise _refusal(error, update) from None
    except RPCError as error:
        if is_gone(error):
            attempt.is_refused()
            raise ended() from None
        if cannot_go_on(error):
            # An earlier try of this request may have been taken before the run's code began to fail.
            stuck = run_cannot_go_on()
            raise StillOpen(stuck.status, stuck.code, stuck.detail) from None
        raise
    if answered is not None:
        attempt.is_settled()
    return answered


async def place(desk: Desk, customer_uid: str, update: str, message: Message, attempt: Attempt) -> Response:
    """Place an order and answer with the subscription as it stands after it.

    Raises:
        Problem: 404, 402 when a card was declined, 409 or 422 with the code of the refusal, 503 when its card is gone.
    """
    record = await find_subscription(desk, customer_uid)
    answered = await order(desk, record, update, message, OrderAnswered, attempt=attempt)
    if answered is None:
        return attempt.open_answer()
    if not answered.done:
        code = answered.code or "not_done"
        reason = answered.message or "it came to nothing"
        if code in DECLINED:
            raise Problem(402, "card_declined", reason, reason_code=code, merchant_uid=answered.merchant_uid)
        attempt.is_void()
        raise Problem(503 if code == CARD_GONE else 409, code, reason, merchant_uid=answered.merchant_uid)
    now = await find_subscription(desk, customer_uid)
    return answer(200, {**subscription_view(desk, now), "order": _order_view(answered)})


async def command(desk: Desk, once: Once, customer_uid: str, update: str, message: Message) -> Response:
    """Place an order once, however often its request is sent."""

    async def do(attempt: Attempt) -> Response:
        return await place(desk, customer_uid, update, message, attempt)

    return await once(new_order_id(), do, names=names_of(customer_uid), alone=False)


def names_of(customer_uid: str) -> Names:
    """What is asked for after an order: the subscription it was given to."""
    return lambda _: {"customer_uid": customer_uid}


def new_order_id() -> str:
    """The id of an order, which its update has in Temporal."""
    return f"o{secrets.token_hex(12)}"


def _order_view(answered: OrderAnswered) -> dict[str, Any]:
    return {
        "charge": answered.charge.value,
        "merchant_uid": answered.merchant_uid,
        "charged_amount": answered.charged.amount if answered.charged else None,
        "refunded_amount": answered.refunded.amount if answered.refunded else None,
    }


def refused(code: str, message: str, update: str) -> Problem:
    """The problem document of a command that the run will not take: it names the field that is wrong, if one is."""
    command = BY_NAME.get(update)
    refusal = command.refusal(code) if command is not None else None
    if command is None or refusal is None:
        # Of a PG's rule, or of another workflow's update: the subscription, or its PG, is not there now.
        return Problem(409, code, message)
    field = (command.instant or refusal.field) if refusal.field == "at" else refusal.field
    return Problem(refusal.status, code, message, field=field)


def ended() -> Problem:
    """Nothing can be ordered any more."""
    return Problem(409, "subscription_ended", "the subscription has already ended")


def _refusal(error: WorkflowUpdateFailedError, update: str) -> Problem:
    cause = error.cause
    code = (cause.type or "refused") if isinstance(cause, ApplicationError) else "refused"
    if code in ("SubscriptionEnded", "AcceptedUpdateCompletedWorkflow"):
        return ended()
    message = cause.message if isinstance(cause, ApplicationError) else "the command was refused"
    return refused(code, message, update)
