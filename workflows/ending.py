"""The two ways in which a subscription that was alive is over; what somebody else left on its key is asked for then."""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.events import EventType
from billing.domain.states import CycleState, SubscriptionStatus
from workflows import failing, leaving, telling
from workflows.subscription_run import SubscriptionRun

_NOT_YET_CHARGED = frozenset({CycleState.PLANNED, CycleState.GATED, CycleState.DUE})


async def cancel(run: SubscriptionRun, reason: str) -> None:
    """Be canceled from this moment on; a number that never left here is let go."""
    state = run.state
    if state.status is SubscriptionStatus.INCOMPLETE:
        await failing.give_up(run, reason)
        return
    if state.cycle_state in _NOT_YET_CHARGED and not state.sends:
        run.close_number(CycleState.SKIPPED, reason)
    state.end(SubscriptionStatus.CANCELED, workflow.now(), reason)
    run.tell(EventType.SUBSCRIPTION_CANCELED, f"canceled: {reason}", telling.subscription(run))
    await run.write("canceled")
    await _look_once_more(run)


async def expire(run: SubscriptionRun) -> None:
    """Every period of the term was paid for and is over: there is nothing to go on with."""
    run.state.end(SubscriptionStatus.EXPIRED, workflow.now(), "the fixed term is done")
    run.tell(EventType.SUBSCRIPTION_EXPIRED, "the fixed term is done", telling.subscription(run))
    await run.write("the fixed term is done")
    await _look_once_more(run)


async def _look_once_more(run: SubscriptionRun) -> None:
    """Ask what is left on the key; where PortOne does not answer, the run asks on before it is over."""
    with suppress(ActivityError):
        await leaving.look_once_more(run)
