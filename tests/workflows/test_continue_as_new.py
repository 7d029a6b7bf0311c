"""Continue-as-new loses nothing: no bell, no order, no period."""

import asyncio
from types import SimpleNamespace

import pytest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowExecutionStatus

from api.clock import SubscriptionClock
from billing.domain.subscription.reports import PaymentReported
from tests.facts import look_again


@pytest.mark.soak
async def test_a_subscription_rolls_at_its_limit_and_goes_on(stack):
    stack.roll_after(60)
    uid = await stack.start()
    await stack.advance(uid, days=370)
    assert await stack.agree(uid) == 13
    description = await stack.handle(uid).describe()
    first = await stack.temporal.get_workflow_handle(f"subscription/{uid}").describe()
    assert description.run_id == first.run_id
    assert description.raw_description.workflow_execution_info.first_run_id != description.run_id
    assert description.history_length < 150


@pytest.mark.parametrize("status", [WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW])
async def test_time_does_not_go_on_before_a_run_that_continued_as_new_has_begun(status):
    """Such a run has no task for up to a second, and does nothing: time that went on then passed over whole periods."""
    answers = [(1, False), (1, False), (2, True), (3, True), (4, False)]

    class Run:
        async def describe(self):
            length, has_task = answers.pop(0)
            raw = DescribeWorkflowExecutionResponse()
            if has_task:
                raw.pending_workflow_task.attempt = 1
            return SimpleNamespace(history_length=length, status=status, raw_description=raw)

    clock = SubscriptionClock.__new__(SubscriptionClock)
    clock._handle = Run()
    assert (await clock._settled()).status is status
    assert answers == []


async def test_a_run_that_has_ended_is_not_waited_for():
    class Run:
        async def describe(self):
            ended = WorkflowExecutionStatus.TERMINATED
            return SimpleNamespace(history_length=2, status=ended, raw_description=DescribeWorkflowExecutionResponse())

    clock = SubscriptionClock.__new__(SubscriptionClock)
    clock._handle = Run()
    assert (await clock._settled()).status is WorkflowExecutionStatus.TERMINATED


async def test_bells_rung_around_the_roll_are_all_answered_and_charge_nothing(stack):
    stack.roll_after(40)
    uid = await stack.start()
    handle = stack.handle(uid)

    async def ring(n):
        bell = PaymentReported(imp_uid=f"imp_{n:012d}", merchant_uid="s" + "0" * 19 + "00001a", status="paid")
        await handle.signal("payment_reported", bell)

    await asyncio.gather(*(ring(n) for n in range(40)), stack.advance(uid, days=70))
    await stack.advance(uid, days=1)
    assert (await stack.snapshot(uid))["status"] == "active"
    looked_up = await answered(stack, uid)
    assert looked_up == 40
    assert await stack.agree(uid) == 3


async def test_a_cancel_that_meets_the_roll_is_answered(stack):
    stack.roll_after(30)
    uid = await stack.start()
    moving = asyncio.create_task(stack.advance(uid, days=400))
    await asyncio.sleep(0)
    told = await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})
    await moving
    assert told.status_code == 200, told.text
    assert (await stack.subscription(uid))["status"] == "canceled"
    await stack.agree(uid)


async def fill_up(stack, uid, events):
    """Reports of payments that nobody knows, until the history is so long; the run may do nothing meanwhile."""
    handle = stack.handle(uid)
    for n in range(events):
        if (await handle.describe()).history_length > events:
            return
        await handle.signal(
            "payment_reported", PaymentReported(imp_uid=f"imp_{n:012d}", merchant_uid="n", status="paid")
        )


async def has_rolled(stack, uid):
    raw = (await stack.handle(uid).describe()).raw_description.workflow_execution_info
    return raw.first_run_id != raw.execution.run_id


@pytest.mark.parametrize(
    ("call", "order", "came"),
    [
        pytest.param("unschedule", ("cancel", {}), {"cancel_at_period_end": True, "charge": "revoked"}, id="cancel"),
        pytest.param("unschedule", ("pause", {"at": "now"}), {"status": "paused"}, id="pause"),
        pytest.param("again", ("change-plan", {"at": "now", "quantity": 2}), {"quantity": 2}, id="change"),
    ],
)
async def test_a_command_that_is_carried_out_while_the_history_becomes_full_has_its_answer(stack, call, order, came):
    stack.roll_after(120)
    uid = await stack.start()
    await stack.advance(uid, days=10)
    path, body = order
    async with stack.holding(call) as is_called:
        asking = asyncio.create_task(stack.order(uid, path, **body))
        await is_called.wait()
        await fill_up(stack, uid, 130)
    answer = await asking
    assert answer.items() >= came.items()
    await look_again(stack, uid)
    assert await has_rolled(stack, uid)
    shown = await stack.subscription(uid)
    assert shown.items() >= {name: value for name, value in came.items() if name != "charge"}.items()
    await stack.agree(uid)


async def answered(stack, uid):
    """How many bells the whole chain of runs looked up and closed as `mismatch` (PortOne knows none of them)."""
    names = 0
    async for run in stack.temporal.list_workflows(f'WorkflowId = "subscription/{uid}"'):
        handle = stack.temporal.get_workflow_handle(run.id, run_id=run.run_id)
        for event in (await handle.fetch_history()).events:
            if event.activity_task_scheduled_event_attributes.activity_type.name == "find_reported":
                payload = event.activity_task_scheduled_event_attributes.input.payloads[0].data
                names += payload.count(b"imp_0000000000")
    return names
