"""The life of a trial: its end by days or on a day, with a card and without one, moved, ended early, canceled."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.stack import CARD

INSUFFICIENT_FUNDS = "4518-4212-3456-0002"
DECLINES_TWICE = "4518-4212-3456-0004"
ANSWER_LOST = "4518-4212-3456-0005"


def trial(days=14, **more):
    return {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": days, **more}


def card(number=CARD):
    return {"card": {"card_number": number, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}}


def everything_free():
    return {"name": "첫 달 무료", "percent_off": 100, "duration": "once"}


async def number_of(stack, uid):
    return (await stack.snapshot(uid))["merchant_uid"]


async def later_end(stack, uid, **more):
    """The end of the trial, so much later."""
    return datetime.fromisoformat((await stack.subscription(uid))["trial_end"]) + timedelta(**more)


# ---------------------------------------------------------------- to its end


@pytest.mark.soak
async def test_a_trial_whose_first_charge_is_declined_is_past_due_until_a_retry_pays(stack):
    uid = await stack.start(card=DECLINES_TWICE, plan=trial())
    await stack.advance(uid, days=14, hours=1)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["failed_attempts"], shown["trial_end"] is None) == ("past_due", 1, False)
    assert await stack.agree(uid) == 0
    await stack.advance(uid, days=6)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1
    events = await stack.events(uid)
    assert events[1:5] == [
        "subscription.trialing",
        "subscription.trial_will_end",
        "subscription.past_due",
        "charge.declined",
    ]
    assert events[-2:] == ["charge.paid", "subscription.active"]
    assert "attempt 1 of period 1 was declined" in await stack.story(uid)


async def test_a_trial_with_a_card_is_reminded_of_and_becomes_active_with_its_first_charge(stack):
    uid = await stack.start(plan=trial())
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["next_amount"]) == ("trialing", 9900)
    await stack.advance(uid, days=10)
    assert "subscription.trial_will_end" not in await stack.events(uid)
    await stack.advance(uid, days=2)
    assert (await stack.events(uid))[-1] == "subscription.trial_will_end"
    await stack.advance(uid, days=2, hours=1)
    now = await stack.subscription(uid)
    assert (now["status"], now["trial_end"], now["cycle"]["number"]) == ("active", None, 2)
    assert now["current_period_start"] == shown["trial_end"]
    assert await stack.events(uid) == [
        "subscription.created",
        "subscription.trialing",
        "subscription.trial_will_end",
        "charge.paid",
        "subscription.active",
    ]
    assert await stack.agree(uid) == 1
    story = await stack.story(uid)
    assert any(line.startswith("the trial ends 20") for line in story)
    assert "period 1 is paid" in story


@pytest.mark.soak
async def test_a_trial_to_a_fixed_day_ends_on_that_day_whatever_the_plan_says(stack):
    end = (datetime.now(UTC) + timedelta(days=5)).replace(microsecond=0)
    uid = await stack.start(plan=trial(30), trial_end=end.isoformat())
    await stack.advance(uid, days=4, hours=23)
    shown = await stack.subscription(uid)
    assert (shown["status"], datetime.fromisoformat(shown["trial_end"])) == ("trialing", end)
    await stack.advance(uid, hours=2)
    now = await stack.subscription(uid)
    assert (now["status"], datetime.fromisoformat(now["current_period_start"])) == ("active", end)
    assert await stack.agree(uid) == 1
    assert (await stack.events(uid))[-2:] == ["charge.paid", "subscription.active"]
    assert "period 1 is paid" in await stack.story(uid)


async def test_a_trial_shorter_than_its_notice_is_reminded_of_at_once(stack):
    uid = await stack.start(plan=trial(1))
    await stack.advance(uid, minutes=1)
    assert (await stack.events(uid))[-1] == "subscription.trial_will_end"


@pytest.mark.soak
async def test_a_trial_canceled_at_period_end_charges_nothing(stack):
    uid = await stack.start(plan=trial())
    told = await stack.order(uid, "cancel")
    assert (told["charge"], told["cancel_at_period_end"]) == ("revoked", True)
    assert (await stack.subscription(uid))["status"] == "trialing"
    await stack.advance(uid, days=15)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await stack.agree(uid) == 0
    assert await stack.events(uid) == [
        "subscription.created",
        "subscription.trialing",
        "subscription.cancel_scheduled",
        "subscription.canceled",
    ]
    assert "canceled" in await stack.story(uid)


# ---------------------------------------------------------------- without a card


@pytest.mark.soak
async def test_a_trial_without_a_card_pauses_at_its_end_and_a_card_and_a_resume_make_it_active(stack):
    uid = await stack.start(plan=trial(), payment_method=None)
    assert (await stack.subscription(uid))["payment_method"]["card"] is None
    await stack.advance(uid, days=20)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"]) == ("paused", False)
    refused = await stack.order(uid, "resume", expect=409)
    assert refused["code"] == "no_payment_method"
    await stack.order(uid, "payment-method", payment_method=card())
    assert (await stack.subscription(uid))["status"] == "paused"
    answer = await stack.order(uid, "resume", anchor="new")
    assert (answer["status"], answer["order"]["charge"], answer["order"]["charged_amount"]) == ("active", "paid", 9900)
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2
    assert await stack.events(uid) == [
        "subscription.created",
        "subscription.trialing",
        "subscription.trial_will_end",
        "subscription.paused",
        "payment_method.changed",
        "charge.paid",
        "subscription.resumed",
        "subscription.renewal_upcoming",
        "charge.paid",
    ]
    assert any(line.startswith("until a payment method is there") for line in await stack.story(uid))
    assert [row["state"] for row in await stack.charges(uid)] == ["skipped", "paid", "paid", "planned"]


async def test_a_trial_without_a_card_ends_where_the_plan_says_so(stack):
    uid = await stack.start(plan=trial(trial_end_without_card="cancel"), payment_method=None)
    await stack.advance(uid, days=15)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["end_reason"]) == ("canceled", "the trial ended without a payment method")
    assert await stack.agree(uid) == 0
    assert (await stack.events(uid))[-1] == "subscription.canceled"
    assert "the trial ended without a payment method" in await stack.story(uid)


@pytest.mark.soak
async def test_a_card_brought_during_a_trial_is_charged_at_its_end(stack):
    uid = await stack.start(plan=trial(), payment_method=None)
    await stack.advance(uid, days=3)
    refused = await stack.order(uid, "payment-method", expect=402, payment_method=card("4518-4212-3456-0001"))
    assert refused["code"] == "card_declined"
    answer = await stack.order(uid, "payment-method", payment_method=card())
    assert (answer["status"], answer["payment_method"]["card"]) == ("trialing", "NH카드 ****7890")
    await stack.advance(uid, days=11, hours=1)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1
    assert (await stack.events(uid))[2:] == [
        "payment_method.refused",
        "payment_method.changed",
        "subscription.trial_will_end",
        "charge.paid",
        "subscription.active",
    ]
    assert "another card is charged" in await stack.story(uid)


@pytest.mark.soak
async def test_a_key_from_the_payment_window_under_the_name_of_the_trial_is_charged_at_its_end(stack):
    uid = await stack.start(plan=trial(), payment_method=None)
    path = f"/v1/subscriptions/{uid}/payment-method"
    body = {"payment_method": {"billing_key": True}, "customer_uid": uid}
    assert (await stack.api.post(path, json=body)).json()["code"] == "billing_key_not_found"
    await stack.emulator.post("/emulator/window/billing-key", json={"customer_uid": uid, "card_number": CARD})
    assert (await stack.api.post(path, json=body)).status_code == 200
    await stack.advance(uid, days=14, hours=1)
    assert (await stack.subscription(uid))["status"] == "active"
    assert [row["merchant_uid"][-6:] for row in await stack.charges(uid) if row["state"] == "paid"] == ["00001a"]
    assert await stack.agree(uid) == 1
    assert await stack.portone.find_billing_key(uid) is not None


async def test_a_free_plan_needs_no_card_until_a_period_costs(stack):
    uid = await stack.start(plan=trial(0), coupon=everything_free(), payment_method=None)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["next_amount"]) == ("active", 9900)
    refused = await stack.order(uid, "change-plan", expect=409, at="now", remove_coupon=True)
    assert refused["code"] == "no_payment_method"
    await stack.advance(uid, days=32)
    assert (await stack.subscription(uid))["status"] == "paused"
    assert await stack.agree(uid) == 0
    assert (await stack.events(uid))[:3] == ["subscription.created", "charge.skipped", "subscription.active"]
    assert "period 1 costs nothing" in await stack.story(uid)


# ---------------------------------------------------------------- moved


async def test_extending_a_trial_moves_the_charge_that_stands_under_its_own_number(stack):
    uid = await stack.start(plan=trial())
    number, ends_at = await number_of(stack, uid), await later_end(stack, uid, days=16)
    answer = await stack.order(uid, "trial", ends_at=ends_at.isoformat())
    assert (answer["status"], answer["order"]["charge"]) == ("trialing", "revoked")
    assert datetime.fromisoformat(answer["trial_end"]) == ends_at
    row = await stack.portone.find_schedule(number)
    assert (row.schedule_status, datetime.fromtimestamp(row.schedule_at, UTC)) == ("scheduled", ends_at)
    assert await number_of(stack, uid) == number
    assert [datetime.fromisoformat(charge["due_at"]) for charge in await stack.charges(uid)] == [ends_at]
    await stack.advance(uid, days=15)
    assert (await stack.subscription(uid))["status"] == "trialing"
    await stack.advance(uid, days=15, hours=1)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1
    assert (await stack.events(uid))[1:] == [
        "subscription.trialing",
        "subscription.trial_changed",
        "subscription.trial_will_end",
        "charge.paid",
        "subscription.active",
    ]
    assert "period 1 stands at PortOne again" in await stack.story(uid)


@pytest.mark.soak
async def test_a_trial_that_was_reminded_of_and_is_extended_is_reminded_of_again(stack):
    uid = await stack.start(plan=trial())
    await stack.advance(uid, days=12)
    await stack.order(uid, "trial", ends_at=(await later_end(stack, uid, days=30)).isoformat())
    await stack.advance(uid, days=30)
    events = await stack.events(uid)
    assert events.count("subscription.trial_will_end") == 2
    assert await stack.agree(uid) == 0


@pytest.mark.soak
async def test_a_trial_extended_beyond_the_horizon_is_registered_when_its_day_comes_near(stack):
    uid = await stack.start(plan=trial())
    number = await number_of(stack, uid)
    await stack.order(uid, "trial", ends_at=(await later_end(stack, uid, days=100)).isoformat())
    assert (await stack.portone.find_schedule(number)).schedule_status == "revoked"
    another = await number_of(stack, uid)
    assert await stack.portone.find_schedule(another) is None
    await stack.advance(uid, days=114, hours=1)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_where_the_pg_books_nothing_again_an_extended_trial_takes_another_number(stack):
    window = {"customer_uid": "toss_trial", "card_number": CARD, "pg": "tosspay_v2"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    uid = await stack.start("toss_trial", payment_method={"billing_key": True}, plan=trial())
    number = await number_of(stack, uid)
    await stack.advance(uid, days=1)
    await stack.order(uid, "trial", ends_at=(await later_end(stack, uid, days=7)).isoformat())
    await stack.advance(uid, days=20, hours=1)
    assert (await stack.subscription(uid))["status"] == "active"
    states = {charge["merchant_uid"][-6:]: charge["state"] for charge in await stack.charges(uid)}
    assert (states["00001a"], states["00001b"]) == ("skipped", "paid")
    assert await stack.agree(uid) == 1
    assert await stack.portone.find_all_payments(number) == []


# ---------------------------------------------------------------- ended early


@pytest.mark.soak
async def test_ending_a_trial_now_with_a_card_that_is_declined_is_past_due_at_once(stack):
    uid = await stack.start(card=INSUFFICIENT_FUNDS, plan=trial())
    answer = await stack.order(uid, "trial", end_now=True)
    assert (answer["status"], answer["order"]["charge"], answer["trial_end"] is None) == ("past_due", "declined", False)
    assert await stack.agree(uid) == 0
    assert (await stack.events(uid))[2:] == [
        "subscription.trial_changed",
        "subscription.past_due",
        "charge.declined",
    ]
    await stack.advance(uid, days=1, hours=1)
    assert (await stack.subscription(uid))["cycle"]["failed_attempts"] == 2


async def test_ending_a_trial_now_whose_answer_is_lost_charges_once(stack):
    uid = await stack.start(card=ANSWER_LOST, plan=trial())
    answer = await stack.order(uid, "trial", end_now=True)
    assert (answer["status"], answer["order"]["charge"]) == ("active", "paid")
    assert await stack.agree(uid) == 1


async def test_ending_a_trial_now_charges_at_once_under_the_number_that_stood(stack):
    uid = await stack.start(plan=trial())
    number = await number_of(stack, uid)
    answer = await stack.order(uid, "trial", end_now=True)
    assert (answer["status"], answer["trial_end"]) == ("active", None)
    assert answer["order"] == {
        "charge": "paid",
        "merchant_uid": number,
        "charged_amount": 9900,
        "refunded_amount": None,
    }
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2
    assert (await stack.events(uid))[2:5] == ["subscription.trial_changed", "charge.paid", "subscription.active"]
    assert "retry 9,900 KRW, period 1" in await stack.story(uid)


@pytest.mark.soak
async def test_ending_a_trial_now_without_a_card_pauses_it_and_with_nothing_to_pay_skips_the_charge(stack):
    bare = await stack.start(plan=trial(), payment_method=None)
    assert (await stack.order(bare, "trial", end_now=True))["status"] == "paused"
    free = await stack.start(plan=trial(), coupon=everything_free())
    answer = await stack.order(free, "trial", end_now=True)
    assert (answer["status"], answer["next_amount"]) == ("active", 9900)
    assert "charge.skipped" in await stack.events(free)
    assert "paused" in await stack.story(bare)
    assert await stack.agree(bare) + await stack.agree(free) == 0


async def test_a_trial_that_needs_consent_is_ended_now_only_with_it(stack):
    uid = await stack.start(plan=trial(consent_required=True))
    refused = await stack.order(uid, "trial", end_now=True, expect=409)
    assert refused["code"] == "consent_needed"
    assert (await stack.subscription(uid))["status"] == "trialing"
    act = {"shown": "지금부터 매월 9,900원이 결제됩니다.", "by": "gildong"}
    answer = await stack.order(uid, "trial", end_now=True, consent=act)
    assert (answer["status"], answer["order"]["charged_amount"]) == ("active", 9900)
    assert await stack.agree(uid) == 1
    assert "consent.granted" in await stack.events(uid)


@pytest.mark.soak
async def test_a_trial_that_the_charge_ended_first_is_not_moved_any_more_and_the_answer_says_so(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    late, early = await stack.start(plan=trial()), await stack.start(plan=trial())
    for uid in (late, early):
        await stack.emulator.post(
            "/emulator/console", json={"act": "execute", "merchant_uid": await number_of(stack, uid)}
        )
    later = (await later_end(stack, late, days=9)).isoformat()
    refused = await stack.order(late, "trial", expect=409, ends_at=later)
    assert refused["code"] == "not_trialing"
    wanted = await stack.order(early, "trial", end_now=True)
    assert (wanted["status"], wanted["order"]["charge"]) == ("active", "paid")
    assert [(await stack.subscription(uid))["status"] for uid in (late, early)] == ["active", "active"]
    assert await stack.agree(late) + await stack.agree(early) == 2


@pytest.mark.soak
async def test_a_plan_changed_in_a_trial_takes_the_place_of_the_old_one_and_costs_nothing_yet(stack):
    uid = await stack.start(plan=trial())
    bigger = {"name": "프리미엄", "amount": 29900, "interval": "month"}
    answer = await stack.order(uid, "change-plan", plan=bigger, at="now")
    assert (answer["status"], answer["plan"]["name"], answer["next_amount"]) == ("trialing", "프리미엄", 29900)
    again = await stack.order(uid, "change-plan", quantity=2)
    assert (again["pending_change"]["quantity"], again["next_amount"]) == (2, 59800)
    await stack.advance(uid, days=14, hours=1)
    assert [charge["amount"] for charge in await stack.charges(uid) if charge["state"] == "paid"] == [59800]
    assert await stack.agree(uid) == 1
    events = await stack.events(uid)
    assert events[2:4] == ["plan_change.applied", "plan_change.scheduled"]
    assert "the change is applied" in await stack.story(uid)
