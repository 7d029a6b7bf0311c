"""A cancel is answered truthfully in the same call: the charge was stopped, or it had already run."""

import asyncio

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.stack import now


async def cancel(stack, uid, **body):
    answer = await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_cancel_now_revokes_the_next_charge(stack):
    uid = await stack.start()
    number = await scheduled(stack, uid)
    told = await cancel(stack, uid, at="now", reason="그만 쓸래요")
    assert (told["status"], told["charge"], told["merchant_uid"]) == ("canceled", "revoked", number)
    assert (await stack.portone.find_schedule(number)).schedule_status == "revoked"
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 40 * 86400, "customer_uid": uid})
    assert await stack.agree(uid) == 1
    assert (await stack.subscription(uid))["end_reason"] == "그만 쓸래요"


@pytest.mark.soak
async def test_a_cancel_at_period_end_keeps_the_paid_period_and_charges_no_more(stack):
    uid = await stack.start()
    await scheduled(stack, uid)
    told = await cancel(stack, uid)
    assert (told["status"], told["charge"], told["cancel_at_period_end"]) == ("active", "revoked", True)
    await stack.advance(uid, days=15)
    assert (await stack.subscription(uid))["status"] == "active"
    await stack.advance(uid, days=20)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await stack.agree(uid) == 1


async def test_when_the_charge_wins_the_caller_is_told_and_it_is_booked(stack):
    uid = await stack.start()
    number = await scheduled(stack, uid)
    # PortOne runs the schedule while nobody hears of it, then the cancel comes.
    await stack.fault(path="webhook", kind="drop_webhook")
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 32 * 86400, "customer_uid": uid})
    told = await cancel(stack, uid, at="now")
    assert (told["status"], told["charge"]) == ("canceled", "paid")
    assert told["charged_amount"] == 9900
    charge = await stack.ledger.get_charge(number)
    assert (charge.state, charge.imp_uid) == ("paid", told["charged_imp_uid"])
    assert await stack.agree(uid) == 2


async def test_an_ended_subscription_refuses_a_cancel_with_409(stack):
    uid = await stack.start()
    await cancel(stack, uid, at="now")
    answer = await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})
    assert (answer.status_code, answer.json()["code"]) == (409, "subscription_ended")


@pytest.mark.soak
async def test_two_cancels_at_once_are_both_answered(stack):
    uid = await stack.start()
    await scheduled(stack, uid)
    first, second = await asyncio.gather(
        *(stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"}) for _ in range(2))
    )
    assert sorted([first.status_code, second.status_code]) in ([200, 200], [200, 409])
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_an_ended_customer_uid_may_be_started_again_with_new_order_numbers(stack):
    uid = await stack.start()
    before = {charge["merchant_uid"] for charge in await stack.charges(uid)}
    await cancel(stack, uid, at="now")
    await stack.start(uid, payment_method={"billing_key": True})
    after = {charge["merchant_uid"] for charge in await stack.charges(uid)} - before
    assert len(after) == 2
    assert await stack.agree(uid) == 2


async def scheduled(stack, uid):
    """The next charge's order number, once it stands at PortOne."""
    number = (await stack.snapshot(uid))["merchant_uid"]
    limit = now().timestamp() + PATIENCE_SECONDS
    while await stack.portone.find_schedule(number) is None:
        assert now().timestamp() < limit
        await asyncio.sleep(0.02)
    return number
