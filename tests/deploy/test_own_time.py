"""What a question that waited for a worker does to the time of a run: the runner refuses it, on a real server."""

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.testing import TimeSkipper, TimeSkippingConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from billing.workflow_runner import ASK_AGAIN, DatedRunner

A_MONTH = timedelta(days=30)


@workflow.defn(sandboxed=False)
class Sleeper:
    """Waits for its day, and notes the instants at which it wakes."""

    def __init__(self):
        self.woken = []
        self.rung = False

    @workflow.run
    async def run(self) -> list[datetime]:
        day = workflow.now() + A_MONTH
        while workflow.now() < day:
            self.rung = False
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(lambda: self.rung, timeout=day - workflow.now())
            self.woken.append(workflow.now())
        return self.woken

    @workflow.signal
    def ring(self):
        self.rung = True

    @workflow.query
    def noted(self):
        return self.woken


@pytest.mark.parametrize("rung", [False, True], ids=["its_day_comes", "a_webhook_rings"])
async def test_a_run_acts_at_the_times_of_its_tasks_whoever_asked_while_no_worker_was_up(dev_server, rung):
    skipper = TimeSkipper(dev_server.client, config=TimeSkippingConfig(enabled=False))
    queue = f"sleepers-{uuid.uuid4().hex[:8]}"

    def working():
        runner = DatedRunner(UnsandboxedWorkflowRunner())
        return Worker(dev_server.client, task_queue=queue, workflows=[Sleeper], unsandboxed_workflow_runner=runner)

    async with working():
        handle = await skipper.client.start_workflow(
            Sleeper.run, id=queue, task_queue=queue, task_timeout=timedelta(seconds=1)
        )
        assert await handle.query(Sleeper.noted) == []
    asking = [asyncio.create_task(handle.query(Sleeper.noted)) for _ in range(3)]
    # Longer than they take to the server, which tells nobody that a question waits there.
    await asyncio.wait(asking, timeout=0.2)
    if rung:
        await handle.signal(Sleeper.ring)
    else:
        await skipper.fast_forward(handle, A_MONTH + timedelta(seconds=1))

    async with working():
        (first, *_), others = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert str(first.exception() or ASK_AGAIN) == ASK_AGAIN
        for other in others:
            other.cancel()
        await skipper.fast_forward(handle, A_MONTH)
        woken = await handle.result()
    begun = [
        event.event_time.ToDatetime(tzinfo=UTC)
        for event in (await handle.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
    ]
    assert len(woken) == (2 if rung else 1)
    for instant in woken:
        assert min(abs(instant - task) for task in begun[1:]) < timedelta(milliseconds=1)
