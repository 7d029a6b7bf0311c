"""Changes and pauses that are ordered while a period is owed: that stays as it is, under its one order number."""

import pytest

from tests.journeys.plans import BASIC, GOOD, INSUFFICIENT_FUNDS, PREMIUM, change, from_now_on, paid, thirty_days


async def owing(stack, plan=BASIC, **more):
    """A subscription whose second period was declined; answers it and the order number that is owed."""
    uid = await stack.start(plan=plan, **more)
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    await stack.advance(uid, days=30, hours=1)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["next_amount"]) == ("past_due", plan["amount"])
    return uid, shown["cycle"]["merchant_uid"]


async def test_a_change_leaves_the_period_that_is_owed_as_it_is_and_comes_with_the_one_after_it(stack):
    uid, number = await owing(stack)
    seen = await stack.order(uid, "change-plan/preview", plan=PREMIUM)
    assert (seen["due_now"], seen["next_charge"]["amount"]) == (None, 30000)
    answer = await stack.order(uid, "change-plan", plan=PREMIUM)
    assert (answer["status"], answer["next_amount"], answer["cycle"]["merchant_uid"]) == ("past_due", 9000, number)
    assert answer["pending_change"]["plan"]["name"] == "프리미엄"
    from_now_on(stack, uid, GOOD)
    # The retry that stood is made as it was booked: the old price, the same number.
    await stack.advance(uid, days=2)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["plan"]["name"], shown["next_amount"]) == ("active", "베이직", 30000)
    assert await paid(stack, uid) == [9000, 9000]
    await stack.advance(uid, days=30)
    shown = await stack.subscription(uid)
    assert (shown["plan"]["name"], shown["pending_change"], await paid(stack, uid)) == (
        "프리미엄", None, [9000, 9000, 30000],
    )  # fmt: skip
    assert await stack.agree(uid) == 3


@pytest.mark.soak
async def test_the_newest_change_wins_and_is_taken_back_and_the_retries_go_on_meanwhile(stack):
    uid, number = await owing(stack)
    await stack.order(uid, "change-plan", plan=PREMIUM)
    assert (await stack.order(uid, "change-plan", quantity=3))["pending_change"]["quantity"] == 3
    back = await stack.api.delete(f"/v1/subscriptions/{uid}/pending-change")
    assert (back.status_code, back.json()["pending_change"], back.json()["next_amount"]) == (200, None, 9000)
    from_now_on(stack, uid, GOOD)
    answer = await stack.order(uid, "retry")
    assert (answer["order"]["merchant_uid"], answer["next_amount"]) == (number, 9000)
    assert await paid(stack, uid) == [9000, 9000]
    assert (await stack.events(uid)).count("plan_change.canceled") == 2


async def test_what_cannot_be_ordered_while_a_period_is_owed_says_what_to_do(stack):
    uid, number = await owing(stack)
    refused = await stack.order(uid, "change-plan", plan=PREMIUM, at="now", expect=409)
    assert (refused["code"], "/retry" in refused["detail"], "period_end" in refused["detail"]) == (
        "period_unpaid", True, True,
    )  # fmt: skip
    for at in ("now", "period_end"):
        refused = await stack.order(uid, "pause", at=at, expect=409)
        assert (refused["code"], "/retry" in refused["detail"], "/cancel" in refused["detail"]) == (
            "pause_unpaid", True, True,
        )  # fmt: skip
    assert (await stack.subscription(uid))["cycle"]["merchant_uid"] == number


@pytest.mark.soak
async def test_a_change_that_is_part_of_what_is_owed_is_not_replaced_but_taken_back(stack):
    uid = await stack.start(plan=BASIC)
    await change(stack, uid, plan=PREMIUM)
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    await stack.advance(uid, days=30, hours=1)
    assert (await stack.subscription(uid))["next_amount"] == 30000
    refused = await stack.order(uid, "change-plan", quantity=2, expect=409)
    assert (refused["code"], "pending-change" in refused["detail"]) == ("change_unpaid", True)
    assert (await stack.api.delete(f"/v1/subscriptions/{uid}/pending-change")).status_code == 200
    assert (await stack.order(uid, "change-plan", quantity=2))["next_amount"] == 9000


@pytest.mark.soak
async def test_a_change_that_is_ordered_while_unpaid_waits_for_the_period_after_the_one_that_another_card_pays(stack):
    dunning = {"after_days": [1], "grace_days": 1, "end_action": "unpaid"}
    uid, _ = await owing(stack, thirty_days(9000), dunning=dunning)
    await stack.advance(uid, days=4)
    assert (await stack.subscription(uid))["status"] == "unpaid"
    assert (await stack.order(uid, "change-plan", quantity=2))["pending_change"]["quantity"] == 2
    from_now_on(stack, uid, GOOD)
    answer = await stack.order(uid, "retry")
    assert (answer["status"], answer["quantity"], answer["next_amount"]) == ("active", 1, 18000)
    await stack.advance(uid, days=31)
    assert await paid(stack, uid) == [9000, 9000, 18000]
