"""One step of a subscription: what comes first is done, and nothing in here waits."""

from temporalio.exceptions import ActivityError

from workflows import attempts, commands, following, foreign, next_step
from workflows.next_step import Step
from workflows.subscription_run import SubscriptionRun


async def take(run: SubscriptionRun) -> Step | None:
    """Do what comes first; where nothing is to be done now, answers until when there is not.

    Where PortOne does not answer, the step is left, and taken again later: commands are heard meanwhile.
    """
    asked_in_vain = run.state.unanswered
    try:
        rest = await _take(run)
    except ActivityError:
        run.asked_in_vain()
        return None
    if run.state.asks_again_at is not None and run.state.unanswered == asked_in_vain and run.may_ask:
        run.was_answered()
    return rest


async def _take(run: SubscriptionRun) -> Step | None:
    """A charge that is being made, what follows at once, a command, a notification, what is due; in this order."""
    if attempts.is_due(run):
        proven = await attempts.go_on(run)
        if proven is not None:
            await following.follow(run, proven)
        return None
    if run.state.charge is not None and attempts.hear(run):
        return None
    step = next_step.next_step(run)
    listening = next_step.where_it_stands(run).hears
    if run.orders and not step.at_once:
        await commands.carry_out(run, run.orders.pop(0))
    elif run.may_ask and foreign.has_something_to_attend(run, listening=listening):
        await foreign.attend(run, listening=listening)
    elif step.act is not None:
        await step.act(run)
    elif run.has_answers:
        # What comes while this is written is looked into before the wait.
        await run.close_answered_bells()
    else:
        return step
    return None
