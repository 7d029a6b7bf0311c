"""A pause: now or with the period, until somebody resumes or until its day; nothing is asked of PortOne meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.facts import console, current, fact
from tests.journeys.cards import execute_at_portone
from tests.journeys.plans import BASIC, GOOD, INSUFFICIENT_FUNDS, NOON, PREMIUM, from_now_on, paid, thirty_days

PAUSED, RESUMED = "subscription.paused", "subscription.resumed"


def instant(text):
    return datetime.fromisoformat(text)


async def now_of(stack, uid):
    """What time it is in the world of a subscription."""
    clock = (await stack.emulator.get("/emulator/clock", params={"customer_uid": uid})).json()
    return instant(clock["now"])


async def standing_at_portone(stack, uid):
    """The order numbers that PortOne would still charge."""
    rows = stack.account().world.store["schedules"].values()
    return [row["merchant_uid"] for row in rows if row["customer_uid"] == uid and row["schedule_status"] == "scheduled"]


async def silent(stack, uid, received, **distance):
    """Time passes, and nothing of a subscription that is paused is asked of PortOne."""
    before = len(received)
    await stack.advance(uid, **distance)
    assert received[before:] == []


# ---------------------------------------------------------------- with the period


@pytest.mark.soak
async def test_a_pause_with_the_period_uses_up_what_is_paid_and_charges_nothing_until_somebody_resumes(stack, received):
    uid = await stack.start(plan=BASIC)
    number = await current(stack, uid)
    answer = await stack.order(uid, "pause", reason="holiday")
    assert (answer["status"], answer["pause_at_period_end"]) == ("active", True)
    assert (answer["order"]["charge"], answer["order"]["merchant_uid"]) == ("revoked", number)
    assert await standing_at_portone(stack, uid) == []
    await stack.advance(uid, days=29)
    assert (await stack.subscription(uid))["access"] is True
    await stack.advance(uid, days=2)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["pause_at_period_end"]) == ("paused", False, False)
    await silent(stack, uid, received, days=200)
    assert await paid(stack, uid) == [9000]
    resumed = await stack.order(uid, "resume")
    assert (resumed["status"], resumed["order"]["charge"], resumed["order"]["charged_amount"]) == (
        "active", "paid", 9000,
    )  # fmt: skip
    assert await paid(stack, uid) == [9000, 9000]
    start, end = instant(resumed["current_period_start"]), instant(resumed["current_period_end"])
    assert (end - start, start - await now_of(stack, uid) < timedelta(minutes=1)) == (timedelta(days=30), True)
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 3
    events = await stack.events(uid)
    assert [name for name in events if "paus" in name or "resum" in name] == [
        "subscription.pause_scheduled", PAUSED, RESUMED,
    ]  # fmt: skip
    story = await stack.story(uid)
    assert "pause at period end" in story
    assert "paused" in story
    assert "retry 9,000 KRW, period 2" in story


@pytest.mark.soak
async def test_a_pause_that_is_taken_back_is_charged_on_its_day_as_if_nothing_had_been(stack):
    uid = await stack.start(plan=BASIC)
    number = await current(stack, uid)
    await stack.order(uid, "pause")
    due = (await stack.subscription(uid))["current_period_end"]
    answer = await stack.order(uid, "resume")
    assert (answer["status"], answer["pause_at_period_end"]) == ("active", False)
    assert answer["cycle"]["next_charge_at"] == due
    await stack.advance(uid, days=31)
    assert await paid(stack, uid) == [9000, 9000]
    assert await stack.agree(uid) == 2
    assert number not in {row["merchant_uid"] for row in await stack.charges(uid) if row["state"] == "planned"}
    events = await stack.events(uid)
    assert PAUSED not in events
    assert events.index("subscription.pause_scheduled") < events.index(RESUMED)
    assert "the pause is taken back" in await stack.story(uid)


async def test_a_pause_until_a_day_resumes_by_itself_and_charges_on_that_day(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    on = datetime.now(UTC).replace(microsecond=0) + timedelta(days=75)
    answer = await stack.order(uid, "pause", resumes_at=on.isoformat())
    assert instant(answer["resumes_at"]) == on
    await stack.advance(uid, days=74, hours=23)
    assert (await stack.subscription(uid))["status"] == "paused"
    await stack.advance(uid, hours=2)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["resumes_at"]) == ("active", None)
    assert instant(shown["current_period_start"]) == on
    assert await paid(stack, uid) == [9000, 9000]
    await stack.advance(uid, days=30)
    assert await stack.agree(uid) == 3
    assert (await stack.events(uid)).count(RESUMED) == 1
    assert any(line.startswith("paused until 20") for line in await stack.story(uid))


@pytest.mark.soak
async def test_a_pause_that_ends_by_itself_with_a_declined_charge_begins_dunning_and_recovers(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    on = datetime.now(UTC) + timedelta(days=60)
    await stack.order(uid, "pause", resumes_at=on.isoformat())
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    await stack.advance(uid, days=60, hours=1)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["failed_attempts"], shown["access"]) == ("past_due", 1, True)
    from_now_on(stack, uid, GOOD)
    await stack.advance(uid, days=2)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 2
    events = await stack.events(uid)
    assert events.index(PAUSED) < events.index("subscription.past_due") < events.index("charge.paid", 4)


# ---------------------------------------------------------------- now


async def test_a_pause_now_keeps_the_days_that_are_paid_for_the_time_after_it(stack, received):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await stack.advance(uid, days=10)
    answer = await stack.order(uid, "pause", at="now")
    assert (answer["status"], answer["access"], answer["order"]["charge"]) == ("paused", False, "revoked")
    await silent(stack, uid, received, days=100)
    resumed = await stack.order(uid, "resume")
    assert (resumed["status"], resumed["order"]["charged_amount"]) == ("active", None)
    left = instant(resumed["current_period_end"]) - await now_of(stack, uid)
    assert timedelta(days=19, hours=23) < left <= timedelta(days=20)
    await stack.advance(uid, days=19)
    assert await paid(stack, uid) == [9000]
    await stack.advance(uid, days=2)
    assert await paid(stack, uid) == [9000, 9000]
    assert await stack.agree(uid) == 2
    assert [name for name in await stack.events(uid) if name in (PAUSED, RESUMED)] == [PAUSED, RESUMED]


@pytest.mark.soak
async def test_on_the_old_billing_day_the_days_until_it_are_charged_less_those_that_were_paid_and_not_used(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    first = instant((await stack.subscription(uid))["current_period_start"])
    await stack.advance(uid, days=5)
    await stack.order(uid, "pause", at="now")
    await stack.advance(uid, days=40)
    # The forty-fifth day is the fifteenth of the second period: half of it is left, and 25 days of the first were paid.
    resumed = await stack.order(uid, "resume", anchor="old")
    assert (resumed["status"], resumed["order"]["charged_amount"]) == ("active", None)
    assert (resumed["balance"], resumed["next_amount"]) == (4500 - 7500, 6000)
    assert instant(resumed["current_period_end"]) == first + timedelta(days=60)
    await stack.advance(uid, days=16)
    assert await paid(stack, uid) == [9000, 6000]
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_within_a_paid_period_the_old_billing_day_stays_and_the_days_that_stood_still_are_credit(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    due = (await stack.subscription(uid))["cycle"]["next_charge_at"]
    await stack.order(uid, "pause", at="now")
    await stack.advance(uid, days=12)
    resumed = await stack.order(uid, "resume", anchor="old")
    assert (resumed["status"], resumed["order"]["charged_amount"]) == ("active", None)
    assert resumed["cycle"]["next_charge_at"] == due
    await stack.advance(uid, days=19)
    assert await paid(stack, uid) == [9000, 5400]
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_who_resumes_by_hand_and_is_declined_stays_paused_and_nothing_is_tried_behind_their_back(stack, received):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await stack.order(uid, "pause")
    await stack.advance(uid, days=40)
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    refused = await stack.order(uid, "resume", expect=402)
    assert (refused["code"], refused["reason_code"]) == ("card_declined", "charge_declined")
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["failed_attempts"]) == ("paused", 0)
    await silent(stack, uid, received, days=30)
    from_now_on(stack, uid, GOOD)
    resumed = await stack.order(uid, "resume")
    assert (resumed["status"], resumed["order"]["charged_amount"]) == ("active", 9000)
    assert await stack.agree(uid) == 2
    assert "stays paused" in await stack.story(uid)


async def test_a_charge_to_resume_whose_answer_is_lost_is_made_once(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await stack.order(uid, "pause")
    await stack.advance(uid, days=40)
    await stack.fault(path="again", kind="500_after", count=1)
    resumed = await stack.order(uid, "resume")
    assert (resumed["status"], resumed["order"]["charged_amount"]) == ("active", 9000)
    assert await stack.agree(uid) == 2


# ---------------------------------------------------------------- at the boundary


@pytest.mark.soak
async def test_a_pause_that_comes_after_the_charge_says_so_and_pauses_with_the_period_that_was_paid(stack):
    uid = await stack.start(plan=BASIC)
    number = await current(stack, uid)
    await execute_at_portone(stack, uid, seconds=1)
    answer = await stack.order(uid, "pause")
    assert (answer["order"]["charge"], answer["order"]["merchant_uid"], answer["order"]["charged_amount"]) == (
        "paid", number, 9000,
    )  # fmt: skip
    assert answer["pause_at_period_end"] is True
    await stack.advance(uid, days=70)
    assert (await stack.subscription(uid))["status"] == "paused"
    assert await paid(stack, uid) == [9000, 9000]
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_pause_that_meets_a_declined_charge_does_not_pause_and_says_why(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    await execute_at_portone(stack, uid, seconds=1)
    refused = await stack.order(uid, "pause", expect=402)
    assert (refused["code"], refused["reason_code"]) == ("card_declined", "charge_declined")
    assert (await stack.subscription(uid))["status"] == "past_due"
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_pause_comes_before_a_pending_change_which_waits_for_the_period_after_it(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await stack.order(uid, "change-plan", plan=PREMIUM)
    await stack.order(uid, "pause")
    await stack.advance(uid, days=40)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["plan"]["name"], shown["pending_change"]["plan"]["name"]) == (
        "paused", "베이직", "프리미엄",
    )  # fmt: skip
    resumed = await stack.order(uid, "resume")
    assert (resumed["plan"]["name"], resumed["order"]["charged_amount"], resumed["pending_change"]) == (
        "프리미엄", 30000, None,
    )  # fmt: skip
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_cancel_ends_what_is_paused_at_once_and_gives_back_nothing_that_was_used(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await stack.order(uid, "pause")
    await stack.advance(uid, days=40)
    answer = await stack.order(uid, "cancel", at="now")
    assert answer["status"] == "canceled"
    assert await stack.agree(uid) == 1
    assert (await stack.events(uid))[-1] == "subscription.canceled"


@pytest.mark.soak
async def test_a_charge_run_by_hand_although_it_is_paused_goes_back(stack):
    uid = await stack.start(plan=thirty_days(9000, time_zone=NOON))
    number = await current(stack, uid)
    await stack.order(uid, "pause")
    await stack.advance(uid, days=40)
    payment = await console(stack, "retry", merchant_uid=number)
    assert payment["status"] == "paid"
    assert (await fact(stack, payment["imp_uid"]))["state"] == "refunded"
    assert (await stack.subscription(uid))["status"] == "paused"
    resumed = await stack.order(uid, "resume")
    assert resumed["order"]["merchant_uid"] != number
    assert await stack.agree(uid) == 2
    assert {"charge.late_paid", "refund.succeeded"} <= set(await stack.events(uid))


async def test_a_pause_of_what_is_no_active_subscription_is_refused_by_name(stack):
    uid = await stack.start(plan=thirty_days(9000, trial_days=5))
    assert (await stack.order(uid, "pause", expect=409))["code"] == "not_active"
    assert (await stack.order(uid, "resume", expect=409))["code"] == "not_paused"
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    await stack.advance(uid, days=6)
    assert (await stack.order(uid, "pause", expect=422, resumes_at=yesterday))["code"] == "in_the_past"
