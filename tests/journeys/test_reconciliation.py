"""With every webhook lost, reconciliation finds what was done elsewhere, and rings the workflow that it is about."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.differences import DifferenceState
from billing.domain.events import EventType
from billing.ledger.writes import entry
from tests.reconciled import (
    console,
    current,
    found_by,
    kinds,
    only_portone_moves,
    order_of,
    reconcile,
    rows,
    rung,
    silence,
)

TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}
DECLINED = "4518-4212-3456-0002"


@pytest.fixture
async def deaf(stack):
    """The whole product, which no webhook reaches."""
    await silence(stack)
    yield stack
    assert await stack.ledger.list_webhooks() == []


async def found(stack, *expected):
    """One run finds exactly these kinds; answers their rows. What is rung may be settled before the run has ended."""
    met = await found_by(stack)
    assert sorted(row.kind.value for row in met) == sorted(expected)
    return met


async def reported(stack, uid, row):
    """The workflow of `uid` was told of the payment of a difference, as a webhook would have told it, once."""
    signals = await rung(stack, uid)
    assert [(name, told.imp_uid, told.merchant_uid) for name, told in signals] == [
        ("payment_reported", row.imp_uid, row.merchant_uid)
    ]
    assert row.rung_at is not None
    return signals[0][1]


async def told_to_look(stack, uid, row):
    """The workflow of `uid` was told to look again, once, with the order and the reason."""
    signals = await rung(stack, uid)
    assert [(name, told.merchant_uid, told.reason) for name, told in signals] == [
        ("look_again", row.merchant_uid, row.kind.value)
    ]
    assert row.rung_at is not None


# ---------------------------------------------------------------- clean


async def test_nothing_is_found_in_a_clean_year_and_the_merchants_other_orders_are_only_counted(deaf):
    uid = await deaf.start()
    await deaf.advance(uid, days=366)
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
    assert (counts["payments"], counts["charges"], counts["subscriptions"]) == (13 + 3, 13, 1)
    assert (counts["not_ours"], counts["examined"], counts["differences"]) == (6, 0, 0)
    assert await rung(deaf, uid) == []


@pytest.mark.parametrize("card", ["4518-4212-3456-0004", "4518-4212-3456-0005"])
async def test_nothing_is_found_where_declines_and_lost_answers_were_settled_by_the_workflow(deaf, card):
    uid = await deaf.start(card=card, plan=TRIAL)
    await deaf.advance(uid, days=40)
    await found(deaf)


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


async def test_a_payment_that_portone_has_lost_is_found(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    number = await order_of(deaf, uid)
    charge = await deaf.ledger.get_charge(number)
    deaf.account().world.store.drop("payments", charge.imp_uid)
    (row,) = await found(deaf, "paid_here_not_at_portone")
    assert (row.merchant_uid, row.imp_uid) == (number, charge.imp_uid)
    await told_to_look(deaf, uid, row)


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


@pytest.mark.parametrize(("amount", "back"), [(900, "900 KRW"), (None, "9,900 KRW")])
async def test_a_refund_in_the_console_is_found_and_reported_as_its_webhook_would_have_been(deaf, amount, back):
    uid = await deaf.start()
    number = await order_of(deaf, uid)
    payment = await console(deaf, "cancel", merchant_uid=number, amount=amount)
    (row,) = await found(deaf, "refunded_elsewhere")
    assert (row.merchant_uid, row.imp_uid, row.detail) == (number, payment["imp_uid"], back)
    bell = await reported(deaf, uid, row)
    assert (bell.status, bell.cancellation_id) == ("cancelled", payment["cancel_history"][0]["cancellation_id"])


async def test_a_refund_in_the_console_beside_one_of_ours_is_told_apart_from_it(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    number = await order_of(deaf, uid)
    assert (await deaf.api.post(f"/v1/payments/{number}/refunds", json={"amount": 4000})).status_code == 201
    await console(deaf, "cancel", merchant_uid=number, amount=700)
    (row,) = await found(deaf, "refunded_elsewhere")
    assert (row.detail, row.ledger) == ("700 KRW", "refunded 4,000 KRW from here")


async def test_a_refund_that_portone_has_lost_is_found(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    number = await order_of(deaf, uid)
    assert (await deaf.api.post(f"/v1/payments/{number}/refunds", json={"amount": 4000})).status_code == 201
    charge = await deaf.ledger.get_charge(number)
    store = deaf.account().world.store
    store.put("payments", charge.imp_uid, {**store["payments"][charge.imp_uid], "status": "paid", "cancel_amount": 0})
    (row,) = await found(deaf, "refund_missing")
    assert row.detail == "4,000 KRW"


async def test_a_charge_executed_before_its_time_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    payment = await console(deaf, "execute", merchant_uid=number)
    (row,) = await found(deaf, "executed_or_retried_elsewhere")
    assert (row.merchant_uid, row.imp_uid, row.portone) == (number, payment["imp_uid"], "paid 9,900 KRW")
    await reported(deaf, uid, row)


async def test_a_charge_executed_before_its_time_and_declined_is_found(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    payment = await console(deaf, "execute", merchant_uid=number)
    assert payment["status"] == "failed"
    (row,) = await found(deaf, "executed_or_retried_elsewhere")
    assert (row.merchant_uid, row.imp_uid) == (number, payment["imp_uid"])
    await reported(deaf, uid, row)


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


async def test_what_recovery_charged_after_the_subscription_ended_is_found_and_left_to_a_person(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await deaf.advance(uid, days=30)
    assert (await deaf.subscription(uid))["status"] == "canceled"
    await console(deaf, "recovery", hour=9)
    deaf.account().world.store["keys"][uid]["last_four"] = "1111"
    payment = await console(deaf, "retry", merchant_uid=number)
    (row,) = await found(deaf, "executed_or_retried_elsewhere")
    assert (row.merchant_uid, row.imp_uid, row.rung_at) == (number, payment["imp_uid"], None)
    assert await rung(deaf, uid) == []


async def test_a_late_approval_of_a_declined_charge_is_found(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await deaf.advance(uid, days=1, hours=1)
    payment = await console(deaf, "approve_late", merchant_uid=number)
    # The retry that we booked still stands at PortOne, and is the workflow's to take back.
    (row,) = await found(deaf, "late_approval")
    assert (row.merchant_uid, row.imp_uid) == (number, payment["imp_uid"])
    await reported(deaf, uid, row)


async def test_a_late_approval_after_the_subscription_ended_is_found_and_left_to_a_person(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await deaf.advance(uid, days=60)
    assert (await deaf.subscription(uid))["status"] == "canceled"
    payment = await console(deaf, "approve_late", merchant_uid=number)
    (row,) = await found(deaf, "late_approval")
    assert (row.merchant_uid, row.imp_uid, row.rung_at) == (number, payment["imp_uid"], None)
    assert await rung(deaf, uid) == []


async def test_a_late_approval_of_an_earlier_life_does_not_ring_the_one_that_runs_now(deaf):
    answer = await deaf.refused_start("second_life", card=DECLINED)
    await deaf.start("second_life")
    await console(deaf, "approve_late", merchant_uid=answer["merchant_uid"])
    (row,) = await found(deaf, "late_approval")
    assert (row.merchant_uid, row.rung_at) == (answer["merchant_uid"], None)
    assert await rung(deaf, "second_life") == []


# ---------------------------------------------------------------- schedules, keys, time, runs


async def test_a_schedule_that_portone_has_lost_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    deaf.account().world.store.drop("schedules", number)
    (row,) = await found(deaf, "schedule_missing")
    assert row.merchant_uid == number
    await told_to_look(deaf, uid, row)


async def test_a_schedule_revoked_in_the_console_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    await console(deaf, "revoke", merchant_uid=number)
    (row,) = await found(deaf, "schedule_revoked_elsewhere")
    assert row.merchant_uid == number
    await told_to_look(deaf, uid, row)


@pytest.mark.parametrize("days", [-5, 40])
async def test_a_schedule_moved_in_the_console_is_found_wherever_it_was_moved_to(deaf, days):
    uid = await deaf.start()
    number = await current(deaf, uid)
    at = (await deaf.ledger.get_charge(number)).due_at + timedelta(days=days)
    await console(deaf, "move", merchant_uid=number, schedule_at=int(at.timestamp()))
    (row,) = await found(deaf, "schedule_moved_elsewhere")
    assert (row.merchant_uid, row.detail) == (number, f"{at:%Y-%m-%dT%H:%M:%SZ}")
    await told_to_look(deaf, uid, row)


async def test_a_schedule_that_nobody_planned_is_found_on_our_key_and_under_our_number(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    at = int((datetime.now(UTC) + timedelta(days=3)).timestamp())
    await console(deaf, "register", customer_uid=uid, merchant_uid="by-hand-2", amount=3300, schedule_at=at)
    (row,) = await found(deaf, "schedule_unplanned")
    assert (row.merchant_uid, row.customer_uid) == ("by-hand-2", uid)
    await told_to_look(deaf, uid, row)


async def test_a_schedule_booked_again_after_the_subscription_ended_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    assert (await deaf.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})).status_code == 200
    at = int((datetime.now(UTC) + timedelta(days=3)).timestamp())
    await console(deaf, "move", merchant_uid=number, schedule_at=at)
    (row,) = await found(deaf, "schedule_unplanned")
    assert (row.merchant_uid, row.rung_at) == (number, None)


async def test_a_key_deleted_in_the_console_is_found(deaf):
    uid = await deaf.start()
    number = await current(deaf, uid)
    await console(deaf, "delete_key", customer_uid=uid)
    (row,) = await found(deaf, "key_deleted_elsewhere")
    assert (row.customer_uid, row.merchant_uid) == (uid, "")
    signals = await rung(deaf, uid)
    assert [(name, told.merchant_uid, told.reason) for name, told in signals] == [
        ("look_again", "", "key_deleted_elsewhere")
    ]
    assert await current(deaf, uid) == number


async def test_a_charge_that_is_long_due_and_that_nobody_settled_is_found(deaf):
    uid = await deaf.start(plan=TRIAL, card=DECLINED)
    number = await current(deaf, uid)
    await only_portone_moves(deaf, uid, days=1, hours=3)
    (row,) = await found(deaf, "charge_overdue")
    assert row.merchant_uid == number
    await told_to_look(deaf, uid, row)


async def test_a_living_subscription_whose_workflow_was_terminated_is_found_and_left_to_a_person(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    await deaf.handle(uid).terminate("by an operator")
    (row,) = await found(deaf, "workflow_missing")
    assert (row.customer_uid, row.rung_at) == (uid, None)


async def test_every_difference_at_once_is_found_once_each(deaf):
    """Eleven subscribers, eleven things done behind our back, one run."""
    names = ("paid", "refund", "twice", "early", "revoked", "moved", "unplanned", "key", "lost", "gone", "fine")
    numbers = {}
    for name in names:
        await deaf.start(name)
        numbers[name] = await current(deaf, name)
    far = int((datetime.now(UTC) + timedelta(days=50)).timestamp())
    await only_portone_moves(deaf, "paid", days=32)
    await console(deaf, "cancel", merchant_uid=await order_of(deaf, "refund"))
    await console(deaf, "pay", customer_uid="twice", merchant_uid=await order_of(deaf, "twice"), amount=9900)
    await console(deaf, "execute", merchant_uid=numbers["early"])
    await console(deaf, "revoke", merchant_uid=numbers["revoked"])
    await console(deaf, "move", merchant_uid=numbers["moved"], schedule_at=far)
    await console(deaf, "register", customer_uid="unplanned", merchant_uid="x", amount=1, schedule_at=far)
    await console(deaf, "delete_key", customer_uid="key")
    deaf.account().world.store.drop("schedules", numbers["lost"])
    await deaf.handle("gone").terminate()
    met = await found(
        deaf,
        "paid_at_portone_unknown_here",
        "refunded_elsewhere",
        "paid_twice",
        "executed_or_retried_elsewhere",
        "schedule_revoked_elsewhere",
        "schedule_moved_elsewhere",
        "schedule_unplanned",
        "key_deleted_elsewhere",
        "schedule_missing",
        "workflow_missing",
    )
    assert {row.customer_uid: len(await rung(deaf, row.customer_uid)) for row in met} == {
        name: 0 if name == "gone" else 1 for name in names if name != "fine"
    }
    assert await rung(deaf, "fine") == []


async def test_the_world_is_told_of_a_difference_when_it_opens_and_not_again(deaf, monkeypatch):
    told = []
    write = entry.write_entry

    async def write_and_tell(connection, written):
        told.extend(written.events)
        await write(connection, written)

    monkeypatch.setattr("billing.ledger.differences.write_entry", write_and_tell)
    uid = await deaf.start()
    number = await order_of(deaf, uid)
    await console(deaf, "cancel", merchant_uid=number, amount=900)
    await reconcile(deaf)
    await reconcile(deaf)
    (event,) = told
    assert (event.type, event.customer_uid, event.merchant_uid) == (EventType.DIFFERENCE_FOUND, uid, number)
    assert (event.data["kind"], event.data["amount"], event.data["currency"]) == ("refunded_elsewhere", 900, "KRW")
