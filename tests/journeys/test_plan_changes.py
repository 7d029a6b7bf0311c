"""Changes of plan, quantity and coupon: with the next period, in time or not, paid or not known to be."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.facts import decide, fact, stands
from tests.journeys.plans import (
    APPROVED_LATE,
    BASIC,
    GOOD,
    INSUFFICIENT_FUNDS,
    PREMIUM,
    change,
    coupon,
    from_now_on,
    paid,
    standing,
    thirty_days,
    year,
)
from tests.soaking import soaking

# ---------------------------------------------------------------- what does not come to pass


async def test_a_change_whose_payment_is_declined_changes_nothing_and_the_old_charge_stands_again(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    before = await standing(stack, uid)
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    refused = await stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=402)
    assert (refused["code"], refused["reason_code"]) == ("card_declined", "charge_declined")
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["plan"]["name"], shown["next_amount"]) == ("active", "베이직", 9000)
    assert await standing(stack, uid) == before == ("scheduled", 9000, before[2])
    assert [(row["kind"], row["state"]) for row in await stack.charges(uid)][-2:] == [
        ("change", "declined"),
        ("cycle", "planned"),
    ]
    assert await stack.agree(uid) == 1
    assert (await stack.events(uid))[-1] == "plan_change.declined"
    assert "the change was not paid" in await stack.story(uid)


@pytest.mark.soak
async def test_a_change_that_costs_nothing_to_the_past_due_the_paused_or_the_ended_is_refused(stack):
    uid = await stack.start(plan=BASIC)
    await stack.order(uid, "pause", at="now")
    refused = await stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=409)
    assert refused["code"] == "not_active"
    await stack.order(uid, "cancel", at="now")
    for path in ("change-plan", "change-plan/preview"):
        assert (await stack.order(uid, path, quantity=2, expect=409))["code"] == "subscription_ended"
    owing = await stack.start(plan=thirty_days(trial_days=1), card="4518-4212-3456-0002")
    await stack.advance(owing, days=1, hours=1)
    for path in ("change-plan", "change-plan/preview"):
        assert (await stack.order(owing, path, quantity=2, at="now", expect=409))["code"] == "period_unpaid"


@pytest.mark.soak
async def test_a_change_that_was_declined_and_is_approved_late_is_given_back_and_changes_nothing(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    from_now_on(stack, uid, APPROVED_LATE)
    await stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=402)
    await stack.advance(uid, minutes=20)
    (row,) = [row for row in await stack.charges(uid) if row["kind"] == "change"]
    settled = await fact(stack, row["imp_uid"])
    assert (settled["state"], settled["amount"]["amount"]) == ("refunded", 14000)
    assert (await stack.subscription(uid))["plan"]["name"] == "베이직"
    from_now_on(stack, uid, GOOD)
    await stack.advance(uid, days=20)
    assert await paid(stack, uid) == [9000, 9000]
    assert await stack.agree(uid) == 2
    assert (await stack.events(uid)).count("charge.late_paid") == 1


@pytest.mark.soak
async def test_a_change_that_portone_charged_in_another_amount_is_not_applied_and_a_person_decides(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    execution = stack.account().execution
    attempt = execution.attempt
    execution.attempt = lambda order, *rest, **more: attempt({**order, "amount": 100}, *rest, **more)
    told = await stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=409)
    execution.attempt = attempt
    assert told["code"] == "charge_mismatch"
    assert (await stack.subscription(uid))["plan"]["name"] == "베이직"
    item = await stands(stack, uid, "change_mismatch")
    await decide(stack, uid, "paid", parked_id=item["parked_id"])
    shown = await stack.subscription(uid)
    assert (shown["balance"], shown["next_amount"]) == (-100, 8900)
    await stack.advance(uid, days=20, hours=1)
    assert await paid(stack, uid) == [9000, 14000, 8900]


@pytest.mark.parametrize("fault", soaking(["drop_after", "500_after", "garbage"], beside=["drop_after"]))
async def test_a_change_whose_answer_is_lost_is_found_by_a_look_and_applied_once(stack, fault):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    await stack.fault(path="again", kind=fault, count=1)
    answer = await change(stack, uid, plan=PREMIUM, at="now")
    assert (answer["plan"]["name"], answer["order"]["charge"]) == ("프리미엄", "paid")
    (row,) = [row for row in await stack.ledger.list_charges(customer_uid=uid) if row.kind == "change"]
    assert (row.amount.amount, row.sends) == (14000, 1)
    await stack.advance(uid, days=21)
    assert await paid(stack, uid) == [9000, 14000, 30000]
    assert await stack.agree(uid) == 3


@pytest.mark.soak
async def test_a_change_of_which_nobody_knows_whether_it_was_paid_waits_and_is_sent_again_as_the_same(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    stack.quick()
    await stack.fault(path="again", kind="500_before", count=1)
    answer = await stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=202)
    assert answer["status"] == "pending"
    assert (await stack.subscription(uid))["plan"]["name"] == "베이직"
    await stack.advance(uid, minutes=5)
    assert await paid(stack, uid) == [9000]
    await stack.advance(uid, minutes=10)
    assert (await stack.subscription(uid))["plan"]["name"] == "프리미엄"
    (row,) = [row for row in await stack.ledger.list_charges(customer_uid=uid) if row.kind == "change"]
    assert (row.amount.amount, row.sends, row.state) == (14000, 2, "paid")
    assert await stack.agree(uid) == 2


@pytest.mark.parametrize("charged", soaking([False, True], beside=[True]))
async def test_a_worker_that_dies_inside_the_charge_of_a_change_charges_and_applies_it_once(stack, charged):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    async with stack.holding("again", after=charged) as came:
        order = asyncio.create_task(stack.order(uid, "change-plan", plan=PREMIUM, at="now"))
        await came.wait()
        await stack.restart_worker()
    await stack.advance(uid, minutes=15)
    await order
    assert (await stack.subscription(uid))["plan"]["name"] == "프리미엄"
    assert await paid(stack, uid) == [9000, 14000]
    assert len((await stack.books(uid))["charges"]) == 2
    await stack.advance(uid, days=21)
    assert await paid(stack, uid) == [9000, 14000, 30000]
    assert await stack.agree(uid) == 3


@pytest.mark.soak
async def test_a_change_that_was_declined_with_its_period_is_taken_back_and_the_old_price_is_tried(stack):
    uid = await stack.start(plan=BASIC)
    await stack.order(uid, "change-plan", plan=PREMIUM)
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    await stack.advance(uid, days=30, hours=1)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["plan"]["name"], shown["next_amount"]) == ("past_due", "베이직", 30000)
    answer = await stack.order(uid, "pending-change", method="DELETE")
    assert (answer["status"], answer["next_amount"]) == ("past_due", 9000)
    from_now_on(stack, uid, GOOD)
    await stack.advance(uid, days=1, hours=1)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await paid(stack, uid) == [9000, 9000]
    assert await stack.agree(uid) == 2


async def test_the_same_order_twice_by_one_idempotency_key_or_by_two_charges_once(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    body, path = {"plan": PREMIUM, "at": "now"}, f"/v1/subscriptions/{uid}/change-plan"
    keys = ["one", "one", "two"]
    answers = [await stack.api.post(path, json=body, headers={"Idempotency-Key": key}) for key in keys]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json()["order"]["charged_amount"] for answer in answers] == [14000, 14000, None]
    both = [stack.api.post(path, json={"quantity": 2, "at": "now"}) for _ in range(2)]
    assert [answer.status_code for answer in await asyncio.gather(*both)] == [200, 200]
    assert await paid(stack, uid) == [9000, 14000, 20000]
    assert await stack.agree(uid) == 3


async def test_a_preview_that_no_worker_can_answer_is_unavailable_not_wrong(stack, monkeypatch):
    uid = await stack.start(plan=BASIC)
    monkeypatch.setattr("api.previews.PATIENCE", timedelta(seconds=1))
    await stack.stop_worker()
    told = await stack.order(uid, "change-plan/preview", quantity=2, expect=503)
    assert told["code"] == "temporal_unavailable"


# ---------------------------------------------------------------- with the next period


@pytest.mark.soak
async def test_a_change_waits_for_the_next_period_and_the_newest_wins_and_is_taken_back(stack):
    uid = await stack.start(plan=BASIC)
    await change(stack, uid, plan=PREMIUM)
    shown = await change(stack, uid, plan=thirty_days(12000, "중간"), quantity=2)
    assert (shown["plan"]["name"], shown["pending_change"]["plan"]["name"]) == ("베이직", "중간")
    assert (await standing(stack, uid))[:2] == ("scheduled", 24000)
    shown = await stack.order(uid, "pending-change", method="DELETE")
    assert (shown["pending_change"], shown["next_amount"]) == (None, 9000)
    assert (await stack.order(uid, "pending-change", method="DELETE", expect=409))["code"] == "no_pending_change"
    assert (await standing(stack, uid))[:2] == ("scheduled", 9000)
    await change(stack, uid, quantity=3)
    await stack.advance(uid, days=30, hours=1)
    shown = await stack.subscription(uid)
    assert (shown["quantity"], shown["pending_change"], shown["next_amount"]) == (3, None, 27000)
    assert await paid(stack, uid) == [9000, 27000]
    assert await stack.agree(uid) == 2
    changes = [event for event in await stack.events(uid) if event.startswith("plan_change")]
    assert changes == [
        "plan_change.scheduled",
        "plan_change.canceled",
        "plan_change.scheduled",
        "plan_change.canceled",
        "plan_change.scheduled",
        "plan_change.applied",
    ]
    assert "the pending change is forgotten" in await stack.story(uid)


@pytest.mark.soak
async def test_a_year_that_waits_for_the_end_of_the_month_counts_from_there(stack):
    uid = await stack.start(plan=BASIC)
    await change(stack, uid, plan=year())
    await stack.advance(uid, days=30, hours=1)
    shown = await stack.subscription(uid)
    start, end = (datetime.fromisoformat(shown[f"current_period_{each}"]) for each in ("start", "end"))
    assert (end.month, end.day, end.year) == (start.month, start.day, start.year + 1)
    assert await paid(stack, uid) == [9000, 90000]
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_change_made_while_paused_comes_with_the_period_it_is_resumed_with(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    await stack.order(uid, "pause", at="now")
    await stack.order(uid, "change-plan", plan=PREMIUM)
    await stack.advance(uid, days=50)
    answer = await stack.order(uid, "resume", anchor="new")
    assert (answer["plan"]["name"], answer["next_amount"]) == ("베이직", 30000)
    await stack.advance(uid, days=20, hours=1)
    assert (await stack.subscription(uid))["plan"]["name"] == "프리미엄"
    assert await paid(stack, uid) == [9000, 30000]
    assert await stack.agree(uid) == 2


# ---------------------------------------------------------------- against the charge, and across runs


@pytest.mark.soak
async def test_a_change_that_the_next_charge_was_faster_than_says_so_and_takes_its_turn(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    waiting, at_once, taken_back = [await stack.start(plan=BASIC) for _ in range(3)]
    await stack.order(taken_back, "change-plan", plan=PREMIUM)
    for uid in (waiting, at_once, taken_back):
        _, _, number = await standing(stack, uid)
        await stack.emulator.post("/emulator/console", json={"act": "execute", "merchant_uid": number})
    told = await stack.order(waiting, "change-plan", plan=PREMIUM)
    assert (told["order"]["charge"], told["order"]["charged_amount"], told["next_amount"]) == ("paid", 9000, 30000)
    told = await stack.order(at_once, "change-plan", plan=PREMIUM, at="now")
    assert (told["order"]["charge"], told["order"]["charged_amount"]) == ("paid", 21000)
    refused = await stack.order(taken_back, "pending-change", method="DELETE", expect=409)
    assert refused["code"] == "change_applied"
    assert await paid(stack, waiting) == [9000, 9000]
    assert sorted(await paid(stack, at_once)) == [9000, 9000, 21000]
    assert await paid(stack, taken_back) == [9000, 30000]
    assert [await stack.agree(uid) for uid in (waiting, at_once, taken_back)] == [2, 3, 2]


@pytest.mark.soak
async def test_credit_pending_change_and_coupon_are_carried_into_the_next_run(stack):
    stack.roll_after(30)
    uid = await stack.start(plan=PREMIUM, coupon=coupon(duration="repeating", duration_cycles=3))
    await stack.advance(uid, days=10)
    await change(stack, uid, plan=BASIC, at="now")
    await change(stack, uid, quantity=4)
    shown = await stack.subscription(uid)
    assert (shown["balance"], shown["pending_change"]["quantity"], shown["next_amount"]) == (-7000, 4, 11000)
    await stack.advance(uid, days=81)
    runs = [run async for run in stack.temporal.list_workflows(f'WorkflowId = "subscription/{uid}"')]
    assert len(runs) > 2
    assert await paid(stack, uid) == [15000, 11000, 18000, 36000]
    assert await stack.agree(uid) == 4
