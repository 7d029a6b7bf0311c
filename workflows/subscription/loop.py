"""One step of a subscription: what comes first is done, and nothing in here waits."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.subscription.next_step import Step, next_step
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.charge import attempts
from workflows.subscription import carrying_out, outcomes, steps
from workflows.subscription.desk import Desk
from workflows.unexpected_payment import noticing


async def take(subscription: Subscription, recording: Recording, desk: Desk) -> Step | None:
    """Do what comes first; where nothing is to be done now, answers until when there is not.

    Where PortOne does not answer, the step is left, and taken again later: commands are heard meanwhile.
    """
    in_flight = subscription.state.in_flight
    asked_in_vain = in_flight.unanswered
    try:
        rest = await _take(subscription, recording, desk)
    except ActivityError:
        in_flight.asked_in_vain(workflow.now())
        return None
    waited = in_flight.asks_again_at is not None and in_flight.may_ask(workflow.now())
    if waited and in_flight.unanswered == asked_in_vain:
        in_flight.was_answered()
    return rest


async def _take(subscription: Subscription, recording: Recording, desk: Desk) -> Step | None:
    """A charge that is being made, what follows at once, a command, a notification, what is due; in this order."""
    if attempts.is_due(subscription, workflow.now()):
        proven = await attempts.go_on(subscription, recording)
        if proven is not None:
            await outcomes.follow(subscription, recording, desk, proven)
        return None
    in_flight = subscription.state.in_flight
    if in_flight.charge is not None and attempts.hear(subscription, recording, workflow.now()):
        return None
    step = next_step(subscription, workflow.now())
    if desk.commands and not step.at_once:
        await carrying_out.carry_out(subscription, recording, desk, desk.next_command())
    elif in_flight.may_ask(workflow.now()) and noticing.has_something_to_attend(subscription, listening=step.hears):
        await noticing.attend(subscription, recording, listening=step.hears)
    elif step.act is not None:
        await steps.take(step.act, subscription, recording, desk)
    elif recording.has_notes:
        # What comes while this is written is looked into before the wait.
        recording.close_reports(workflow.now())
    else:
        return step
    return None
