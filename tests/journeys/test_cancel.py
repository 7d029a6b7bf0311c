"""Canceling: the answer says whether the next charge was stopped, and the books agree with it."""

import asyncio
from datetime import timedelta

import pytest

from api.clock import SubscriptionClock
from tests.facts import gone_back, until
from tests.patience import PATIENCE_SECONDS
from tests.soaking import soaking

TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 14}
YEARLY = {"name": "연간 이용권", "amount": 99000, "interval": "year"}


async def window_key(stack, uid, pg, card="4518-4212-3456-7890"):
    window = {"customer_uid": uid, "card_number": card, "pg": pg}
    assert (await stack.emulator.post("/emulator/window/billing-key", json=window)).status_code == 201


async def portone_runs_ahead(stack, uid, **distance):
    """PortOne's clock goes on and nobody hears of what ran: the webhook is lost, the workflow still asleep."""
    await stack.fault(path="webhook", kind="drop_webhook", customer_uid=uid)
    seconds = timedelta(**distance).total_seconds()
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": seconds, "customer_uid": uid})


async def the_workflow_follows(stack, uid, **distance):
    """The workflow's clock goes on by as much, so that both stand at the same instant again."""
    clock = SubscriptionClock(stack.temporal, str(stack.emulator.base_url), uid)
    await clock._fast_forward(timedelta(**distance))


async def console(stack, **act):
    answer = await stack.emulator.post("/emulator/console", json=act)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def number_of(stack, uid):
    return (await stack.subscription(uid))["cycle"]["merchant_uid"]


async def test_a_cancel_at_period_end_keeps_access_and_its_reason_and_ends_with_the_period(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    number = await number_of(stack, uid)
    told = await stack.order(uid, "cancel", reason="이사 갑니다")
    assert (told["charge"], told["merchant_uid"], told["cancel_at_period_end"]) == ("revoked", number, True)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["cycle"]["next_charge_at"]) == ("active", True, None)
    await stack.advance(uid, days=40)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["end_reason"]) == ("canceled", False, "이사 갑니다")
    assert shown["ended_at"][:10] == shown["current_period_end"][:10]
    assert await stack.agree(uid) == 1
    assert (await stack.events(uid))[-2:] == ["subscription.cancel_scheduled", "subscription.canceled"]
    assert any("until the last period ends" in line for line in await stack.story(uid))
    states = {row["merchant_uid"]: row["state"] for row in await stack.charges(uid)}
    assert states[number] == "revoked"


async def test_a_cancel_that_is_undone_is_charged_under_the_same_number_on_the_same_day(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    before = (await stack.subscription(uid))["cycle"]
    await stack.order(uid, "cancel")
    # Nearly a month later: the number was revoked long ago, and stands again.
    await stack.advance(uid, days=20)
    shown = await stack.order(uid, "undo-cancel")
    assert (shown["cancel_at_period_end"], shown["cycle"]["next_charge_at"]) == (False, before["next_charge_at"])
    row = await stack.portone.find_schedule(before["merchant_uid"])
    assert row.schedule_status == "scheduled"
    await stack.advance(uid, days=15)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"]) == ("active", 3)
    assert await stack.agree(uid) == 2
    paid = [row["merchant_uid"] for row in await stack.charges(uid) if row["state"] == "paid"]
    assert before["merchant_uid"] in paid
    assert "subscription.cancel_undone" in await stack.events(uid)
    assert "period 2 stands at PortOne again" in await stack.story(uid)


@pytest.mark.soak
async def test_where_a_pg_cannot_book_again_an_undone_cancel_takes_another_number(stack):
    await window_key(stack, "toss_undo", "tosspay_v2")
    uid = await stack.start("toss_undo", payment_method={"billing_key": True})
    await stack.advance(uid, days=3)
    before = await number_of(stack, uid)
    assert (await stack.order(uid, "cancel"))["charge"] == "revoked"
    await stack.order(uid, "undo-cancel")
    await stack.advance(uid, days=40)
    states = {row["merchant_uid"][-6:]: row["state"] for row in await stack.charges(uid)}
    assert (states["00002a"], states["00002b"]) == ("skipped", "paid")
    assert (await stack.portone.find_schedule(before)).schedule_status == "revoked"
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_trial_that_is_canceled_and_undone_is_charged_at_its_end_under_its_number(stack):
    uid = await stack.start(plan=TRIAL)
    number = await number_of(stack, uid)
    told = await stack.order(uid, "cancel")
    assert (told["status"], told["charge"]) == ("trialing", "revoked")
    assert told["ends_at"] == (await stack.subscription(uid))["trial_end"]
    await stack.order(uid, "undo-cancel")
    await stack.advance(uid, days=15)
    assert (await stack.subscription(uid))["status"] == "active"
    assert [row["merchant_uid"] for row in await stack.charges(uid) if row["state"] == "paid"] == [number]
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_trial_canceled_at_its_end_is_never_charged_and_keeps_access_till_then(stack):
    uid = await stack.start(plan=TRIAL)
    await stack.order(uid, "cancel")
    await stack.advance(uid, days=10)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"]) == ("trialing", True)
    await stack.advance(uid, days=10)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await stack.agree(uid) == 0
    assert "subscription.trial_will_end" not in await stack.events(uid)


@pytest.mark.soak
async def test_a_cancel_while_past_due_takes_the_retry_back_and_ends_at_once(stack):
    uid = await stack.start(card="4518-4212-3456-0002", plan={**TRIAL, "trial_days": 1})
    await stack.advance(uid, days=1, hours=2)
    number = await number_of(stack, uid)
    assert (await stack.subscription(uid))["status"] == "past_due"
    told = await stack.order(uid, "cancel")
    assert (told["status"], told["charge"], told["merchant_uid"]) == ("canceled", "revoked", number)
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 30 * 86400, "customer_uid": uid})
    assert len(await stack.portone.find_all_payments(number)) == 1
    assert await stack.agree(uid) == 0
    assert (await stack.events(uid))[-1] == "subscription.canceled"


@pytest.mark.soak
async def test_a_cancel_of_an_unpaid_subscription_ends_it_and_nothing_is_charged(strict_stack):
    stack = strict_stack
    uid = await stack.start(card="4518-4212-3456-0002", plan={**TRIAL, "trial_days": 1})
    await stack.advance(uid, days=12)
    assert (await stack.subscription(uid))["status"] == "unpaid"
    told = await stack.order(uid, "cancel")
    assert (told["status"], told["charge"]) == ("canceled", "none_planned")
    assert await stack.agree(uid) == 0


@pytest.mark.soak
async def test_a_cancel_that_meets_a_late_approval_is_told_that_it_was_paid(strict_stack):
    stack = strict_stack
    uid = await stack.start(card="4518-4212-3456-0002", plan={**TRIAL, "trial_days": 1})
    await stack.advance(uid, days=12)
    number = await number_of(stack, uid)
    await stack.fault(path="webhook", kind="drop_webhook", customer_uid=uid)
    approved = await console(stack, act="approve_late", merchant_uid=number)
    told = await stack.order(uid, "cancel", at="now")
    assert (told["charge"], told["charged_imp_uid"], told["charged_amount"]) == ("paid", approved["imp_uid"], 9900)
    assert await stack.agree(uid) == 1


async def test_a_cancel_while_paused_ends_at_once_since_no_period_runs(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    await stack.order(uid, "pause", at="now")
    told = await stack.order(uid, "cancel", reason="그만")
    assert (told["status"], told["charge"]) == ("canceled", "none_planned")
    assert (await stack.subscription(uid))["end_reason"] == "그만"
    assert (await stack.events(uid))[-2:] == ["subscription.paused", "subscription.canceled"]
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_cancel_of_what_stands_parked_ends_it_and_says_what_was_found(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    number = await number_of(stack, uid)
    # Somebody pays the next period by hand in PortOne's console, and not what it costs.
    await console(stack, act="pay", customer_uid=uid, merchant_uid=number, amount=5000)
    await stack.advance(uid, days=33)
    assert "amount" in (await stack.subscription(uid))["parked_reason"]
    told = await stack.order(uid, "cancel", at="now")
    assert (told["status"], told["charge"], told["charged_amount"]) == ("canceled", "mismatch", 5000)
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 60 * 86400, "customer_uid": uid})
    paid = [charge["amount"] for charge in (await stack.books(uid))["charges"]]
    assert paid == [9900, 5000]


@pytest.mark.soak
async def test_a_charge_revoked_in_the_console_is_parked_and_a_cancel_and_its_undo_put_it_right(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    number = await number_of(stack, uid)
    await console(stack, act="revoke", merchant_uid=number)
    assert (await stack.order(uid, "cancel"))["charge"] == "revoked"
    shown = await stack.order(uid, "undo-cancel")
    assert shown["parked_reason"] is None
    await stack.advance(uid, days=35)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 2


async def test_a_cancel_that_no_worker_takes_is_refused_and_sent_again_it_is_done(stack):
    uid = await stack.start()
    await stack.settled(uid)
    await stack.stop_worker()
    stack.quick()
    refused = await stack.order(uid, "cancel", expect=503)
    assert refused["code"] == "order_not_taken"
    await stack.start_worker()
    stack.answer_within(PATIENCE_SECONDS)
    assert (await stack.order(uid, "cancel"))["cancel_at_period_end"] is True
    await stack.advance(uid, days=35)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_second_cancel_at_period_end_says_the_same_and_a_cancel_now_ends_it(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    assert (await stack.order(uid, "cancel", reason="비싸요"))["charge"] == "revoked"
    told = await stack.order(uid, "cancel")
    assert (told["charge"], told["cancel_at_period_end"], told["merchant_uid"]) == ("none_planned", True, None)
    told = await stack.order(uid, "cancel", at="now")
    assert (told["status"], told["charge"]) == ("canceled", "none_planned")
    assert (await stack.subscription(uid))["end_reason"] == "비싸요"
    assert (await stack.events(uid)).count("subscription.cancel_scheduled") == 1
    assert await stack.agree(uid) == 1


async def test_two_cancels_at_once_are_both_answered_and_tell_of_one_end(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    both = await asyncio.gather(
        *(stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": at}) for at in ("now", "period_end"))
    )
    assert sorted(answer.status_code for answer in both) in ([200, 200], [200, 409])
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert (await stack.events(uid)).count("subscription.canceled") == 1
    assert await stack.agree(uid) == 1


@pytest.mark.soak
@pytest.mark.parametrize("first", ["pause", "change"])
async def test_a_cancel_voids_a_pause_and_a_change_that_were_to_come_and_its_undo_does_not_bring_them_back(
    stack, first
):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    orders = {"pause": ("pause", {}), "change": ("change-plan", {"quantity": 2})}
    for name in (first, *(orders.keys() - {first})):
        path, body = orders[name]
        await stack.order(uid, path, **body)
    await stack.order(uid, "cancel")
    shown = await stack.subscription(uid)
    assert (shown["pause_at_period_end"], shown["pending_change"], shown["cancel_at_period_end"]) == (False, None, True)
    # What is set after the cancel is refused: it would not come to be.
    for path, body in orders.values():
        assert (await stack.order(uid, path, expect=409, **body))["code"] == "cancel_is_set"
    shown = await stack.order(uid, "undo-cancel")
    assert (shown["pending_change"], shown["pause_at_period_end"], shown["next_amount"]) == (None, False, 9900)
    await stack.advance(uid, days=35)
    assert (await stack.subscription(uid))["status"] == "active"
    assert [row["amount"] for row in (await stack.books(uid))["charges"]] == [9900, 9900]
    assert await stack.agree(uid) == 2
    assert "plan_change.canceled" in await stack.events(uid)


@pytest.mark.soak
async def test_a_cancel_wins_at_the_boundary_over_a_pause_and_a_change(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    await stack.order(uid, "change-plan", quantity=2)
    await stack.order(uid, "pause")
    await stack.order(uid, "cancel")
    await stack.advance(uid, days=40)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await stack.agree(uid) == 1
    assert "subscription.paused" not in await stack.events(uid)


@pytest.mark.soak
async def test_when_the_charge_runs_first_its_change_is_applied_and_the_cancel_ends_the_period_after(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    await stack.order(uid, "change-plan", quantity=2)
    await stack.advance(uid, days=1)
    number = await number_of(stack, uid)
    await portone_runs_ahead(stack, uid, days=30)
    told = await stack.order(uid, "cancel")
    assert (told["charge"], told["merchant_uid"], told["charged_amount"]) == ("paid", number, 19800)
    assert (told["status"], told["cancel_at_period_end"]) == ("active", True)
    shown = await stack.subscription(uid)
    assert (shown["quantity"], shown["cycle"]["number"]) == (2, 3)
    await the_workflow_follows(stack, uid, days=30)
    await stack.advance(uid, days=40)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["ended_at"][:10]) == ("canceled", told["ends_at"][:10])
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_when_the_charge_was_declined_first_the_caller_is_told_and_nothing_is_tried_again(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    number = await number_of(stack, uid)
    await stack.fault(path="schedule", kind="decline", customer_uid=uid)
    await portone_runs_ahead(stack, uid, days=32)
    told = await stack.order(uid, "cancel", at="now")
    assert (told["status"], told["charge"], told["merchant_uid"]) == ("canceled", "declined", number)
    assert (await stack.events(uid))[-2:] == ["charge.declined", "subscription.canceled"]
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 30 * 86400, "customer_uid": uid})
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_charge_run_early_in_the_console_and_declined_is_charged_on_its_day_when_the_cancel_is_undone(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    number = await number_of(stack, uid)
    await stack.fault(path="webhook", kind="drop_webhook", customer_uid=uid)
    await stack.fault(path="console", kind="decline", customer_uid=uid, count=1)
    await console(stack, act="execute", merchant_uid=number)
    told = await stack.order(uid, "cancel")
    assert (told["status"], told["charge"], told["cancel_at_period_end"]) == ("active", "declined", True)
    await stack.order(uid, "undo-cancel")
    await stack.advance(uid, days=35)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"]) == ("active", 3)
    assert await stack.agree(uid) == 2


async def test_a_number_paid_by_hand_in_the_console_is_not_told_as_stopped(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    number = await number_of(stack, uid)
    await stack.fault(path="webhook", kind="drop_webhook", customer_uid=uid)
    paid = await console(stack, act="pay", customer_uid=uid, merchant_uid=number, amount=9900)
    told = await stack.order(uid, "cancel", at="now")
    assert (told["charge"], told["charged_imp_uid"]) == ("paid", paid["imp_uid"])
    assert (await stack.portone.find_schedule(number)).schedule_status == "revoked"
    assert await stack.agree(uid) == 2


@pytest.mark.parametrize("kind", soaking(["drop_after", "500_before", "garbage"], beside=["drop_after"]))
async def test_a_cancel_whose_answers_are_lost_still_tells_the_truth(stack, kind):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    for path in ("unschedule", "schedule_get", "findAll"):
        await stack.fault(path=path, kind=kind, count=1, customer_uid=None)
    told = await stack.order(uid, "cancel", at="now")
    assert (told["status"], told["charge"]) == ("canceled", "revoked")
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 60 * 86400, "customer_uid": uid})
    assert await stack.agree(uid) == 1


async def test_what_portone_does_not_tell_is_told_as_unknown_at_once_and_given_back_when_it_proves_paid(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    number = await number_of(stack, uid)
    await portone_runs_ahead(stack, uid, days=32)
    # PortOne says that it ran, and shows no payment of it.
    store = stack.account().world.store
    store["schedules"][number] = {**store["schedules"][number], "payment_status": None}
    paid = list(stack.account().world.payments_of(number))
    for row in paid:
        store["payments"][row["imp_uid"]] = {**row, "status": "ready"}
    answer = await stack.order(uid, "cancel", at="now")
    assert (answer["status"], answer["charge"]) == ("canceled", "unknown")
    assert [row["state"] for row in await stack.charges(uid) if row["merchant_uid"] == number] == ["unknown"]
    assert (await stack.events(uid))[-2:] == ["charge.unknown", "subscription.canceled"]
    assert (await stack.order(uid, "cancel"))["charge"] == "unknown"

    for row in paid:
        store["payments"][row["imp_uid"]] = row
    await the_workflow_follows(stack, uid, minutes=15)
    assert await stack.handle(uid).result()
    await until(lambda: gone_back(stack, number))


@pytest.mark.soak
async def test_a_yearly_plan_canceled_before_anything_is_scheduled_is_undone_under_its_number(stack):
    uid = await stack.start(plan=YEARLY)
    number = await number_of(stack, uid)
    assert (await stack.order(uid, "cancel"))["charge"] == "none_planned"
    await stack.advance(uid, days=100)
    await stack.order(uid, "undo-cancel")
    await stack.advance(uid, days=280)
    assert (await stack.subscription(uid))["cycle"]["number"] == 3
    assert [row["state"] for row in await stack.charges(uid) if row["merchant_uid"] == number] == ["paid"]
    assert await stack.agree(uid) == 2


async def test_an_undo_without_a_cancel_is_refused(stack):
    uid = await stack.start()
    assert (await stack.order(uid, "undo-cancel", expect=409))["code"] == "not_canceled"
