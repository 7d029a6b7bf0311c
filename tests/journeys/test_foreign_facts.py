"""Journeys of money that moved late or elsewhere: noticed, booked in a named state, given back where it pays for
nothing, announced, and never silently absorbed."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.dunning import EndAction
from tests.facts import (
    DECLINED,
    TRIAL,
    console,
    current,
    fact,
    gone_back,
    heard_out,
    kept,
    look_again,
    order_of,
    parked,
    refunds_add_up,
    results_of,
    stands,
    state_of,
    told,
    until,
    with_settings,
)
from tests.reconciled import reconcile
from tests.stack import summaries
from workflows.unexpected_payment.contracts import ReportedFact
from workflows.unexpected_payment.reporting import report_fact

# ---------------------------------------------------------------- late approvals


async def test_a_late_approval_after_the_subscription_was_canceled_goes_back_under_checksum(stack):
    uid = await stack.start(plan=TRIAL, card=DECLINED)
    number = await current(stack, uid)
    await stack.advance(uid, days=40)
    assert (await stack.subscription(uid))["status"] == "canceled"
    payment = await console(stack, "approve_late", merchant_uid=number)
    settled = await fact(stack, payment["imp_uid"])
    assert (settled["state"], settled["amount"]) == ("refunded", {"amount": 9900, "currency": "KRW"})
    assert await kept(stack, number) == 0
    assert await state_of(stack, number) == "refunded"
    assert (await results_of(stack, number))[-2:] == ["late_paid", "refunded"]
    assert await refunds_add_up(stack, number) == 9900
    names = await stack.events(uid)
    assert names[-3:] == ["subscription.canceled", "charge.late_paid", "refund.succeeded"]
    (hook,) = [row for row in await stack.ledger.list_webhooks(number) if row.status == "paid"]
    assert hook.disposition == "applied"
    story = await summaries(stack.temporal.get_workflow_handle(f"fact/{payment['imp_uid']}"))
    assert "9,900 KRW paid after the order had been given up" in story
    assert await stack.agree(uid) == 0


@pytest.mark.soak
async def test_a_late_approval_after_every_retry_reopens_a_period_that_is_still_unpaid(stack):
    with_settings(stack, dunning_end_action=EndAction.UNPAID)
    uid = await stack.start(plan=TRIAL, card=DECLINED)
    number = await current(stack, uid)
    await stack.advance(uid, days=25)
    assert (await stack.subscription(uid))["status"] == "unpaid"
    await console(stack, "approve_late", merchant_uid=number)
    names = await told(stack, uid, "subscription.active")
    assert names[-3:] == ["charge.late_paid", "charge.paid", "subscription.active"]
    assert (await stack.subscription(uid))["status"] == "active"
    assert (await results_of(stack, number))[-3:] == ["late_paid", "reopened", "paid"]
    assert await stack.agree(uid) == 1
    assert "period 1 is paid" in await stack.story(uid)


@pytest.mark.soak
async def test_a_late_approval_while_retries_run_takes_the_standing_retry_back(stack):
    uid = await stack.start(plan=TRIAL, card=DECLINED)
    number = await current(stack, uid)
    await stack.advance(uid, days=1, hours=1)
    assert (await stack.subscription(uid))["status"] == "past_due"
    await console(stack, "approve_late", merchant_uid=number)
    names = await told(stack, uid, "charge.late_paid")
    assert names[-3:] == ["charge.late_paid", "charge.paid", "subscription.active"]
    assert (await stack.portone.find_schedule(number)).schedule_status == "revoked"
    await stack.advance(uid, days=3)
    assert await stack.agree(uid) == 1


async def test_a_period_paid_late_under_an_earlier_number_is_paid_and_its_newer_number_never_charged(stack):
    uid = "naver_late"
    window = {"customer_uid": uid, "card_number": DECLINED, "pg": "naverpay"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start(uid, payment_method={"billing_key": True}, plan=TRIAL)
    first = await current(stack, uid)
    await stack.advance(uid, days=1, hours=1)
    newer = (await stack.snapshot(uid))["merchant_uid"]
    assert newer == first[:-1] + "b"
    await console(stack, "approve_late", merchant_uid=first)
    await told(stack, uid, "charge.late_paid")
    await told(stack, uid, "subscription.active")
    assert (await state_of(stack, first), await state_of(stack, newer)) == ("paid", "skipped")
    await stack.advance(uid, days=5)
    assert await stack.agree(uid) == 1
    assert await kept(stack, newer) == 0


# ---------------------------------------------------------------- paid beside, or without, an order


async def test_a_second_payment_of_a_paid_number_goes_back_and_the_first_one_stays(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await current(stack, uid)
    second = await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=9900)
    assert (await fact(stack, second["imp_uid"]))["state"] == "refunded"
    charge = await stack.ledger.get_charge(number)
    assert (charge.state.value, charge.imp_uid == second["imp_uid"]) == ("paid", False)
    assert await kept(stack, number) == 9900
    assert await refunds_add_up(stack, number) == 9900
    names = await told(stack, uid, "refund.succeeded")
    assert names[-2:] == ["charge.mismatch", "refund.succeeded"]
    assert (await stack.subscription(uid))["status"] == "active"
    assert any("hand on" in line for line in await stack.story(uid))
    assert await parked(stack) == []


@pytest.mark.soak
async def test_a_second_payment_after_a_fixed_term_has_expired_goes_back(stack):
    uid = await stack.start(plan={"name": "1개월권", "amount": 5000, "interval": "month", "max_cycles": 1})
    number = await order_of(stack, uid)
    await stack.advance(uid, days=32)
    assert (await stack.subscription(uid))["status"] == "expired"
    second = await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=5000)
    assert (await fact(stack, second["imp_uid"]))["state"] == "refunded"
    assert await kept(stack, number) == 5000
    names = await stack.events(uid)
    assert names[-3:] == ["subscription.expired", "charge.mismatch", "refund.succeeded"]


@pytest.mark.soak
async def test_a_charge_run_by_hand_although_the_subscription_ends_with_its_period_goes_back(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    await stack.order(uid, "cancel", at="period_end")
    payment = await console(stack, "retry", merchant_uid=number)
    assert payment["status"] == "paid"
    assert (await fact(stack, payment["imp_uid"]))["state"] == "refunded"
    assert await kept(stack, number) == 0
    # The number is burnt: should the cancel be taken back, the period has another one.
    await stack.order(uid, "undo-cancel")
    assert (await stack.snapshot(uid))["merchant_uid"] != number
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2
    assert {"charge.late_paid", "refund.succeeded"} <= set(await stack.events(uid))


@pytest.mark.soak
async def test_a_payment_that_nobody_ordered_on_our_key_is_announced_and_left_as_it_is(stack):
    uid = await stack.start()
    await current(stack, uid)
    stray = await console(stack, "pay", customer_uid=uid, merchant_uid="by-hand-1", amount=7700)
    bell = {"imp_uid": stray["imp_uid"], "merchant_uid": "by-hand-1", "status": "paid", "cancellation_id": ""}
    await stack.handle(uid).signal("payment_reported", bell)
    assert (await fact(stack, stray["imp_uid"]))["state"] == "noted"
    assert await kept(stack, "by-hand-1") == 7700
    assert [row.imp_uid for row in await stack.ledger.list_payments("by-hand-1")] == [stray["imp_uid"]]
    events = (await stack.api.get("/v1/events", params={"customer_uid": uid})).json()["events"]
    assert [event["type"] for event in events].count("charge.mismatch") == 1
    assert "without an order of ours" in next(e["summary"] for e in events if e["type"] == "charge.mismatch")
    # Told again, it says nothing new.
    await stack.handle(uid).signal("payment_reported", {**bell, "cancellation_id": "again"})
    await heard_out(stack, uid)
    assert (await stack.events(uid)).count("charge.mismatch") == 1


# ---------------------------------------------------------------- the open charge: run, moved, revoked elsewhere


async def test_a_charge_run_before_its_day_pays_its_period_and_the_next_one_keeps_its_day(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    due_at = (await stack.snapshot(uid))["next_charge_at"]
    await stack.advance(uid, days=10)
    await console(stack, "execute", merchant_uid=number)
    await until(lambda: _is_paid(stack, number))
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"]) == ("active", 3)
    assert shown["current_period_start"] == due_at
    await stack.advance(uid, days=25)
    assert await stack.agree(uid) == 2
    assert (await stack.events(uid)).count("charge.paid") == 2


async def _is_paid(stack, number):
    return await state_of(stack, number) == "paid"


@pytest.mark.soak
async def test_a_charge_run_before_its_day_and_declined_is_tried_again_on_its_day(stack):
    uid = await stack.start(card="4518-4212-3456-0004", plan={**TRIAL, "trial_days": 5})
    number = await current(stack, uid)
    await stack.advance(uid, days=1)
    payment = await console(stack, "execute", merchant_uid=number)
    assert payment["status"] == "failed"
    names = await told(stack, uid, "charge.declined")
    assert "subscription.past_due" not in names
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["failed_attempts"]) == ("trialing", 0)
    assert (await current(stack, uid)) == number
    await stack.advance(uid, days=6)
    assert await stack.agree(uid) == 1
    assert f"period {1} was declined before its day" in await stack.story(uid)


async def test_a_charge_moved_in_the_console_is_followed_at_the_deadline_and_charged_once(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    moved_to = int((datetime.now(UTC) + timedelta(days=40)).timestamp())
    await console(stack, "move", merchant_uid=number, schedule_at=moved_to)
    await stack.advance(uid, days=33)
    assert "charge.moved_elsewhere" in await stack.events(uid)
    shown = await stack.subscription(uid)
    assert datetime.fromisoformat(shown["cycle"]["next_charge_at"]).timestamp() == moved_to
    assert any("as PortOne's console has it" in line for line in await stack.story(uid))
    await stack.advance(uid, days=8)
    assert await stack.agree(uid) == 2
    assert await parked(stack) == []


@pytest.mark.soak
async def test_a_charge_taken_back_and_booked_again_in_the_console_is_followed(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    await console(stack, "revoke", merchant_uid=number)
    await look_again(stack, uid, number)
    assert (await stands(stack, uid, "schedule_revoked"))["merchant_uid"] == number
    later = int((datetime.now(UTC) + timedelta(days=35)).timestamp())
    await console(stack, "move", merchant_uid=number, schedule_at=later)
    await look_again(stack, uid, number)
    assert await parked(stack) == []
    names = await stack.events(uid)
    assert names[-3:] == ["charge.revoked_elsewhere", "subscription.parked", "charge.moved_elsewhere"]
    await stack.advance(uid, days=36)
    assert await stack.agree(uid) == 2


async def test_a_schedule_that_portone_has_lost_stands_parked_before_its_day(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    stack.account().world.store.drop("schedules", number)
    await look_again(stack, uid, number)
    assert await parked(stack) == [], "one look proves no absence"
    await stack.advance(uid, hours=1)
    row = await stands(stack, uid, "schedule_revoked")
    assert "no schedule" in row["reason"]
    assert set(row["decisions"]) == {"retry", "end"}


async def test_a_look_that_does_not_show_a_schedule_yet_is_no_news(stack):
    await stack.fault(path="schedule_get", kind="frozen", count=2)
    uid = await stack.start()
    number = await current(stack, uid)
    await look_again(stack, uid, number)
    await stack.advance(uid, hours=1)
    assert await parked(stack) == []
    assert "charge.revoked_elsewhere" not in await stack.events(uid)
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2


async def test_a_charge_whose_run_was_terminated_belongs_to_nobody_and_goes_back(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    await stack.handle(uid).terminate("by an operator")
    await console(stack, "execute", merchant_uid=number)
    await until(lambda: gone_back(stack, number))
    await until(lambda: is_refunded(stack, number))
    assert await kept(stack, number) == 0
    assert await refunds_add_up(stack, number) == 9900


async def is_refunded(stack, number):
    return await state_of(stack, number) == "refunded"


# ---------------------------------------------------------------- refunds and keys


@pytest.mark.soak
async def test_a_refund_in_the_console_of_an_earlier_period_is_written_down_and_parked(stack):
    uid = await stack.start()
    first = await order_of(stack, uid)
    await stack.advance(uid, days=32)
    await console(stack, "cancel", merchant_uid=first, amount=900)
    row = await stands(stack, uid, "refunded_elsewhere")
    assert (row["merchant_uid"], "900 KRW" in row["reason"]) == (first, True)
    assert await state_of(stack, first) == "mismatch"
    assert await refunds_add_up(stack, first) == 900
    names = await stack.events(uid)
    assert names[-2:] == ["charge.refunded_elsewhere", "subscription.parked"]
    shown = await stack.subscription(uid)
    assert (shown["status"], "900 KRW" in shown["parked_reason"]) == ("active", True)


@pytest.mark.soak
async def test_a_refund_in_the_console_after_the_subscription_ended_is_written_down(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await stack.order(uid, "cancel", at="now")
    payment = await console(stack, "cancel", merchant_uid=number)
    assert (await fact(stack, payment["imp_uid"]))["state"] == "noted"
    assert await state_of(stack, number) == "refunded"
    assert await refunds_add_up(stack, number) == 9900
    assert (await stack.events(uid))[-1] == "charge.refunded_elsewhere"
    assert await parked(stack) == []


@pytest.mark.soak
async def test_a_key_deleted_in_the_console_is_announced_once_and_the_next_charge_waits_for_a_card(stack):
    uid = await stack.start()
    await current(stack, uid)
    # A key that was issued a moment ago may not be listed yet: it is not called deleted.
    await console(stack, "delete_key", customer_uid=uid)
    await look_again(stack, uid)
    assert "payment_method.deleted_elsewhere" not in await stack.events(uid)
    await stack.advance(uid, minutes=11)
    await look_again(stack, uid)
    await look_again(stack, uid)
    assert (await stack.events(uid)).count("payment_method.deleted_elsewhere") == 1
    await stack.advance(uid, days=32)
    shown = await stack.subscription(uid)
    assert shown["status"] == "past_due"
    assert (await stack.events(uid)).count("payment_method.deleted_elsewhere") == 1
    assert "the billing key is gone at PortOne" in await stack.story(uid)
    key = await stack.ledger.get_billing_key(uid)
    assert key.deleted
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_key_deleted_in_the_console_is_noticed_when_its_charge_is_declined(stack):
    uid = await stack.start()
    await current(stack, uid)
    await console(stack, "delete_key", customer_uid=uid)
    await stack.advance(uid, days=32)
    names = await stack.events(uid)
    assert names.index("charge.declined") < names.index("payment_method.deleted_elsewhere")


# ---------------------------------------------------------------- with every webhook off, and through every death


@pytest.mark.soak
async def test_with_every_webhook_lost_a_late_approval_is_reported_by_reconciliation_and_goes_back(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await deaf.advance(uid, days=40)
    payment = await console(deaf, "approve_late", merchant_uid=number)
    await reconcile(deaf)
    assert (await fact(deaf, payment["imp_uid"]))["state"] == "refunded"
    assert await state_of(deaf, number) == "refunded"
    assert await kept(deaf, number) == 0


@pytest.mark.soak
async def test_a_late_fact_whose_refund_lost_its_answer_and_whose_run_was_killed_goes_back_once(stack):
    uid = await stack.start(plan=TRIAL, card=DECLINED)
    number = await current(stack, uid)
    await stack.advance(uid, days=40)
    await stack.fault(path="cancel", kind="500_after", count=1)
    await stack.fault(path="payments_get", kind="500_before", count=3)
    payment = await console(stack, "approve_late", merchant_uid=number)
    handle = stack.temporal.get_workflow_handle(f"fact/{payment['imp_uid']}")
    await until(lambda: _is_refunding(stack, number))
    await handle.terminate("killed by a test")
    report = {"imp_uid": payment["imp_uid"], "merchant_uid": number, "status": "paid"}
    await report_fact(stack.temporal, stack.task_queue, ReportedFact(**report))
    await handle.result()
    await until(lambda: _is(stack, number, "refunded"))
    assert await kept(stack, number) == 0
    assert await refunds_add_up(stack, number) == 9900
    assert (await stack.events(uid)).count("charge.late_paid") == 1


async def _is_refunding(stack, number):
    return bool(await stack.ledger.list_refunds(number))


async def _is(stack, number, state):
    return await state_of(stack, number) == state
