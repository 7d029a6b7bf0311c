"""With every webhook lost, reconciliation finds what became of money elsewhere, and rings the right workflow."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.differences import DifferenceState
from tests.facts import fact
from tests.reconciled import (
    console,
    current,
    found,
    kinds,
    only_portone_moves,
    order_of,
    reconcile,
    reported,
    rows,
    rung,
    told_to_look,
)

TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}
DECLINED = "4518-4212-3456-0002"


# ---------------------------------------------------------------- clean


@pytest.mark.soak
async def test_nothing_is_found_in_months_without_a_fault_and_the_merchants_other_orders_are_only_counted(deaf):
    uid = await deaf.start()
    await deaf.advance(uid, days=100)
    for n in range(3):
        window = {"customer_uid": f"other_{n}", "card_number": "4518-4212-3456-7890"}
        await deaf.emulator.post("/emulator/window/billing-key", json=window)
        await console(deaf, "pay", customer_uid=f"other_{n}", merchant_uid=f"shop-{n}", amount=500)
        ahead = int((datetime.now(UTC) + timedelta(days=9)).timestamp())
        await console(
            deaf, "register", customer_uid=f"other_{n}", merchant_uid=f"later-{n}", amount=500, schedule_at=ahead
        )
    counts = await reconcile(deaf, look_back_days=2)
    assert await rows(deaf) == []
    assert (counts["payments"], counts["charges"], counts["subscriptions"]) == (4 + 3, 4, 1)
    assert (counts["not_ours"], counts["examined"], counts["differences"]) == (6, 0, 0)
    assert await rung(deaf, uid) == []


@pytest.mark.soak
@pytest.mark.parametrize("card", ["4518-4212-3456-0004", "4518-4212-3456-0005"])
async def test_nothing_is_found_where_declines_and_lost_answers_were_settled_by_the_workflow(deaf, card):
    uid = await deaf.start(card=card, plan=TRIAL)
    await deaf.advance(uid, days=40)
    await found(deaf)


@pytest.mark.soak
async def test_nothing_is_found_where_a_cancel_revoked_the_charge_and_a_refund_was_ours(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    number = await order_of(deaf, uid)
    for amount in (1000, 2000):
        assert (await deaf.api.post(f"/v1/payments/{number}/refunds", json={"amount": amount})).status_code == 201
    assert (await deaf.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "period_end"})).status_code == 200
    await found(deaf)
    await deaf.advance(uid, days=40)
    await found(deaf)


# ---------------------------------------------------------------- money


async def test_a_charge_that_portone_made_and_nobody_heard_of_is_found_reported_and_settled(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    await only_portone_moves(deaf, uid, days=32)
    (row,) = await found(deaf, "paid_at_portone_unknown_here")
    assert (row.merchant_uid, row.ledger) == (number, "ordered 9,900 KRW, planned")
    await reported(deaf, uid, row)
    while (await deaf.ledger.get_charge(number)).state != "paid":
        await deaf.subscription(uid)
    await found(deaf)
    assert await kinds(deaf, DifferenceState.RESOLVED) == ["paid_at_portone_unknown_here"]


async def test_money_under_an_order_number_of_nobody_on_one_of_our_keys_is_found(deaf):
    uid = await deaf.start()
    await console(deaf, "pay", customer_uid=uid, merchant_uid="by-hand-1", amount=7700)
    (row,) = await found(deaf, "paid_at_portone_unknown_here")
    assert (row.merchant_uid, row.customer_uid, row.ledger) == ("by-hand-1", uid, "no order of ours")
    await reported(deaf, uid, row)


@pytest.mark.soak
async def test_a_payment_that_portone_has_lost_is_found(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    number = await order_of(deaf, uid)
    charge = await deaf.ledger.get_charge(number)
    deaf.account().world.store.drop("payments", charge.imp_uid)
    (row,) = await found(deaf, "paid_here_not_at_portone")
    assert (row.merchant_uid, row.imp_uid) == (number, charge.imp_uid)
    await told_to_look(deaf, uid, row)


@pytest.mark.soak
async def test_another_amount_is_found_on_the_schedule_and_on_the_payment(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    deaf.account().world.store["schedules"][number]["amount"] = 100
    (row,) = await found(deaf, "amount_differs")
    assert (row.merchant_uid, row.imp_uid, row.detail) == (number, "", "scheduled 100 KRW")
    await told_to_look(deaf, uid, row)
    await console(deaf, "execute", merchant_uid=number)
    (row,) = await found(deaf, "amount_differs")
    assert (row.merchant_uid, row.detail) == (number, "100 KRW")
    assert [name for name, _ in await rung(deaf, uid)] == ["look_again", "payment_reported"]


async def test_a_second_paid_row_under_a_paid_number_is_found(deaf):
    uid = await deaf.start()
    number = await order_of(deaf, uid)
    second = await console(deaf, "pay", customer_uid=uid, merchant_uid=number, amount=9900)
    (row,) = await found(deaf, "paid_twice")
    assert (row.merchant_uid, row.imp_uid) == (number, second["imp_uid"])
    await reported(deaf, uid, row)


@pytest.mark.parametrize(
    ("amount", "back"), [(900, "900 KRW"), pytest.param(None, "9,900 KRW", marks=pytest.mark.soak)]
)
async def test_a_refund_in_the_console_is_found_and_reported_as_its_webhook_would_have_been(deaf, amount, back):
    uid = await deaf.start()
    number = await order_of(deaf, uid)
    payment = await console(deaf, "cancel", merchant_uid=number, amount=amount)
    (row,) = await found(deaf, "refunded_elsewhere")
    assert (row.merchant_uid, row.imp_uid, row.detail) == (number, payment["imp_uid"], back)
    bell = await reported(deaf, uid, row)
    assert (bell.status, bell.cancellation_id) == ("cancelled", payment["cancel_history"][0]["cancellation_id"])


@pytest.mark.soak
async def test_a_refund_in_the_console_beside_one_of_ours_is_told_apart_from_it(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    number = await order_of(deaf, uid)
    assert (await deaf.api.post(f"/v1/payments/{number}/refunds", json={"amount": 4000})).status_code == 201
    # The subscription is told of the refund, and looks it up.
    await deaf.settled(uid)
    await console(deaf, "cancel", merchant_uid=number, amount=700)
    (row,) = await found(deaf, "refunded_elsewhere")
    assert (row.detail, row.ledger) == ("700 KRW", "refunded 4,000 KRW from here")


@pytest.mark.soak
async def test_a_refund_that_portone_has_lost_is_found(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    number = await order_of(deaf, uid)
    assert (await deaf.api.post(f"/v1/payments/{number}/refunds", json={"amount": 4000})).status_code == 201
    # The subscription is told of the refund, and looks it up.
    await deaf.settled(uid)
    charge = await deaf.ledger.get_charge(number)
    store = deaf.account().world.store
    store.put("payments", charge.imp_uid, {**store["payments"][charge.imp_uid], "status": "paid", "cancel_amount": 0})
    (row,) = await found(deaf, "refund_missing")
    assert row.detail == "4,000 KRW"


@pytest.mark.soak
async def test_a_charge_executed_before_its_time_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    payment = await console(deaf, "execute", merchant_uid=number)
    (row,) = await found(deaf, "executed_or_retried_elsewhere")
    assert (row.merchant_uid, row.imp_uid, row.portone) == (number, payment["imp_uid"], "paid 9,900 KRW")
    await reported(deaf, uid, row)


@pytest.mark.soak
async def test_a_charge_executed_before_its_time_and_declined_is_found(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    payment = await console(deaf, "execute", merchant_uid=number)
    assert payment["status"] == "failed"
    (row,) = await found(deaf, "executed_or_retried_elsewhere")
    assert (row.merchant_uid, row.imp_uid) == (number, payment["imp_uid"])
    await reported(deaf, uid, row)


@pytest.mark.soak
async def test_a_declined_charge_retried_in_the_console_is_found(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await deaf.advance(uid, days=1, hours=1)
    assert (await deaf.ledger.get_charge(number)).state == "declined"
    # Booked again by us for tomorrow; a person lets the buyer mend the card, and runs it today.
    deaf.account().world.store["keys"][uid]["last_four"] = "1111"
    payment = await console(deaf, "execute", merchant_uid=number)
    (row,) = await found(deaf, "executed_or_retried_elsewhere")
    assert (row.imp_uid, row.ledger) == (payment["imp_uid"], "ordered 9,900 KRW, declined")
    await reported(deaf, uid, row)


@pytest.mark.soak
async def test_what_recovery_charged_after_the_subscription_ended_is_found_and_goes_back(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await deaf.advance(uid, days=17, hours=1)
    assert (await deaf.subscription(uid))["status"] == "canceled"
    assert (await console(deaf, "recovery", hour=9))["waiting"] == [number]
    deaf.account().world.store["keys"][uid]["last_four"] = "1111"
    await only_portone_moves(deaf, uid, days=2)
    (charged,) = (await deaf.books(uid))["charges"]
    (row,) = await found(deaf, "executed_or_retried_elsewhere")
    assert (row.merchant_uid, row.imp_uid) == (number, charged["imp_uid"])
    assert await rung(deaf, uid) == []
    assert (await fact(deaf, charged["imp_uid"]))["state"] == "refunded"


@pytest.mark.soak
async def test_a_late_approval_of_a_declined_charge_is_found(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await deaf.advance(uid, days=1, hours=1)
    payment = await console(deaf, "approve_late", merchant_uid=number)
    # The retry that we booked still stands at PortOne, and is the workflow's to take back.
    (row,) = await found(deaf, "late_approval")
    assert (row.merchant_uid, row.imp_uid) == (number, payment["imp_uid"])
    await reported(deaf, uid, row)


@pytest.mark.soak
async def test_a_late_approval_after_the_subscription_ended_is_found_and_goes_back(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await deaf.advance(uid, days=60)
    assert (await deaf.subscription(uid))["status"] == "canceled"
    payment = await console(deaf, "approve_late", merchant_uid=number)
    (row,) = await found(deaf, "late_approval")
    assert (row.merchant_uid, row.imp_uid) == (number, payment["imp_uid"])
    assert row.rung_at is not None
    assert await rung(deaf, uid) == []
    assert (await fact(deaf, payment["imp_uid"]))["state"] == "refunded"


@pytest.mark.soak
async def test_a_late_approval_of_an_earlier_life_does_not_ring_the_one_that_runs_now(deaf):
    uid = f"second_life_{uuid.uuid4().hex[:8]}"
    answer = await deaf.refused_start(uid, card=DECLINED)
    await deaf.start(uid)
    payment = await console(deaf, "approve_late", merchant_uid=answer["merchant_uid"])
    (row,) = await found(deaf, "late_approval")
    assert row.merchant_uid == answer["merchant_uid"]
    assert await rung(deaf, uid) == []
    assert (await fact(deaf, payment["imp_uid"]))["state"] == "refunded"
