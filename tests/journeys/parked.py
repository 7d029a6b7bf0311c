"""What the journeys of parked things share."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from tests.facts import (
    console,
    current,
    decide,
    kept,
    stands,
    state_of,
)


async def mispriced(stack, won=100):
    """A subscription whose second period PortOne has charged another amount for; answers it and the order number."""
    uid = await stack.start()
    number = await current(stack, uid)
    stack.account().world.store["schedules"][number]["amount"] = won
    await console(stack, "execute", merchant_uid=number)
    await stands(stack, uid, "charge_mismatch")
    return uid, number


async def unknowable(stack):
    """A subscription whose second charge PortOne says it ran, and shows no payment of; answers both."""
    uid = await stack.start()
    number = await current(stack, uid)
    await stack.fault(path="webhook", kind="drop_webhook")
    payment = await console(stack, "execute", merchant_uid=number)
    hidden = stack.account().world.store["payments"][payment["imp_uid"]]
    stack.account().world.store.drop("payments", payment["imp_uid"])
    await stack.advance(uid, days=38)
    await stands(stack, uid, "charge_unknown")
    return uid, number, hidden


async def decisions_of(stack, uid):
    """What was decided, by whom and why."""
    answer = await stack.api.get(f"/v1/parked/{uid}/decisions")
    return [(row["kind"], row["decision"], row["by"], row["reason"]) for row in answer.json()["decisions"]]


async def went_by(stack, workflow_id, **time):
    """Let time pass for what stands parked, until its run has ended or the time is over; what it came to, if it has."""
    skipper = TimeSkipper(stack.temporal, config=TimeSkippingConfig(enabled=False, max_session_skip_count=100))
    handle = skipper.client.get_workflow_handle(workflow_id)
    with contextlib.suppress(RPCError):  # it has ended meanwhile
        await skipper.fast_forward(handle, timedelta(**time))
    if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
        return None
    return await handle.result()


async def decided_during_a_look(stack, uid, watcher, path, **until_the_look):
    """A decision that comes while the daily look, by calls of this path, is finding that nothing stands any more."""
    handle = stack.temporal.get_workflow_handle(watcher)
    async with stack.holding(path) as came:
        look = asyncio.create_task(went_by(stack, watcher, **until_the_look))
        await came.wait()
        decision = asyncio.create_task(decide(stack, uid, "keep", expect=409))
        while not await is_taken(handle):
            await asyncio.sleep(0.02)
    return (await decision)["code"], await look


async def is_taken(handle):
    """Whether a worker has taken an update of this run."""
    events = (await handle.fetch_history()).events
    return any(event.HasField("workflow_execution_update_accepted_event_attributes") for event in events)


async def count_of(stack, query):
    return (await stack.temporal.count_workflows(query)).count == 1


async def holds(stack, number, won):
    return await kept(stack, number) == won


async def stands_as(stack, number, state):
    return await state_of(stack, number) == state
