"""Webhooks to a real receiver: which are sent, where, how often, in which order (facts.md 3.3, 3.4)."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise


async def test_a_success_is_told_to_the_notice_url_or_else_to_the_configured_one(merchant, receiver):
    await merchant.issue()
    await merchant.again("m1", notice_url=f"{receiver.url}/token")
    await receiver.have(1)
    await merchant.again("m2")
    await receiver.have(2)
    assert receiver.seen == [("m1", "paid"), ("m2", "paid")]
    assert receiver.paths == ["/hook/token", "/hook"]
    assert receiver.content_types == ["application/json"] * 2


async def test_each_schedule_tells_its_own_notice_url(merchant, receiver):
    await merchant.issue()
    for name in ("a", "b"):
        await merchant.schedule(name, notice_url=f"{receiver.url}/{name}")
    await merchant.advance(3600)
    assert sorted(receiver.paths) == ["/hook/a", "/hook/b"]


async def test_without_any_url_nothing_is_sent(start):
    merchant = await start()
    await merchant.issue()
    await merchant.again("m1")
    assert await merchant.control("GET", "webhooks") == []


async def test_the_body_can_be_a_form(start, receiver):
    merchant = await start(webhook_url=receiver.url, webhook_encoding="form")
    await merchant.issue()
    payment = (await merchant.again("m1")).json()["response"]
    await receiver.have(1)
    assert receiver.content_types == ["application/x-www-form-urlencoded"]
    assert receiver.received == [{"imp_uid": payment["imp_uid"], "merchant_uid": "m1", "status": "paid"}]


async def test_a_webhook_is_sent_once_whatever_is_answered(merchant, receiver):
    receiver.statuses = [500]
    await merchant.issue()
    await merchant.schedule("m1")
    await merchant.advance(3600)
    await merchant.advance(3600)
    assert receiver.seen == [("m1", "paid")]
    attempts = await merchant.control("GET", "webhooks")
    assert [(hook["status"], hook["error"], hook["state"]) for hook in attempts] == [(500, None, "done")]


async def test_on_request_it_is_sent_again_each_minute_up_to_five_times(start, receiver):
    merchant = await start(webhook_url=receiver.url, webhook_retries=True)
    receiver.statuses = [503] * 9
    await merchant.issue()
    await merchant.schedule("m1")
    await merchant.advance(3600)
    for resend in range(1, 6):
        next_due = datetime.fromisoformat((await merchant.control("GET", "clock"))["next_due"])
        await merchant.control("POST", "clock", {"to": (next_due - timedelta(seconds=30)).isoformat()})
        assert len(receiver.received) == resend
        await merchant.control("POST", "clock", {"to": next_due.isoformat()})
        assert len(receiver.received) == resend + 1
    await merchant.advance(3600)
    assert receiver.seen == [("m1", "paid")] * 6
    attempts = await merchant.control("GET", "webhooks", params={"merchant_uid": "m1"})
    gaps = [later["at"] - sooner["at"] for sooner, later in pairwise(attempts)]
    assert all(60 <= gap < 62 for gap in gaps)
    assert [hook["attempt"] for hook in attempts] == [1, 2, 3, 4, 5, 6]
    assert {hook["status"] for hook in attempts} == {503}


async def test_resends_stop_with_the_first_200_and_never_follow_a_4xx(start, receiver):
    merchant = await start(webhook_url=receiver.url, webhook_retries=True)
    await merchant.issue()
    receiver.statuses = [500, 200, 404]
    await merchant.schedule("m1", after=60)
    await merchant.advance(600)
    await merchant.schedule("m2", after=60)
    await merchant.advance(600)
    assert receiver.seen == [("m1", "paid"), ("m1", "paid"), ("m2", "paid")]


async def test_a_receiver_that_is_away_is_tried_again_when_it_is_back(start, receiver):
    merchant = await start(webhook_retries=True)
    await merchant.issue()
    await merchant.schedule("m1", notice_url="http://127.0.0.1:1/nobody-listens")
    await merchant.advance(3600)
    attempts = await merchant.control("GET", "webhooks")
    assert [(hook["status"], hook["state"]) for hook in attempts] == [(0, "waiting")]
    assert attempts[0]["error"] == "ClientConnectorError"


async def test_an_advance_answers_after_its_webhooks_were_attempted(merchant, receiver):
    await merchant.issue()
    await merchant.schedule("m1")
    receiver.gate.clear()
    advance = asyncio.create_task(merchant.advance(3600))
    await receiver.have(1)
    assert not advance.done()
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["payment_status"] == "paid"
    receiver.gate.set()
    assert await advance == ["m1"]


async def test_a_clock_stands_still_until_the_webhooks_that_are_leaving_have_arrived(merchant, receiver):
    await merchant.issue()
    timeline = merchant.app.state.account.timeline
    receiver.gate.clear()
    await merchant.again("m1")
    await receiver.have(1)
    before = datetime.fromisoformat(timeline.describe("kim")["now"])
    advance = asyncio.create_task(timeline.advance(86400, None))
    await asyncio.sleep(0)
    # Whoever has nothing on its way is not held up.
    assert await timeline.advance(60, "another") == []
    assert not advance.done()
    assert datetime.fromisoformat(timeline.describe("kim")["now"]) - before < timedelta(hours=1)
    receiver.gate.set()
    assert await advance == []
    assert datetime.fromisoformat(timeline.describe("kim")["now"]) - before >= timedelta(days=1)


async def test_a_slow_receiver_of_one_order_does_not_hold_up_another(merchant, receiver):
    await merchant.issue()
    receiver.gate.clear()
    await merchant.again("m1")
    await receiver.have(1)
    await merchant.again("m2")
    await receiver.have(2)


async def test_webhooks_of_one_order_leave_in_order(merchant, receiver):
    await merchant.issue()
    receiver.gate.clear()
    payment = (await merchant.again("m1")).json()["response"]
    await merchant.ok("POST", "/payments/cancel", {"imp_uid": payment["imp_uid"], "enable_webhook": True})
    await merchant.again("m2")
    await receiver.have(2)
    assert receiver.seen == [("m1", "paid"), ("m2", "paid")]
    receiver.gate.set()
    await receiver.have(3)
    assert receiver.seen[2] == ("m1", "cancelled")


async def test_in_real_time_a_schedule_runs_by_itself(merchant, receiver):
    await merchant.issue()
    await merchant.schedule("m1", after=1)
    await receiver.have(1)
    assert receiver.seen == [("m1", "paid")]
    assert await merchant.now() >= (await merchant.charges())[0]["paid_at"]
