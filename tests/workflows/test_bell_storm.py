"""Thousands of bells on one subscription: none is lost, none charges anything, and the run still continues as new."""

import asyncio

import pytest

from billing.domain.subscription.reports import PaymentReported
from billing.ledger import ReceivedWebhook
from tests.facts import console, current, order_of, refunds_add_up, until
from tests.stack import now
from workflows import policies

pytestmark = pytest.mark.soak

STORM = 5000


async def rung(stack, uid, bells):
    """Ring all of them, many at once, as a storm of webhooks does."""
    handle, waiting = stack.handle(uid), iter(bells)

    async def some():
        for bell in waiting:
            await handle.signal("payment_reported", bell)

    await asyncio.gather(*(some() for _ in range(50)))


async def received(stack, bells):
    """Store some of them in the inbox, as the webhooks that rang them were: there their answers are seen."""
    for bell in bells:
        hook = ReceivedWebhook(bell.imp_uid, bell.merchant_uid, bell.status, "console", bell.cancellation_id)
        receipt = await stack.ledger.receive_webhook(hook, now())
        await stack.ledger.mark_rung(receipt.inbox_id, now())


async def chain(stack, uid):
    """How long each run of the chain was, and how often each activity was asked for."""
    lengths, activities = [], []
    async for run in stack.temporal.list_workflows(f'WorkflowId = "subscription/{uid}"'):
        events = (await stack.temporal.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()).events
        lengths.append(len(events))
        activities += [
            event.activity_task_scheduled_event_attributes.activity_type.name
            for event in events
            if event.HasField("activity_task_scheduled_event_attributes")
        ]
    return lengths, activities


async def test_five_thousand_bells_are_answered_cheaply_and_the_run_continues_as_new(stack):
    stack.roll_after(400)
    uid = await stack.start()
    await current(stack, uid)
    number = await order_of(stack, uid)
    bells = [
        PaymentReported(imp_uid=f"imp_{n // 10:012d}", merchant_uid=number, status="cancelled", cancellation_id=str(n))
        for n in range(STORM)
    ]
    seen = bells[::500]
    await received(stack, seen)
    await rung(stack, uid, bells)
    handle = stack.handle(uid)

    async def answered():
        hooks = [row for row in await stack.ledger.list_webhooks(number) if row.cancellation_id]
        description = (await handle.describe()).raw_description
        busy = description.pending_activities or description.HasField("pending_workflow_task")
        return not busy and len(hooks) == len(seen) and all(row.disposition is not None for row in hooks)

    await until(answered)
    lengths, activities = await chain(stack, uid)
    # A hundred at a time, with one look and one write, whatever their number; and the storm's run is left behind.
    assert activities.count("find_payment") == 0
    assert STORM / policies.PAYMENTS_AT_ONCE <= activities.count("find_reported") <= STORM / 20
    assert len(lengths) > 1
    assert (await handle.describe()).history_length < 1000
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


async def test_bells_that_name_one_payment_are_one_look_and_what_is_new_among_many_is_found(stack):
    uid = await stack.start()
    await current(stack, uid)
    number = await order_of(stack, uid)
    await stack.fault(path="webhook", kind="drop_webhook")
    second = await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=9900)
    noise = [
        PaymentReported(imp_uid=f"imp_{n % 5:012d}", merchant_uid=number, status="paid", cancellation_id=str(n))
        for n in range(300)
    ]
    news = PaymentReported(imp_uid=second["imp_uid"], merchant_uid=number, status="paid")
    await rung(stack, uid, [*noise[:150], news, *noise[150:]])
    handle = stack.temporal.get_workflow_handle(f"fact/{second['imp_uid']}")

    async def settled():
        return (await stack.ledger.list_refunds(number)) and await handle.result()

    assert (await until(settled))["state"] == "refunded"
    _, activities = await chain(stack, uid)
    assert activities.count("find_reported") <= 30
    assert await refunds_add_up(stack, number) == 9900
