"""A run that continues as new leaves nothing behind that was answered and is not written yet."""

import asyncio
from datetime import datetime, timedelta

from billing.domain.subscription.reports import PaymentReported
from billing.ledger import ReceivedWebhook
from tests.stack import now

LIMIT = 300


async def test_what_is_answered_while_the_history_becomes_full_is_written_before_the_run_goes_on(stack):
    stack.roll_after(LIMIT)
    uid = await stack.start()
    await stack.advance(uid, days=1)
    ends = datetime.fromisoformat((await stack.subscription(uid))["current_period_end"])
    await stack.order(uid, "pause", at="period_end", resumes_at=(ends + timedelta(days=10)).isoformat())
    # The charge with which it resumes by itself is not answered: what came of it is open for ten minutes.
    await stack.fault(path="retry", kind="500_before", count=1)
    resumes_in = ends + timedelta(days=10, minutes=1) - now() - timedelta(days=1)
    await stack.advance(uid, seconds=resumes_in.total_seconds())
    number, handle = (await stack.snapshot(uid))["merchant_uid"], stack.handle(uid)
    assert (await stack.ledger.get_charge(number)).sends == 1
    hook = ReceivedWebhook("imp_000000000099", number, "paid", "console", "", f"subscription/{uid}")
    receipt = await stack.ledger.receive_webhook(hook, now())
    await stack.ledger.mark_rung(receipt.inbox_id, now())
    async with stack.holding("findAll") as is_asked:
        bell = PaymentReported(imp_uid=hook.imp_uid, merchant_uid=number, status=hook.status)
        await handle.signal("payment_reported", bell)
        await is_asked.wait()
        before = await handle.describe()
        assert before.history_length < LIMIT
        for n in range(LIMIT):
            await handle.signal("look_again", {"merchant_uid": f"n{n:04}", "reason": "test"})
    await stack.advance(uid, minutes=30)
    while (await handle.describe()).run_id == before.run_id:
        await asyncio.sleep(0.05)
    await stack.settled(uid)
    (row,) = [row for row in await stack.ledger.list_webhooks(number) if row.imp_uid == hook.imp_uid]
    assert row.disposition is not None
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 2
