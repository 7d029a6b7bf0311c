"""An answer that is lost is looked up; only proof closes unknown, and never with a second order number."""

import asyncio


async def sendings(stack, uid):
    return [charge.sends for charge in await stack.ledger.list_charges(customer_uid=uid)]


async def test_an_answer_lost_after_the_charge_is_settled_by_a_look_up(stack):
    uid = await stack.start(card="4518-4212-3456-0005")
    assert (await stack.subscription(uid))["status"] == "active"
    assert await sendings(stack, uid) == [1, 0]
    assert await stack.agree(uid) == 1


async def test_a_500_before_the_charge_waits_out_the_quiet_window_then_sends_the_same_number(stack):
    stack.quick()
    await stack.fault(path="again", kind="500_before", count=1)
    uid = await stack.start(expect=202)
    await stack.advance(uid, minutes=5)
    assert await sendings(stack, uid) == [1]
    assert (await stack.subscription(uid))["status"] == "incomplete"
    await stack.advance(uid, minutes=10)
    assert await sendings(stack, uid) == [2, 0]
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1


async def test_a_500_after_the_charge_is_paid_and_sent_once(stack):
    await stack.fault(path="again", kind="500_after", count=1)
    uid = await stack.start()
    assert await sendings(stack, uid) == [1, 0]
    assert await stack.agree(uid) == 1


async def test_garbage_for_an_answer_is_unknown_and_not_a_decline(stack):
    await stack.fault(path="again", kind="garbage", count=1)
    uid = await stack.start()
    assert await stack.agree(uid) == 1


async def test_a_429_is_sent_again_under_the_same_number(stack):
    stack.quick()
    await stack.fault(path="again", kind="429", count=1)
    uid = await stack.start(expect=202)
    await stack.advance(uid, seconds=20)
    assert await sendings(stack, uid) == [2, 0]
    assert await stack.agree(uid) == 1


async def test_a_refused_card_starts_nothing_and_leaves_no_key(stack):
    answer = await stack.refused_start(card="4518-4212-3456-0001")
    assert (answer["status"], answer["code"]) == (402, "card_declined")
    assert "0001" not in answer["detail"]


async def test_a_first_charge_that_is_declined_ends_the_start_and_deletes_its_key(stack):
    answer = await stack.refused_start("declined_1", card="4518-4212-3456-0002")
    assert answer["code"] == "card_declined"
    assert await stack.portone.find_billing_key("declined_1") is None
    assert (await stack.subscription("declined_1"))["status"] == "incomplete_expired"
    # The same customer_uid may be started again with another card.
    await stack.start("declined_1")
    assert await stack.agree("declined_1") == 1


async def test_an_issued_key_whose_answer_is_lost_is_found_and_used(stack):
    await stack.fault(path="customers", kind="drop_after", count=1)
    uid = await stack.start()
    assert await stack.agree(uid) == 1


async def test_a_schedule_whose_answer_is_lost_stands_once(stack):
    await stack.fault(path="schedule", kind="drop_after", count=1)
    uid = await stack.start()
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


async def test_a_schedule_that_never_arrived_is_registered_again(stack):
    await stack.fault(path="schedule", kind="500_before", count=2)
    uid = await stack.start()
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


async def test_a_wrong_amount_is_never_booked_as_paid(stack):
    uid = await stack.start()
    number = (await stack.snapshot(uid))["merchant_uid"]
    # A person registers another amount under the same order number in PortOne's console.
    schedules = stack.account().world.store["schedules"]
    while number not in schedules:
        await asyncio.sleep(0.02)
    schedules[number]["amount"] = 1
    await stack.advance(uid, days=32)
    charge = await stack.ledger.get_charge(number)
    assert charge.state == "mismatch"
    shown = await stack.subscription(uid)
    assert "amount" in shown["parked_reason"]


async def test_a_worker_that_dies_inside_the_charge_never_sends_it_twice(stack):
    stack.quick()
    # The mark in the ledger is what a dead worker leaves behind; the next one finds it and only looks.
    async with stack.holding("again") as came:
        uid = await stack.start(expect=202)
        await came.wait()
        await stack.restart_worker()
    await stack.advance(uid, minutes=15)
    assert await stack.agree(uid) == 1
    assert len((await stack.books(uid))["charges"]) == 1
