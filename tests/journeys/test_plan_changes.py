"""Changes of plan, quantity and coupon: previewed, charged and credited to the won, in time or not, paid or not."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.facts import decide, fact, stands
from tests.journeys.plans import coupon, thirty_days, year

BASIC = thirty_days(9000)
PREMIUM = thirty_days(30000, "프리미엄")
INSUFFICIENT_FUNDS = "0002"


async def change(stack, uid, expect=200, **order):
    """Preview an order, place it, and prove that what was charged at once is what the preview said."""
    told = await stack.order(uid, "change-plan/preview", **order)
    before = len(await paid(stack, uid))
    answer = await stack.order(uid, "change-plan", expect=expect, **order)
    charged = (await paid(stack, uid))[before:]
    due_now = told["due_now"]["amount"] if told["due_now"] else 0
    assert charged == ([due_now] if due_now else [])
    assert (answer["next_amount"], answer["balance"]) == (told["next_charge"]["amount"], balance_before(told))
    assert answer["order"]["charged_amount"] == (due_now or None)
    return answer


def balance_before(told):
    """What is carried into the next bill, of which the preview tells what it carries on."""
    lines = told["next_charge"]["lines"]
    carried_in = [line["amount"] for line in lines if line["text"] in ("credit from before", "owed from before")]
    return sum(carried_in)


async def paid(stack, uid):
    """What was really charged, in the order in which it was due."""
    return [charge["amount"] for charge in await stack.charges(uid) if charge["state"] == "paid"]


async def standing(stack, uid):
    """The amounts of the charges that stand at PortOne for the subscription."""
    number = (await stack.snapshot(uid))["merchant_uid"]
    while (row := await stack.portone.find_schedule(number)) is None:
        await asyncio.sleep(0.02)
    return row.schedule_status, int(row.amount), number


def from_now_on(stack, uid, card):
    """The card behind the key does from now on what the test card of these digits does."""
    store = stack.account().world.store
    store.put("keys", uid, {**store["keys"][uid], "last_four": card})


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
        assert (await stack.order(owing, path, quantity=2, expect=409))["code"] == "not_active"


async def test_a_change_that_was_declined_and_is_approved_late_is_given_back_and_changes_nothing(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    from_now_on(stack, uid, "0006")
    await stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=402)
    await stack.advance(uid, minutes=20)
    (row,) = [row for row in await stack.charges(uid) if row["kind"] == "change"]
    settled = await fact(stack, row["imp_uid"])
    assert (settled["state"], settled["amount"]["amount"]) == ("refunded", 14000)
    assert (await stack.subscription(uid))["plan"]["name"] == "베이직"
    from_now_on(stack, uid, "7890")
    await stack.advance(uid, days=20)
    assert await paid(stack, uid) == [9000, 9000]
    assert await stack.agree(uid) == 2
    assert (await stack.events(uid)).count("charge.late_paid") == 1


async def test_a_change_that_portone_charged_in_another_amount_is_not_applied_and_a_person_decides(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    await stack.fault(path="again", kind="delay_after", seconds=0.5, count=1)
    order = asyncio.create_task(stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=409))
    payments = stack.account().world.store["payments"]
    while not (ours := [row for row in payments.values() if "x0000" in row["merchant_uid"]]):
        await asyncio.sleep(0.01)
    payments[ours[0]["imp_uid"]] = {**ours[0], "amount": 100}
    assert (await order)["code"] == "charge_mismatch"
    assert (await stack.subscription(uid))["plan"]["name"] == "베이직"
    item = await stands(stack, uid, "change_mismatch")
    await decide(stack, uid, "paid", parked_id=item["parked_id"])
    shown = await stack.subscription(uid)
    assert (shown["balance"], shown["next_amount"]) == (-100, 8900)
    await stack.advance(uid, days=20, hours=1)
    assert await paid(stack, uid) == [9000, 14000, 8900]


@pytest.mark.parametrize("fault", ["drop_after", "500_after", "garbage"])
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


@pytest.mark.parametrize("moment", ["delay", "delay_after"])
async def test_a_worker_that_dies_inside_the_charge_of_a_change_charges_and_applies_it_once(stack, moment):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    stack.quick()
    await stack.fault(path="again", kind=moment, seconds=1.5, count=1)
    await stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=202)
    await stack.restart_worker()
    await stack.advance(uid, minutes=15)
    assert (await stack.subscription(uid))["plan"]["name"] == "프리미엄"
    assert await paid(stack, uid) == [9000, 14000]
    assert len((await stack.books(uid))["charges"]) == 2
    await stack.advance(uid, days=21)
    assert await paid(stack, uid) == [9000, 14000, 30000]
    assert await stack.agree(uid) == 3


async def test_a_change_that_was_declined_with_its_period_is_taken_back_and_the_old_price_is_tried(stack):
    uid = await stack.start(plan=BASIC)
    await stack.order(uid, "change-plan", plan=PREMIUM)
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    await stack.advance(uid, days=30, hours=1)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["plan"]["name"], shown["next_amount"]) == ("past_due", "베이직", 30000)
    answer = await stack.order(uid, "pending-change", method="DELETE")
    assert (answer["status"], answer["next_amount"]) == ("past_due", 9000)
    from_now_on(stack, uid, "7890")
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


async def test_a_year_that_waits_for_the_end_of_the_month_counts_from_there(stack):
    uid = await stack.start(plan=BASIC)
    await change(stack, uid, plan=year())
    await stack.advance(uid, days=30, hours=1)
    shown = await stack.subscription(uid)
    start, end = (datetime.fromisoformat(shown[f"current_period_{each}"]) for each in ("start", "end"))
    assert (end.month, end.day, end.year) == (start.month, start.day, start.year + 1)
    assert await paid(stack, uid) == [9000, 90000]
    assert await stack.agree(uid) == 2


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


# ---------------------------------------------------------------- now


async def test_an_upgrade_charges_the_days_that_are_left_at_once_as_previewed(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    answer = await change(stack, uid, plan=PREMIUM, at="now")
    assert (answer["plan"]["name"], answer["order"]["charged_amount"]) == ("프리미엄", 14000)
    assert (await standing(stack, uid))[:2] == ("scheduled", 30000)
    await stack.advance(uid, days=20, hours=1)
    assert await paid(stack, uid) == [9000, 14000, 30000]
    assert await stack.agree(uid) == 3
    assert (await stack.events(uid))[3:5] == ["plan_change.applied", "charge.paid"]
    assert "a change for 14,000 KRW is charged" in await stack.story(uid)


async def test_a_downgrade_becomes_credit_that_lowers_the_next_bill(stack):
    uid = await stack.start(plan=PREMIUM)
    await stack.advance(uid, days=10)
    answer = await change(stack, uid, plan=BASIC, at="now")
    assert (answer["balance"], answer["next_amount"], answer["order"]["charge"]) == (-14000, 0, "revoked")
    await stack.advance(uid, days=21)
    shown = await stack.subscription(uid)
    assert (shown["balance"], shown["next_amount"]) == (-5000, 4000)
    await stack.advance(uid, days=30)
    assert (await stack.subscription(uid))["balance"] == 0
    assert await paid(stack, uid) == [30000, 4000]
    assert await stack.agree(uid) == 2
    assert "charge.skipped" in await stack.events(uid)
    assert "period 2 costs nothing" in await stack.story(uid)


async def test_a_bill_that_a_credit_leaves_too_small_for_the_pg_is_carried_into_the_next(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=10)
    answer = await change(stack, uid, plan=thirty_days(3630, "작은"), at="now")
    assert (answer["balance"], answer["next_amount"]) == (-3580, 0)
    await stack.advance(uid, days=21)
    shown = await stack.subscription(uid)
    assert (shown["balance"], shown["next_amount"]) == (50, 3680)
    await stack.advance(uid, days=30)
    assert await paid(stack, uid) == [9000, 3680]
    assert await stack.agree(uid) == 2
    assert "period 2 costs too little to be charged: 50 is carried on" in await stack.story(uid)


async def test_a_credit_larger_than_a_bill_carries_on_over_several_without_a_call(stack, received):
    uid = await stack.start(plan=year(90_000))
    await stack.advance(uid, days=1)
    answer = await change(stack, uid, plan=thirty_days(40_000), at="now")
    credit = answer["balance"]
    assert -50_000 < credit < -49_000
    received.clear()
    await stack.advance(uid, days=30, hours=1)
    assert (await stack.subscription(uid))["balance"] == credit + 40_000
    sent = [body["schedules"][0]["amount"] for path, body in received if path == "schedule"]
    assert ([path for path, _ in received if path == "again"], sent) == ([], [80_000 + credit])
    await stack.advance(uid, days=30)
    assert await paid(stack, uid) == [90_000, 80_000 + credit]
    assert await stack.agree(uid) == 2


async def test_a_second_and_a_third_change_inside_one_period_are_right_to_the_won(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=7)
    await change(stack, uid, plan=PREMIUM, at="now")
    await stack.advance(uid, days=6)
    await change(stack, uid, quantity=2, at="now")
    await stack.advance(uid, days=4)
    await change(stack, uid, plan=BASIC, quantity=1, at="now")
    await stack.advance(uid, days=4)
    answer = await change(stack, uid, plan=PREMIUM, at="now")
    # 7 days at 300 won, 6 at 1,000, 4 at 2,000, 4 at 300, the 9 that are left at 1,000.
    worth = 7 * 300 + 6 * 1000 + 4 * 2000 + 4 * 300 + 9 * 1000
    assert sum(await paid(stack, uid)) + answer["balance"] == worth
    await stack.advance(uid, days=9, hours=1)
    assert sum(await paid(stack, uid)) + (await stack.subscription(uid))["balance"] == worth + 30000
    assert await stack.agree(uid) == len(await paid(stack, uid))


async def test_a_difference_waits_for_the_next_bill_or_is_let_go_as_the_order_says(stack):
    later, never = await stack.start(plan=BASIC), await stack.start(plan=BASIC)
    for uid, mode in ((later, "next_period"), (never, "none")):
        await stack.advance(uid, days=10)
        answer = await change(stack, uid, plan=PREMIUM, at="now", proration=mode)
        assert (answer["plan"]["name"], answer["order"]["charged_amount"]) == ("프리미엄", None)
        await stack.advance(uid, days=21)
    assert await paid(stack, later) == [9000, 44000]
    assert await paid(stack, never) == [9000, 30000]
    assert await stack.agree(later) + await stack.agree(never) == 4


async def test_another_interval_begins_a_new_period_now_and_credits_the_days_that_are_left(stack):
    uid = await stack.start(plan=BASIC)
    await stack.advance(uid, days=25)
    answer = await change(stack, uid, plan=year(), at="now")
    assert answer["order"]["charged_amount"] == 90000 - 1500
    start = datetime.fromisoformat(answer["current_period_start"])
    assert datetime.fromisoformat(answer["current_period_end"]) == start.replace(year=start.year + 1)
    await stack.advance(uid, days=370)
    assert await paid(stack, uid) == [9000, 88500, 90000]
    assert await stack.agree(uid) == 3
    # The old period's renewal was announced in vain, the new one's is announced too.
    assert (await stack.events(uid)).count("subscription.renewal_upcoming") == 2


async def test_after_a_pause_a_change_counts_only_days_that_were_paid_for_and_not_used(stack):
    moved, kept = await stack.start(plan=BASIC), await stack.start(plan=BASIC)
    await stack.advance(moved, days=10)
    await stack.order(moved, "pause", at="now")
    await stack.advance(moved, days=50)
    await stack.order(moved, "resume", anchor="new")
    await stack.advance(moved, days=5)
    assert (await change(stack, moved, plan=PREMIUM, at="now"))["order"]["charged_amount"] == 15 * 700
    await stack.order(kept, "pause")
    await stack.advance(kept, days=45)
    answer = await stack.order(kept, "resume", anchor="old")
    assert answer["order"]["charged_amount"] == 15 * 300
    await stack.advance(kept, days=5)
    assert (await change(stack, kept, plan=PREMIUM, at="now"))["order"]["charged_amount"] == 10 * 700
    assert await stack.agree(moved) + await stack.agree(kept) == 2 + 3


async def test_a_cancel_after_changes_gives_back_the_days_that_are_left_through_the_orders_that_paid_them(stack):
    up, down = await stack.start(plan=BASIC), await stack.start(plan=PREMIUM)
    for uid, plan in ((up, PREMIUM), (down, BASIC)):
        await stack.advance(uid, days=10)
        await change(stack, uid, plan=plan, at="now")
        await stack.advance(uid, days=5)
    told = [await stack.order(uid, "cancel", at="now", refund="prorated") for uid in (up, down)]
    # 15 days at 1,000 won; and 15 at 300 with the credit of 20 days at 700.
    assert [each["refunded_amount"] for each in told] == [15_000, 4_500 + 14_000]
    books = [sum(row["cancelled_amount"] for row in (await stack.books(uid))["charges"]) for uid in (up, down)]
    assert books == [15_000, 18_500]


async def test_the_coupon_of_the_running_period_goes_on_through_a_change_of_quantity(stack):
    uid = await stack.start(plan=BASIC, coupon=coupon())
    await stack.advance(uid, days=10)
    answer = await change(stack, uid, quantity=2, at="now")
    assert (answer["order"]["charged_amount"], answer["next_amount"]) == (3000, 18000)
    assert await stack.agree(uid) == 2


# ---------------------------------------------------------------- against the charge, and across runs


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
