"""An unpaid period: tried again by policy, with access counted apart, until it is paid or the policy ends it."""

from datetime import timedelta

import pytest

from tests.journeys.owing import AMOUNT, GOOD, HARD, SOFT, SOFT_TWICE, at, attempts, begin, declined, method


async def test_soft_declines_are_tried_again_after_1_3_5_and_7_days_and_then_the_subscription_is_canceled(stack):
    uid, seen = await declined(stack, SOFT)
    shown = await stack.subscription(uid)
    assert (shown["dunning"], shown["access"]) == ("retrying", True)
    assert shown["dunning_policy"] == {"after_days": [1, 3, 5, 7], "grace_days": 7, "end_action": "cancel"}
    await stack.advance(uid, days=8)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["dunning"], shown["access"]) == ("past_due", "suspended", False)
    await stack.advance(uid, days=9)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["dunning"]) == ("canceled", "ended")
    assert "every retry was declined" in shown["end_reason"]
    assert await attempts(stack, uid) == [("declined", day) for day in (0, 1, 4, 9, 16)]
    # PortOne runs every retry, booked anew under the one order number; we never charge beside it.
    assert seen.paths() == ["reschedule"] * 4
    assert await stack.agree(uid) == 0
    declines = ["subscription.past_due", *["charge.declined"] * 3, "subscription.suspended", *["charge.declined"] * 2]
    assert (await stack.events(uid))[-8:] == [*declines, "subscription.canceled"]
    story = await stack.story(uid)
    assert [line for line in story if line.startswith("attempt ")] == [
        f"attempt {n} of period 1 was declined" for n in range(1, 6)
    ]


@pytest.mark.soak
async def test_access_ends_with_the_grace_while_the_retries_go_on_and_comes_back_with_the_payment(stack):
    uid, _ = await declined(stack, SOFT_TWICE, after_days=[2, 3], grace_days=4)
    grace_ends_at = at((await stack.subscription(uid))["grace_ends_at"])
    await stack.advance(uid, days=3, hours=22)
    assert (await stack.subscription(uid))["access"] is True
    await stack.advance(uid, hours=2)
    shown = await stack.subscription(uid)
    assert (shown["access"], shown["dunning"]) == (False, "suspended")
    assert shown["cycle"]["next_charge_at"] is not None
    assert (await stack.events(uid))[-1] == "subscription.suspended"
    await stack.advance(uid, days=1, hours=1)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["dunning"], shown["grace_ends_at"]) == (
        "active", True, "clear", None,
    )  # fmt: skip
    assert abs(grace_ends_at - timedelta(days=4) - at(shown["current_period_start"])) < timedelta(minutes=1)
    assert await stack.agree(uid) == 1
    assert (await stack.events(uid))[-2:] == ["charge.paid", "subscription.active"]
    assert any(line.startswith("the grace has ended") for line in await stack.story(uid))


@pytest.mark.soak
async def test_without_any_grace_access_ends_with_the_first_decline(stack):
    uid, _ = await declined(stack, SOFT_TWICE, grace_days=0)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["dunning"]) == ("past_due", False, "suspended")
    assert (await stack.events(uid))[-3:] == ["subscription.past_due", "charge.declined", "subscription.suspended"]
    await stack.advance(uid, days=5)
    assert (await stack.subscription(uid))["access"] is True
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_hard_decline_is_not_tried_again_and_ends_after_the_time_the_retries_would_have_taken(stack):
    uid, seen = await declined(stack, HARD)
    shown = await stack.subscription(uid)
    assert (shown["dunning"], shown["cycle"]["next_charge_at"]) == ("grace", None)
    refused = await stack.order(uid, "retry", expect=409)
    assert refused["code"] == "hard_declined"
    await stack.advance(uid, days=15)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["dunning"], shown["access"]) == ("past_due", "suspended", False)
    await stack.advance(uid, days=1)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await attempts(stack, uid) == [("declined", 0)]
    assert seen.paths() == []
    assert await stack.agree(uid) == 0
    assert (await stack.events(uid))[-3:] == ["charge.declined", "subscription.suspended", "subscription.canceled"]
    assert "every attempt is used up" in await stack.story(uid)


async def test_a_retry_by_hand_pays_the_period_at_once(stack):
    uid, seen = await declined(stack, SOFT)
    planned = (await stack.subscription(uid))["cycle"]["merchant_uid"]
    stack.account().world.store["keys"][uid]["last_four"] = GOOD
    answer = await stack.order(uid, "retry", by="상담원 1")
    assert (answer["status"], answer["order"]) == (
        "active",
        {"charge": "paid", "merchant_uid": planned, "charged_amount": AMOUNT, "refunded_amount": None},
    )
    await stack.settled(uid)
    # PortOne charges its own schedule again: taken back first, then run now, under the same order number.
    assert seen.paths() == ["reschedule", "unschedule", "retry", "schedule"]
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2
    assert (await stack.events(uid)).count("charge.paid") == 2
    assert "retry 9,900 KRW, period 1" in await stack.story(uid)


@pytest.mark.soak
async def test_a_declined_retry_by_hand_spends_no_budget_and_leaves_the_planned_attempt_in_place(stack):
    uid, seen = await declined(stack, SOFT)
    planned = (await stack.subscription(uid))["cycle"]["next_charge_at"]
    for n in range(2):
        refused = await stack.order(uid, "retry", expect=402)
        assert refused["code"] == "card_declined"
        shown = await stack.subscription(uid)
        assert (shown["cycle"]["next_charge_at"], shown["cycle"]["failed_attempts"]) == (planned, n + 2)
    await stack.advance(uid, days=17)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await attempts(stack, uid) == [("declined", day) for day in (0, 0, 0, 1, 4, 9, 16)]
    assert seen.paths("retry") == ["retry"] * 2
    assert await stack.agree(uid) == 0
    assert (await stack.events(uid)).count("charge.declined") == 7


@pytest.mark.soak
async def test_a_retry_by_hand_that_is_declined_for_good_takes_the_planned_attempt_away(stack):
    uid, _ = await declined(stack, SOFT)
    stack.account().world.store["keys"][uid]["last_four"] = HARD
    await stack.order(uid, "retry", expect=402)
    shown = await stack.subscription(uid)
    assert (shown["dunning"], shown["cycle"]["next_charge_at"]) == ("grace", None)
    await stack.advance(uid, days=16)
    assert await attempts(stack, uid) == [("declined", 0), ("declined", 0)]
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await stack.agree(uid) == 0


@pytest.mark.soak
async def test_unpaid_keeps_the_subscription_without_access_until_a_retry_by_hand_pays_it(stack):
    uid, _ = await declined(stack, SOFT, after_days=[1], grace_days=1, end_action="unpaid")
    await stack.advance(uid, days=3)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["dunning"]) == ("unpaid", False, "ended")
    assert shown["cycle"]["next_charge_at"] is None
    await stack.advance(uid, days=60)
    assert len(await attempts(stack, uid)) == 2
    await stack.order(uid, "retry", expect=402)
    assert (await stack.subscription(uid))["status"] == "unpaid"
    stack.account().world.store["keys"][uid]["last_four"] = GOOD
    answer = await stack.order(uid, "retry")
    assert (answer["status"], answer["access"], answer["dunning"]) == ("active", True, "clear")
    # Access was closed for two months: the period that is paid now begins now.
    now = at((await stack.emulator.get("/emulator/clock", params={"customer_uid": uid})).json()["now"])
    assert abs(at(answer["current_period_start"]) - now) < timedelta(minutes=1)
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2
    events = await stack.events(uid)
    assert events.count("subscription.unpaid") == 1
    assert events[-4:-1] == ["charge.paid", "subscription.active", "subscription.renewal_upcoming"]


@pytest.mark.soak
async def test_unpaid_is_recovered_by_another_card(stack):
    uid, _ = await declined(stack, HARD, after_days=[], grace_days=1, end_action="unpaid")
    await stack.advance(uid, days=2)
    assert (await stack.subscription(uid))["status"] == "unpaid"
    answer = await stack.order(uid, "payment-method", payment_method=method(GOOD))
    assert (answer["status"], answer["access"], answer["order"]["charge"]) == ("active", True, "paid")
    assert await stack.agree(uid) == 1
    assert (await stack.events(uid))[-3:] == ["payment_method.changed", "charge.paid", "subscription.active"]


@pytest.mark.soak
@pytest.mark.parametrize("webhook", [True, False], ids=["with_its_webhook", "when_asked_to_look_again"])
async def test_unpaid_is_recovered_by_a_late_approval(stack, webhook):
    uid, _ = await begin(stack, SOFT, after_days=[], grace_days=0, end_action="unpaid")
    await stack.advance(uid, days=1, hours=1)
    shown = await stack.subscription(uid)
    assert shown["status"] == "unpaid"
    if not webhook:
        await stack.fault(path="webhook", kind="drop_webhook")
    late = {"act": "approve_late", "merchant_uid": shown["cycle"]["merchant_uid"]}
    assert (await stack.emulator.post("/emulator/console", json=late)).status_code == 200
    if not webhook:
        await stack.handle(uid).signal("look_again", {"merchant_uid": "", "reason": "differs"})
    await stack.advance(uid, minutes=5)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["cycle"]["number"]) == ("active", True, 2)
    assert await stack.agree(uid) == 1


async def test_a_late_approval_without_its_webhook_is_found_before_the_end_action_is_taken(stack):
    uid, _ = await declined(stack, HARD, after_days=[3], grace_days=3)
    await stack.fault(path="webhook", kind="drop_webhook")
    late = {"act": "approve_late", "merchant_uid": (await stack.subscription(uid))["cycle"]["merchant_uid"]}
    assert (await stack.emulator.post("/emulator/console", json=late)).status_code == 200
    await stack.advance(uid, days=4)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1


async def test_what_is_told_of_the_next_attempt_is_the_instant_at_which_it_stands_at_portone(stack):
    uid, _ = await declined(stack, SOFT)
    shown = await stack.subscription(uid)
    row = await stack.portone.find_schedule(shown["cycle"]["merchant_uid"])
    assert (row.schedule_status, row.schedule_at) == ("scheduled", at(shown["cycle"]["next_charge_at"]).timestamp())


@pytest.mark.soak
async def test_leave_stays_past_due_without_access_for_as_long_as_it_takes_and_recovers(stack):
    uid, _ = await declined(stack, SOFT, after_days=[1], grace_days=1, end_action="leave")
    await stack.advance(uid, days=70)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["dunning"]) == ("past_due", False, "ended")
    assert shown["cycle"]["next_charge_at"] is None
    assert (await stack.events(uid))[-3:] == ["charge.declined", "subscription.suspended", "charge.declined"]
    answer = await stack.order(uid, "payment-method", payment_method=method(GOOD))
    assert (answer["status"], answer["access"]) == ("active", True)
    await stack.advance(uid, days=10)
    # Access was closed: nothing is charged for the months between, and the next charge is a month away.
    assert await stack.agree(uid) == 1
    shown = await stack.subscription(uid)
    assert at(shown["cycle"]["next_charge_at"]) - at(shown["current_period_start"]) >= timedelta(days=28)


async def test_leave_says_that_access_ends_though_its_time_ends_with_the_grace(stack):
    uid, _ = await declined(stack, SOFT, after_days=[], grace_days=0, end_action="leave")
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["dunning"]) == ("past_due", False, "ended")
    assert (await stack.events(uid))[-3:] == ["subscription.past_due", "charge.declined", "subscription.suspended"]
    assert await stack.agree(uid) == 0


@pytest.mark.soak
async def test_another_card_is_tried_at_once_and_the_ladder_goes_on_with_it(stack):
    uid, seen = await declined(stack, SOFT)
    await stack.advance(uid, days=1)
    planned = (await stack.subscription(uid))["cycle"]["next_charge_at"]
    answer = await stack.order(uid, "payment-method", payment_method=method(SOFT))
    new_key = answer["payment_method"]["customer_uid"]
    assert (answer["status"], answer["order"]["charge"]) == ("past_due", "declined")
    assert new_key != uid
    assert answer["cycle"]["next_charge_at"] == planned
    await stack.advance(uid, days=16)
    assert (await stack.subscription(uid))["status"] == "canceled"
    # The attempt with the new card spent nothing: all four retries were made, on whichever card was there.
    assert await attempts(stack, uid) == [("declined", day) for day in (0, 1, 1, 4, 9, 16)]
    seen.assert_one_key()
    assert await stack.agree(uid) == 0
    states = {row["merchant_uid"][-1]: (row["customer_uid"], row["state"]) for row in await stack.charges(uid)}
    assert states == {"a": (uid, "declined"), "b": (new_key, "declined")}


@pytest.mark.soak
async def test_after_a_hard_decline_another_card_brings_the_retries_back(stack):
    uid, seen = await declined(stack, HARD)
    await stack.advance(uid, days=2)
    answer = await stack.order(uid, "payment-method", payment_method=method(SOFT_TWICE))
    assert (answer["order"]["charge"], answer["dunning"]) == ("declined", "retrying")
    await stack.advance(uid, days=5)
    assert (await stack.subscription(uid))["status"] == "active"
    # One decline of the old card was spent, so the ladder goes on with its first distance, then its second.
    assert await attempts(stack, uid) == [("declined", 0), ("declined", 2), ("declined", 3), ("paid", 6)]
    seen.assert_one_key()
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_another_card_brings_its_own_retries_back_to_an_unpaid_subscription(stack):
    uid, _ = await declined(stack, HARD, after_days=[1, 3], grace_days=1, end_action="unpaid")
    await stack.advance(uid, days=5)
    assert (await stack.subscription(uid))["status"] == "unpaid"
    answer = await stack.order(uid, "payment-method", payment_method=method(SOFT))
    assert (answer["status"], answer["dunning"], answer["access"]) == ("unpaid", "suspended", False)
    assert answer["cycle"]["next_charge_at"] is not None
    await stack.advance(uid, days=6)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["dunning"], shown["cycle"]["next_charge_at"]) == ("unpaid", "ended", None)
    assert (await stack.events(uid)).count("subscription.unpaid") == 1
    assert await stack.agree(uid) == 0
