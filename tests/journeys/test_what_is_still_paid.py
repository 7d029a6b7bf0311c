"""What a buyer pays and gets back: refunds, pauses and cancels meet changes, and every won is used, credit or back."""

import pytest

from tests.facts import console, current, kept, order_of, refunds_add_up, stands, until
from tests.journeys.plans import NOON, PREMIUM, change, coupon, paid, standing, thirty_days, year

CHEAP = thirty_days(3000, "라이트")


async def refund(stack, number, **body):
    answer = await stack.api.post(f"/v1/payments/{number}/refunds", json=body or None)
    assert answer.status_code == 201, answer.text


async def balance_becomes(stack, uid, amount):
    """The refund is noticed: the subscription and the ledger say so."""

    async def noticed():
        return (await stack.subscription(uid))["balance"] == amount

    await until(noticed)


async def preview_cancel(stack, uid, **body):
    seen = await stack.order(uid, "cancel/preview", **body)
    return seen["refund_amount"], seen["owed_amount"]


async def cancel(stack, uid, **body):
    """Preview a cancel, make it, and prove that it gave back what the preview said."""
    told = await preview_cancel(stack, uid, **body)
    answer = await stack.order(uid, "cancel", **body)
    assert told == (answer["refunded_amount"] or 0, answer["owed_amount"])
    return told


# ---------------------------------------------------------------- refunds


async def test_after_a_full_refund_a_change_credits_nothing_and_the_days_that_are_left_are_charged(stack):
    uid = await stack.start(plan=PREMIUM)
    await refund(stack, await order_of(stack, uid))
    answer = await stack.order(uid, "change-plan", plan=CHEAP, at="now")
    assert (answer["order"]["charged_amount"], answer["balance"], answer["next_amount"]) == (3000, 0, 3000)
    assert await paid(stack, uid) == [3000]


async def test_a_refund_of_a_credit_uses_it_up_and_the_next_bill_is_whole(stack):
    uid = await stack.start(plan=year(100_000))
    number = await order_of(stack, uid)
    answer = await change(stack, uid, plan=thirty_days(10_000), at="now")
    assert answer["balance"] == -90_000
    await refund(stack, number, amount=90_000)
    await balance_becomes(stack, uid, 0)
    await stack.advance(uid, days=31)
    assert await paid(stack, uid) == [100_000, 10_000]


@pytest.mark.soak
async def test_a_refund_of_a_credit_in_the_console_uses_it_up_also_while_it_stands_parked(stack):
    uid = await stack.start(plan=year(100_000))
    number = await order_of(stack, uid)
    await change(stack, uid, plan=thirty_days(10_000), at="now")
    await console(stack, "cancel", merchant_uid=number, amount=40_000)
    await stands(stack, uid, "refunded_elsewhere")
    await balance_becomes(stack, uid, -50_000)
    await console(stack, "cancel", merchant_uid=number, amount=50_000)
    await balance_becomes(stack, uid, 0)
    # It stands parked still, and the change reckons with what is left.
    answer = await change(stack, uid, plan=CHEAP, at="now")
    assert (answer["order"]["charged_amount"], answer["balance"]) == (None, -7000)
    assert await refunds_add_up(stack, number) == 90_000


@pytest.mark.soak
async def test_a_charge_that_counted_on_a_credit_that_went_back_stands_anew_in_full(stack):
    uid = await stack.start(plan=PREMIUM)
    number = await order_of(stack, uid)
    await stack.advance(uid, days=20)
    assert (await change(stack, uid, plan=thirty_days(9000), at="now"))["balance"] == -7000
    assert (await standing(stack, uid))[:2] == ("scheduled", 2000)
    await refund(stack, number, amount=7000)
    await balance_becomes(stack, uid, 0)

    async def stands_in_full():
        return (await standing(stack, uid))[:2] == ("scheduled", 9000)

    await until(stands_in_full)
    await stack.advance(uid, days=11)
    assert await paid(stack, uid) == [30_000, 9000]
    assert await kept(stack, number) == 23_000


@pytest.mark.soak
async def test_a_rest_that_went_back_while_it_is_paused_is_not_given_again(stack):
    uid = await stack.start(plan=PREMIUM)
    await stack.advance(uid, days=10)
    await stack.order(uid, "pause", at="now")
    await refund(stack, await order_of(stack, uid))
    resumed = await stack.order(uid, "resume")
    assert (resumed["status"], resumed["order"]["charged_amount"]) == ("active", 30_000)
    assert await paid(stack, uid) == [30_000]


# ---------------------------------------------------------------- pauses


@pytest.mark.soak
async def test_the_days_of_a_pause_are_not_used_days_of_a_prorated_refund(stack):
    for days in (15, 40):
        uid = await stack.start(plan=PREMIUM)
        number = await order_of(stack, uid)
        await stack.order(uid, "pause", at="now")
        await stack.advance(uid, days=days)
        assert await cancel(stack, uid, at="now", refund="prorated") == (30_000, 0)
        assert await kept(stack, number) == 0


@pytest.mark.soak
async def test_a_term_counts_what_was_paid_and_given_through_a_pause_on_the_old_billing_day(stack):
    uid = await stack.start(plan=thirty_days(3000, max_cycles=2))
    await stack.order(uid, "pause", at="now")
    await stack.advance(uid, days=40)
    resumed = await stack.order(uid, "resume", anchor="old")
    assert (resumed["order"]["charged_amount"], resumed["balance"]) == (None, 2000 - 3000)
    await stack.advance(uid, days=21)
    assert await paid(stack, uid) == [3000, 2000]
    await stack.advance(uid, days=31)
    assert (await stack.subscription(uid))["status"] == "expired"
    assert sum(await paid(stack, uid)) == 2000 + 3000


# ---------------------------------------------------------------- cancels


@pytest.mark.soak
async def test_a_cancel_of_what_is_paused_ends_it_at_once_and_says_what_is_paid_and_not_used(stack):
    uid = await stack.start(plan=PREMIUM)
    number = await order_of(stack, uid)
    await stack.advance(uid, days=10)
    await stack.order(uid, "pause", at="now")
    assert await cancel(stack, uid) == (0, 20_000)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await kept(stack, number) == 30_000


async def test_a_refund_with_a_cancel_at_period_end_is_refused_by_name(stack):
    uid = await stack.start(plan=PREMIUM)
    await current(stack, uid)
    for body in ({"refund": "prorated"}, {"at": "period_end", "refund": "full"}):
        for act in ("cancel", "cancel/preview"):
            problem = await stack.order(uid, act, expect=422, **body)
            assert problem["errors"][0]["field"] == "refund", problem
    assert (await stack.subscription(uid))["status"] == "active"


async def test_a_prorated_refund_takes_the_credit_with_it_and_the_balance_nets_to_nothing(stack):
    uid = await stack.start(plan=thirty_days(9000))
    await change(stack, uid, quantity=2, at="now")
    assert (await change(stack, uid, quantity=1, at="now"))["balance"] == -9000
    assert await cancel(stack, uid, at="now", refund="prorated") == (18_000, 0)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["balance"]) == ("canceled", 0)


@pytest.mark.soak
async def test_all_that_is_owed_goes_back_through_the_order_that_paid_it(stack):
    uid = await stack.start(plan=year(120_000, time_zone=NOON))
    number = await order_of(stack, uid)
    await stack.advance(uid, days=1)
    await change(stack, uid, plan=thirty_days(10_000), at="now")
    # A period that its credit paid holds the same order still.
    await stack.advance(uid, days=31)
    left = 120_000 - 120_000 // 365 - 10_000 - 10_000 // 30
    back, owed = await cancel(stack, uid, at="now", refund="prorated")
    assert abs(back - left) <= 1
    assert owed == 0
    assert await kept(stack, number) == 120_000 - back


# ---------------------------------------------------------------- coupons


async def test_a_period_that_costs_nothing_uses_no_coupon(stack):
    uid = await stack.start(plan=thirty_days(0, "무료"), coupon=coupon())
    await stack.order(uid, "change-plan", plan=thirty_days(10_000))
    await stack.advance(uid, days=31)
    assert await paid(stack, uid) == [5000]
    await stack.advance(uid, days=30)
    assert await paid(stack, uid) == [5000, 10_000]
