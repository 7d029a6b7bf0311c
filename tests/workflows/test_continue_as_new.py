"""Continue-as-new loses nothing: no bell, no order, no period."""

import asyncio

import pytest

from workflows.contracts import PaymentReported


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


async def test_time_does_not_go_on_before_a_run_that_continued_as_new_has_begun(stack):
    """Such a run has no task for up to a second, and does nothing: time that went on then passed over whole periods."""
    stack.roll_after(10)
    uid = await stack.start(plan={"name": "일간 이용권", "amount": 1000, "interval": "day"})
    await stack.advance(uid, days=2)
    assert await stack.agree(uid) == 3


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
