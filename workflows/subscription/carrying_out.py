"""One command, carried out by the loop: checked once more, since the subscription may have moved meanwhile."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.refusals import CHARGE_OPEN, ENDED, PORTONE_UNAVAILABLE, RefusedError
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.subscription.commands.command import Answer
from workflows.subscription.commands.failures import as_failure
from workflows.subscription.commands.registry import check, command_of
from workflows.subscription.desk import Desk, Placed


async def carry_out(subscription: Subscription, recording: Recording, desk: Desk, placed: Placed) -> None:
    """Do what the command says, and leave its answer or refusal to be told when nothing more is to be done at once.

    One whose charge or refunds are under way is answered when their outcome is proven; others are heard meanwhile.
    """
    try:
        placed.answer = await _work(subscription, recording, placed)
    except RefusedError as refused:
        placed.refusal = as_failure(refused)
    except ActivityError:
        subscription.state.in_flight.asked_in_vain(workflow.now())
        away = RefusedError(PORTONE_UNAVAILABLE, "PortOne does not answer, and nothing was changed")
        placed.refusal = as_failure(away)
    if placed.answer is None and placed.refusal is None:
        desk.is_under_way(placed, as_failure(RefusedError(ENDED, "the subscription was canceled meanwhile")))
        return
    desk.tell_later(placed)
    if subscription.state.in_flight.charge is None and not subscription.state.refunds.under_way:
        # What somebody had asked for was stopped before it left: they are told.
        why = "the subscription was canceled meanwhile, and nothing was charged"
        desk.refuse_asking(as_failure(RefusedError(ENDED, why)))


async def _work(subscription: Subscription, recording: Recording, placed: Placed) -> Answer | None:
    command = command_of(placed.command)
    check(placed.command, subscription, workflow.now())
    if subscription.state.in_flight.charge is not None and not command.beside_a_charge:
        # It would act beside a charge whose outcome nobody knows; an end is always possible.
        raise RefusedError(CHARGE_OPEN, "a charge is being made, and nobody knows yet what it came to")
    return await command.work(subscription, recording, placed.command)
