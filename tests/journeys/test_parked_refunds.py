"""Parked: refunds made elsewhere, earlier numbers, plan changes and money that will not go back."""

import pytest

from billing.emulator.envelope import Refusal
from tests.facts import (
    TRIAL,
    console,
    current,
    decide,
    fact,
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
)
from tests.journeys.parked import decisions_of, holds, mispriced, stands_as
from workflows.unexpected_payment.contracts import ReportedFact
from workflows.unexpected_payment.reporting import report_fact

# ---------------------------------------------------------------- refunded elsewhere


@pytest.mark.soak
async def test_a_refund_in_the_console_of_the_running_period_may_be_taken_as_it_is(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await current(stack, uid)
    await console(stack, "cancel", merchant_uid=number)
    row = await stands(stack, uid, "refunded_elsewhere")
    assert set(row["decisions"]) == {"paid", "end"}
    await decide(stack, uid, "paid")
    assert (await state_of(stack, number), await parked(stack)) == ("refunded", [])
    assert (await stack.subscription(uid))["access"] is True
    await stack.advance(uid, days=32)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_partial_refund_in_the_console_may_end_the_subscription(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    scheduled = await current(stack, uid)
    await console(stack, "cancel", merchant_uid=number, amount=4000)
    await stands(stack, uid, "refunded_elsewhere")
    await decide(stack, uid, "end")
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert (await stack.portone.find_schedule(scheduled)).schedule_status == "revoked"
    assert (await state_of(stack, number), await kept(stack, number)) == ("paid", 5900)
    assert await refunds_add_up(stack, number) == 4000


@pytest.mark.soak
async def test_two_things_that_stand_parked_are_decided_by_name(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    scheduled = await current(stack, uid)
    await console(stack, "cancel", merchant_uid=number, amount=4000)
    refund = await stands(stack, uid, "refunded_elsewhere")
    await console(stack, "revoke", merchant_uid=scheduled)
    await look_again(stack, uid)
    revoked = await stands(stack, uid, "schedule_revoked")
    problem = await decide(stack, uid, "paid", expect=409)
    assert (problem["code"], set(problem["parked_ids"])) == (
        "several_parked",
        {refund["parked_id"], revoked["parked_id"]},
    )
    await decide(stack, uid, "paid", parked_id=refund["parked_id"])
    await decide(stack, uid, "retry", parked_id=revoked["parked_id"])
    assert await parked(stack) == []
    assert (await decide(stack, uid, "paid", parked_id=refund["parked_id"], expect=409))["code"] == "already_decided"


# ---------------------------------------------------------------- an earlier number, a change, a refund that is refused


async def late_at_the_old_price(stack, uid):
    """The first number of a period declined, its price changed, and then approved late; answers both numbers."""
    window = {"customer_uid": uid, "card_number": "4518-4212-3456-7890"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start(uid, payment_method={"billing_key": True}, plan={**TRIAL, "trial_days": 10})
    first = await current(stack, uid)
    await stack.order(uid, "change-plan", quantity=2)
    newer = await current(stack, uid)
    assert newer != first
    payment = await console(stack, "retry", merchant_uid=first)
    assert payment["status"] == "paid"
    return first, newer


@pytest.mark.soak
async def test_a_period_paid_late_at_another_price_may_be_taken_as_paid(stack):
    first, newer = await late_at_the_old_price(stack, "earlier_1")
    row = await stands(stack, "earlier_1", "earlier_number_paid")
    assert row["merchant_uid"] == first
    assert (await stack.portone.find_schedule(newer)).schedule_status == "revoked"
    await decide(stack, "earlier_1", "paid")
    assert (await state_of(stack, first), await state_of(stack, newer)) == ("paid", "skipped")
    assert (await stack.subscription("earlier_1"))["status"] == "active"
    assert await stack.agree("earlier_1") == 1


@pytest.mark.soak
async def test_a_period_paid_late_at_another_price_may_go_back_and_be_charged_as_it_costs_now(stack):
    first, newer = await late_at_the_old_price(stack, "earlier_2")
    await stands(stack, "earlier_2", "earlier_number_paid")
    await decide(stack, "earlier_2", "refund")
    assert (await kept(stack, first), await state_of(stack, first)) == (0, "refunded")
    third = await current(stack, "earlier_2")
    assert third not in (first, newer)
    await stack.advance("earlier_2", days=11)
    assert await kept(stack, third) == 19800
    assert await stack.agree("earlier_2") == 1


async def change_charged_wrongly(stack):
    """A change now whose charge PortOne takes in another amount; answers the subscription and the order number."""
    uid = await stack.start()
    await current(stack, uid)
    world = stack.account().world
    keep = world.keep_payment

    def wrongly(payment):
        if "x0000" in payment["merchant_uid"]:
            payment["amount"] = 1000
        return keep(payment)

    world.keep_payment = wrongly
    problem = await stack.order(uid, "change-plan", quantity=3, at="now", expect=409)
    world.keep_payment = keep
    assert problem["code"] == "charge_mismatch"
    row = await stands(stack, uid, "change_mismatch")
    return uid, row["merchant_uid"]


@pytest.mark.soak
async def test_a_change_charged_wrongly_stands_parked_beside_a_period_that_goes_on_and_may_go_back(stack):
    uid, number = await change_charged_wrongly(stack)
    assert (await stack.subscription(uid))["cycle"]["state"] == "registered"
    answer = await decide(stack, uid, "refund")
    assert answer["order"]["refunded_amount"] == 1000
    assert (await kept(stack, number), await state_of(stack, number)) == (0, "refunded")
    assert (await stack.subscription(uid))["quantity"] == 1
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_change_charged_wrongly_may_be_kept_and_counts_toward_the_next_bill(stack):
    uid, number = await change_charged_wrongly(stack)
    await decide(stack, uid, "paid")
    assert await state_of(stack, number) == "paid"
    shown = await stack.subscription(uid)
    assert (shown["balance"], shown["next_amount"]) == (-1000, 8900)
    await stack.advance(uid, days=32)
    assert [row["amount"] for row in await stack.charges(uid) if row["state"] == "paid" and row["cycle"] == 2] == [8900]


async def test_money_that_portone_will_not_give_back_stands_parked_until_a_person_decides(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await stack.order(uid, "cancel", at="now")
    refused = _refuse_refunds(stack)
    second = await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=9900)
    row = await stands(stack, uid, "refund_refused")
    assert (row["imp_uid"], set(row["decisions"])) == (second["imp_uid"], {"refund", "paid"})
    assert (await decide(stack, uid, "refund", expect=409))["code"] == "refund_refused"
    refused()
    anew = await until(lambda: _stands_anew(stack, row["parked_id"]))
    answer = await decide(stack, uid, "refund", parked_id=anew)
    assert (answer["state"], answer["refunded_amount"]) == ("refunded", 9900)
    assert await kept(stack, number) == 9900
    assert await refunds_add_up(stack, number) == 9900
    assert await parked(stack) == []
    names = await stack.events(uid)
    assert names.count("refund.refused") == 2
    assert names[-1] == "refund.succeeded"


async def _stands_anew(stack, before):
    return next((row["parked_id"] for row in await parked(stack) if row["parked_id"] != before), None)


@pytest.mark.soak
async def test_money_that_portone_will_not_give_back_may_be_kept_with_who_and_why(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await stack.order(uid, "cancel", at="now")
    _refuse_refunds(stack)
    second = await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=9900)
    await stands(stack, uid, "refund_refused")
    assert (await decide(stack, uid, "paid", reason="고객이 원함"))["state"] == "kept"
    assert (await fact(stack, second["imp_uid"]))["state"] == "kept"
    assert await decisions_of(stack, uid) == [("refund_refused", "paid", "park@example.com", "고객이 원함")]
    # Reported again, it stays as it was decided.
    await report_fact(
        stack.temporal, stack.task_queue, ReportedFact(imp_uid=second["imp_uid"], merchant_uid=number, status="paid")
    )
    assert (await fact(stack, second["imp_uid"]))["state"] == "nothing_new"
    assert await parked(stack) == []


def _refuse_refunds(stack):
    """Let the emulator refuse every refund, as a PG does behind its window; answers how to take that back."""
    execution = stack.account().execution
    refund = execution.refund

    def refuse(*_arguments, **_options):
        raise Refusal("취소 가능 기간이 지났습니다.")

    execution.refund = refuse

    def take_back():
        execution.refund = refund

    return take_back


@pytest.mark.soak
async def test_the_first_charge_taken_in_another_amount_goes_back_by_itself_and_the_start_has_failed(stack):
    world = stack.account().world
    keep = world.keep_payment

    def wrongly(payment):
        payment["amount"] = 99
        return keep(payment)

    world.keep_payment = wrongly
    await stack.start("mispriced_start", expect=409)
    world.keep_payment = keep
    assert stack.last["code"] == "charge_mismatch"
    number = await order_of(stack, "mispriced_start")
    await until(lambda: holds(stack, number, 0))
    await until(lambda: stands_as(stack, number, "refunded"))
    assert (await stack.subscription("mispriced_start"))["status"] == "incomplete_expired"
    assert await told(stack, "mispriced_start", "refund.succeeded")
    assert await parked(stack) == []


@pytest.mark.soak
async def test_results_tell_the_whole_way_of_a_wrong_charge(stack):
    uid, number = await mispriced(stack)
    await decide(stack, uid, "refund")
    assert (await results_of(stack, number))[:2] == ["mismatch", "refunded"]
