"""Journeys of what only a person can decide: it stands in one list with what is known and what each decision would do;
the decision is checked against PortOne, written down with who and why, and carried out."""

import asyncio

import pytest

from tests.facts import (
    console,
    current,
    decide,
    fact,
    kept,
    look_again,
    parked,
    refunds_add_up,
    stands,
    state_of,
    until,
)
from tests.journeys.parked import count_of, decisions_of, holds, mispriced, unknowable
from workflows.unexpected_payment.contracts import ReportedFact
from workflows.unexpected_payment.reporting import report_fact


async def test_a_charge_of_another_amount_stands_parked_and_may_be_taken_as_paid(stack):
    uid, number = await mispriced(stack)
    (row,) = await parked(stack)
    assert (row["customer_uid"], row["merchant_uid"], set(row["decisions"])) == (uid, number, {"paid", "refund", "end"})
    assert (row["payments"][0]["amount"], "amount" in row["reason"]) == (100, True)
    query = f'Parked = "charge_mismatch" AND CustomerUid = "{uid}"'
    await until(lambda: count_of(stack, query))
    answer = await decide(stack, uid, "paid")
    assert answer["order"]["charged_amount"] == 100
    assert await state_of(stack, number) == "paid"
    assert await parked(stack) == []
    assert await decisions_of(stack, uid) == [("charge_mismatch", "paid", "park@example.com", "고객과 통화함")]
    names = await stack.events(uid)
    assert names[-4:] == ["charge.mismatch", "subscription.parked", "subscription.decided", "charge.paid"]
    assert (await stack.subscription(uid))["cycle"]["number"] == 3
    assert any("park@example.com decided paid" in line for line in await stack.story(uid))
    assert (await decide(stack, uid, "paid", expect=409))["code"] == "nothing_parked"


@pytest.mark.soak
async def test_a_charge_of_another_amount_goes_back_and_its_period_is_charged_anew_on_its_day(stack):
    uid, number = await mispriced(stack)
    answer = await decide(stack, uid, "refund")
    assert answer["order"]["refunded_amount"] == 100
    assert (await kept(stack, number), await state_of(stack, number)) == (0, "refunded")
    newer = await current(stack, uid)
    assert newer == number[:-1] + "b"
    assert (await stack.portone.find_schedule(newer)).amount == 9900
    await stack.advance(uid, days=32)
    assert await kept(stack, newer) == 9900
    assert await stack.agree(uid) == 2
    assert "refund.succeeded" in await stack.events(uid)


@pytest.mark.soak
async def test_ending_over_a_wrong_charge_gives_it_back_by_itself(stack):
    uid, number = await mispriced(stack)
    imp_uid = (await parked(stack))[0]["imp_uid"]
    await decide(stack, uid, "end", reason="계약 종료")
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["end_reason"]) == ("canceled", "decided by park@example.com: 계약 종료")
    assert (await fact(stack, imp_uid))["state"] == "refunded"
    assert (await kept(stack, number), await state_of(stack, number)) == (0, "refunded")
    assert await parked(stack) == []


@pytest.mark.soak
async def test_of_two_payments_found_at_once_the_one_as_ordered_is_kept_and_the_other_goes_back(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    await stack.fault(path="webhook", kind="drop_webhook")
    await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=500)
    await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=9900)
    await look_again(stack, uid, number)
    row = await stands(stack, uid, "charge_mismatch")
    assert "paid more than once" in row["reason"]
    await decide(stack, uid, "paid")
    await until(lambda: holds(stack, number, 9900))
    charge = await stack.ledger.get_charge(number)
    assert (charge.state.value, await refunds_add_up(stack, number)) == ("paid", 500)
    assert (await stack.portone.find_payment(charge.imp_uid)).amount == 9900


# ---------------------------------------------------------------- nobody can prove it


async def test_what_is_unknown_stays_unknown_and_a_person_may_say_that_it_was_not_paid(stack):
    uid, number, _ = await unknowable(stack)
    await stack.advance(uid, days=10)
    assert (await stack.subscription(uid))["cycle"]["state"] == "unknown"
    assert (await decide(stack, uid, "paid", expect=409))["code"] == "no_payment"
    assert await decisions_of(stack, uid) == []
    await decide(stack, uid, "not_paid")
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["merchant_uid"]) == ("past_due", number)
    await stack.advance(uid, days=2)
    # PortOne was asked for the same number again: it takes each only once.
    assert await stack.agree(uid) == 2
    assert (await stack.subscription(uid))["status"] == "active"


@pytest.mark.soak
async def test_what_is_unknown_may_be_charged_again_under_the_same_number(stack):
    uid, number, _ = await unknowable(stack)
    answer = await decide(stack, uid, "retry")
    assert (answer["order"]["charge"], answer["order"]["charged_amount"]) == ("paid", 9900)
    assert await state_of(stack, number) == "paid"
    assert await stack.agree(uid) == 2


async def test_a_decision_never_overrides_a_payment_that_portone_shows_now(stack):
    uid, number, hidden = await unknowable(stack)
    stack.account().world.store.put("payments", hidden["imp_uid"], hidden)
    problem = await decide(stack, uid, "not_paid", expect=409)
    assert problem["code"] == "paid_meanwhile"
    assert (await state_of(stack, number), await parked(stack)) == ("paid", [])
    assert await decisions_of(stack, uid) == []
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_ending_over_an_unknown_charge_gives_it_back_should_it_turn_out_paid(stack):
    uid, number, hidden = await unknowable(stack)
    answer = await decide(stack, uid, "end")
    assert answer["order"]["charge"] == "unknown"
    # It is asked for a day what became of it; what comes later is reported.
    await stack.advance(uid, days=2)
    await stack.handle(uid).result()
    stack.account().world.store.put("payments", hidden["imp_uid"], hidden)
    await report_fact(
        stack.temporal, stack.task_queue, ReportedFact(imp_uid=hidden["imp_uid"], merchant_uid=number, status="paid")
    )
    assert (await fact(stack, hidden["imp_uid"]))["state"] == "refunded"
    assert await kept(stack, number) == 0


# ---------------------------------------------------------------- taken back in the console


@pytest.mark.soak
async def test_a_charge_taken_back_in_the_console_may_be_booked_again_for_its_day(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    await console(stack, "revoke", merchant_uid=number)
    await look_again(stack, uid, number)
    await stands(stack, uid, "schedule_revoked")
    await decide(stack, uid, "retry")
    assert (await stack.portone.find_schedule(number)).schedule_status == "scheduled"
    assert await parked(stack) == []
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_charge_taken_back_and_found_after_its_day_is_made_at_once(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    await console(stack, "revoke", merchant_uid=number)
    await stack.advance(uid, days=33)
    await stands(stack, uid, "schedule_revoked")
    answer = await decide(stack, uid, "retry")
    assert answer["order"]["charge"] == "paid"
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 2


async def test_two_persons_who_decide_at_once_are_not_both_obeyed(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    await console(stack, "revoke", merchant_uid=number)
    await look_again(stack, uid, number)
    row = await stands(stack, uid, "schedule_revoked")

    async def one(decision, by):
        body = {"decision": decision, "by": by, "reason": "동시에", "parked_id": row["parked_id"]}
        return await stack.api.post(f"/v1/parked/{uid}", json=body)

    answers = await asyncio.gather(one("retry", "kim"), one("end", "lee"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(await decisions_of(stack, uid)) == 1
