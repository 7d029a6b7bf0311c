"""Delivering the events of one customer_uid to one endpoint, in order, at least once.

The ledger knows what waits, in which order, and how often it was tried; this run only keeps the time. So it carries
nothing from one turn to the next, and may die, be terminated, reset or started again at any line: the ledger's next
turn is where it goes on. A later event waits while an earlier one is retried over three days. After its last attempt an
event is parked, and the next one has its turn: one message that an endpoint cannot take must not silence it for ever.
"""

from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, is_cancelled_exception

from billing.domain.delivery import MAX_ATTEMPTS
from workflows import policies
from workflows.events.contracts import (
    DeliveryDue,
    NextDelivery,
    SendAnswer,
    SendEvent,
    StartEventDelivery,
    sending_task_queue,
)
from workflows.ports import EventActivities


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class EventDeliveryWorkflow:
    """Delivers what waits, and ends when nothing is left; a bell that rings while it ends starts the next turn."""

    @workflow.init
    def __init__(self, start: StartEventDelivery) -> None:
        self._start = start
        self._rung = True

    @workflow.run
    async def run(self, start: StartEventDelivery) -> None:
        """Ask whose turn it is, wait until it is due, send, and ask again."""
        while True:
            if self._should_roll():
                # A bell that is not answered yet needs no carrying: the next run begins by asking.
                workflow.continue_as_new(start)
            # Before the question, never after it: a bell that rings during it may be of what the answer misses.
            self._rung = False
            turn = await self._next()
            if turn is None:
                # No await stands between this look and the end. A bell that comes later than it makes the server refuse
                # the end, and this is looked at again.
                if not self._rung:
                    return
            elif turn.due_at is not None and turn.due_at > workflow.now():
                await self._wait(turn, turn.due_at)
            else:
                await self._send(turn)

    @workflow.signal(description="An event waits. Carries nothing: the ledger knows which.")
    def event_waits(self) -> None:
        """Note the bell; a turn that is being waited for is asked for again, since another may come before it."""
        self._rung = True

    def _should_roll(self) -> bool:
        info, limit = workflow.info(), self._start.roll_after_events
        return info.is_continue_as_new_suggested() or (limit is not None and info.get_current_history_length() >= limit)

    async def _next(self) -> DeliveryDue | None:
        start = self._start
        order = NextDelivery(endpoint_id=start.endpoint_id, customer_uid=start.customer_uid, at=workflow.now())
        return await workflow.execute_activity_method(
            EventActivities.next_delivery, order, summary="whose turn it is", **policies.LEDGER
        )

    async def _wait(self, turn: DeliveryDue, due_at: datetime) -> None:
        at = f"{due_at:%Y-%m-%d %H:%M:%S} UTC"
        workflow.set_current_details(
            f"**{turn.type}** `{turn.event_id}` has failed {turn.attempts} of {MAX_ATTEMPTS} times.\n\n"
            f"Next attempt at {at}; later events of `{self._start.customer_uid}` wait for it."
        )
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._rung,
                timeout=due_at - workflow.now(),
                timeout_summary=f"attempt {turn.attempts + 1} of {turn.type} at {at}",
            )

    async def _send(self, turn: DeliveryDue) -> None:
        order = SendEvent(
            endpoint_id=self._start.endpoint_id,
            event_id=turn.event_id,
            attempt=turn.attempts + 1,
            at=workflow.now(),
        )
        summary = f"{turn.type}, attempt {order.attempt} of {MAX_ATTEMPTS}"
        try:
            answer = await workflow.execute_activity_method(
                EventActivities.send_event,
                order,
                task_queue=sending_task_queue(workflow.info().task_queue),
                summary=summary,
                **policies.SEND_ONCE,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            answer = SendAnswer()
        if answer.state is None:
            await workflow.sleep(policies.DELIVERY_PAUSE, summary=f"{turn.type} was not sent; ask again")
