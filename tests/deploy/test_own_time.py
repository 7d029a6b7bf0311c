"""What a question that waited for a worker does to the time of a run: the runner refuses it, on a real server."""

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
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


class Taking:
    """A runner whose instances take whatever they are given."""

    def create_instance(self, _det):
        return self

    def activate(self, _act):
        return WorkflowActivationCompletion(successful={})


def activation(job, *, begun, length, size, replaying=False):
    act = WorkflowActivation(history_length=length, history_size_bytes=size, is_replaying=replaying)
    act.timestamp.FromNanoseconds(begun)
    getattr(act.jobs.add(), job).SetInParent()
    return act


@pytest.mark.parametrize(
    ("then", "is_taken"),
    [
        (activation("fire_timer", begun=1, length=7, size=300), False),
        (activation("signal_workflow", begun=1, length=7, size=300), False),
        # A task of its own, though the server's clock went back, or its history has no size.
        (activation("fire_timer", begun=2, length=7, size=300), True),
        (activation("fire_timer", begun=1, length=7, size=400), True),
        # The same task goes on, a question decides nothing, and what is replayed has been answered already.
        (activation("do_update", begun=1, length=3, size=300), True),
        (activation("query_workflow", begun=1, length=7, size=300), True),
        (activation("fire_timer", begun=1, length=7, size=300, replaying=True), True),
    ],
    ids=lambda value: value.jobs[0].WhichOneof("variant") if isinstance(value, WorkflowActivation) else "",
)
def test_only_what_comes_before_its_task_has_begun_is_refused(then, is_taken):
    instance = DatedRunner(Taking()).create_instance(None)
    assert instance.activate(activation("initialize_workflow", begun=1, length=3, size=300)).HasField("successful")
    assert instance.activate(then).HasField("successful") is is_taken
