"""A declined renewal is tried again under its own order number, then given up with the reason."""

import pytest


async def test_two_declines_then_approval_recover_under_one_order_number(stack):
    uid = await stack.start(card="4518-4212-3456-0004", plan=trial())
    await stack.advance(uid, days=1, hours=12)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["failed_attempts"]) == ("past_due", 1)
    await stack.advance(uid, days=6)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"]) == ("active", 2)
    assert await stack.agree(uid) == 1
    number = (await stack.charges(uid))[0]["merchant_uid"]
    rows = await stack.portone.find_all_payments(number)
    assert sorted(row.status for row in rows) == ["failed", "failed", "paid"]


@pytest.mark.soak
async def test_when_every_retry_is_declined_the_subscription_is_canceled_with_the_reason(stack):
    uid = await stack.start(card="4518-4212-3456-0002", plan=trial())
    await stack.advance(uid, days=30)
    shown = await stack.subscription(uid)
    assert shown["status"] == "canceled"
    assert "every retry was declined" in shown["end_reason"]
    number = (await stack.charges(uid))[0]["merchant_uid"]
    assert len(await stack.portone.find_all_payments(number)) == 5
    assert (await stack.books(uid))["charges"] == []


async def test_declines_are_noticed_with_every_webhook_lost(stack):
    await stack.fault(path="webhook", kind="drop_webhook")
    uid = await stack.start(card="4518-4212-3456-0004", plan=trial())
    await stack.advance(uid, days=12)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1


async def test_a_deleted_key_is_a_decline_not_a_crash(stack):
    uid = await stack.start()
    await stack.emulator.post("/emulator/console", json={"act": "delete_key", "customer_uid": uid})
    await stack.advance(uid, days=33)
    shown = await stack.subscription(uid)
    assert shown["status"] == "past_due"


async def test_a_pg_without_reschedule_is_retried_by_our_own_charge(stack):
    window = {"customer_uid": "toss_1", "card_number": "4518-4212-3456-0004", "pg": "tosspay_v2"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start("toss_1", payment_method={"billing_key": True}, plan=trial())
    await stack.advance("toss_1", days=10)
    assert (await stack.subscription("toss_1"))["status"] == "active"
    charge = (await stack.ledger.list_charges(customer_uid="toss_1"))[0]
    assert (charge.state, charge.sends) == ("paid", 2)
    assert await stack.agree("toss_1") == 1


@pytest.mark.soak
async def test_naver_pay_gets_a_new_order_number_after_a_verified_decline(stack):
    window = {"customer_uid": "naver_1", "card_number": "4518-4212-3456-0004", "pg": "naverpay"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start("naver_1", payment_method={"billing_key": True}, plan=trial())
    await stack.advance("naver_1", days=10)
    assert (await stack.subscription("naver_1"))["status"] == "active"
    rows = await stack.ledger.list_charges(customer_uid="naver_1")
    states = {row.merchant_uid[-6:]: str(row.state) for row in rows}
    assert (states["00001a"], states["00001b"], states["00001c"]) == ("declined", "declined", "paid")


def trial():
    return {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}


async def test_a_late_approval_settles_the_period_and_takes_the_retry_back(stack):
    uid = await stack.start(card="4518-4212-3456-0006", plan=trial())
    number = (await stack.snapshot(uid))["merchant_uid"]
    await stack.advance(uid, days=1, minutes=5)
    assert (await stack.subscription(uid))["status"] == "past_due"
    await stack.advance(uid, minutes=10)
    assert (await stack.subscription(uid))["status"] == "active"
    assert (await stack.portone.find_schedule(number)).schedule_status == "revoked"
    await stack.advance(uid, days=3)
    assert await stack.agree(uid) == 1


async def test_a_trial_whose_card_is_refused_ends_at_once_and_may_be_started_again(stack):
    answer = await stack.refused_start("trial_refused", card="4518-4212-3456-0001", plan=trial())
    assert answer["code"] == "card_declined"
    assert (await stack.subscription("trial_refused"))["status"] == "incomplete_expired"
    await stack.start("trial_refused", plan=trial())


@pytest.mark.soak
async def test_a_refused_registration_is_no_decline_and_is_charged_on_its_day(stack):
    uid = await stack.start()
    second = (await stack.snapshot(uid))["merchant_uid"]
    await stack.advance(uid, days=1)
    third = second.replace("00002a", "00003a")
    # Somebody has taken the next order number: PortOne refuses to register it.
    taken = dict(stack.account().world.store["schedules"][second])
    stack.account().world.store["schedules"][third] = {**taken, "merchant_uid": third, "schedule_status": "revoked"}
    await stack.advance(uid, days=35)
    shown = await stack.subscription(uid)
    assert shown["cycle"]["failed_attempts"] == 0
    assert shown["status"] == "active"


@pytest.mark.soak
async def test_a_schedule_revoked_in_the_console_stands_still_for_months_and_can_be_cancelled(stack):
    uid = await stack.start()
    number = (await stack.snapshot(uid))["merchant_uid"]
    await stack.advance(uid, days=1)
    await stack.emulator.post("/emulator/console", json={"act": "revoke", "merchant_uid": number})
    await stack.advance(uid, days=90)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["state"]) == ("active", "revoked")
    assert "revoked" in shown["parked_reason"]
    history = await stack.handle(uid).fetch_history()
    assert len(history.events) < 2500
    told = await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})
    assert told.json()["status"] == "canceled"
    assert await stack.agree(uid) == 1


async def test_our_own_retry_waits_while_portone_has_not_finished_an_earlier_payment(stack):
    uid = "toss_pending"
    window = {"customer_uid": uid, "card_number": "4518-4212-3456-0002", "pg": "tosspay_v2"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start(uid, payment_method={"billing_key": True}, plan=trial())
    await stack.advance(uid, days=1, hours=1)
    charge = (await stack.ledger.list_charges(customer_uid=uid))[0]
    assert (await stack.subscription(uid))["status"] == "past_due"
    # PortOne takes the failed payment up again, as PayPal's pending ones are, and does not say yet how it ends.
    payments = stack.account().world.store["payments"]
    (failed,) = [key for key, row in payments.items() if row["merchant_uid"] == charge.merchant_uid]
    payments[failed] = {**payments[failed], "status": "ready"}
    await stack.advance(uid, days=2)
    charge = await stack.ledger.get_charge(charge.merchant_uid)
    assert charge.sends == 0
    assert (await stack.subscription(uid))["status"] == "past_due"
