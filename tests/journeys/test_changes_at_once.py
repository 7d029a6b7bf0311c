"""Changes that take effect at once: previewed, charged, credited and given back to the won."""

from datetime import datetime

import pytest

from tests.journeys.plans import BASIC, PREMIUM, change, coupon, paid, standing, thirty_days, year


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


@pytest.mark.soak
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


@pytest.mark.soak
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


@pytest.mark.soak
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


@pytest.mark.soak
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


@pytest.mark.soak
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


@pytest.mark.soak
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


@pytest.mark.soak
async def test_the_coupon_of_the_running_period_goes_on_through_a_change_of_quantity(stack):
    uid = await stack.start(plan=BASIC, coupon=coupon())
    await stack.advance(uid, days=10)
    answer = await change(stack, uid, quantity=2, at="now")
    assert (answer["order"]["charged_amount"], answer["next_amount"]) == (3000, 18000)
    assert await stack.agree(uid) == 2
