"""What a cancel was to give back and PortOne or its PG refuses: said, announced, parked, and decided after the end."""

import uuid
from datetime import timedelta

import pytest

from billing.emulator.envelope import Refusal
from tests.facts import console, decide, kept, order_of, parked, refunds_add_up
from tests.journeys.parked import decided_during_a_look, decisions_of, went_by
from tests.stack import now

THIRTY_DAYS = {"name": "30일권", "amount": 9000, "interval": "day", "interval_count": 30}
YEARLY = {"name": "연간", "amount": 100_000, "interval": "year"}
MONTHLY = {"name": "월간", "amount": 10_000, "interval": "month"}
REFUSED = "취소 가능 기간이 지났습니다."


def refusing(stack, *numbers):
    """Let the PG refuse to refund these orders, or all; answers how to make it willing again."""
    execution = stack.account().execution
    refund = execution.refund

    def refuse(payment, *arguments, **options):
        if not numbers or payment["merchant_uid"] in numbers:
            raise Refusal(REFUSED)
        return refund(payment, *arguments, **options)

    execution.refund = refuse

    def willing():
        execution.refund = refund

    return willing


async def phone_bill(stack):
    """A phone key of Danal, of which the first month was paid in its window and the second month five days ago."""
    uid = f"danal_{uuid.uuid4().hex[:8]}"
    window = {"customer_uid": uid, "card_number": "4518-4212-3456-1111", "pg": "danal", "amount": 9900}
    issued = await stack.emulator.post("/emulator/window/billing-key", json=window | {"merchant_uid": f"{uid}_window"})
    assert issued.status_code == 201, issued.text
    plan = {"name": "월간 이용권", "amount": 9900, "interval": "month"}
    trial_end = (now() + timedelta(days=31)).isoformat()
    await stack.start(uid, payment_method={"billing_key": True}, pg="danal", plan=plan, trial_end=trial_end)
    await stack.advance(uid, days=36)
    return uid


def watcher_of(row):
    return f"owed-refund/{row['parked_id'].removeprefix('owed-')}"


async def test_a_prorated_refund_that_a_phone_bill_does_not_take_is_said_announced_and_parked(stack):
    uid = await phone_bill(stack)
    number = await order_of(stack, uid)
    answer = await stack.order(uid, "cancel", at="now", refund="prorated")
    assert (answer["status"], answer["refund_state"], answer["refunded_amount"]) == ("canceled", "refused", 0)
    assert 0 < answer["owed_amount"] < 9900
    assert "whole" in answer["refund_message"]
    assert {"refund.refused", "subscription.parked"} <= set(await stack.events(uid))
    (row,) = await parked(stack, uid)
    assert (row["kind"], row["merchant_uid"], set(row["decisions"])) == ("refund_owed", number, {"refund", "keep"})
    assert f"{answer['owed_amount']:,} KRW" in row["reason"]
    assert answer["refund_message"] in row["reason"]
    problem = await decide(stack, uid, "refund", expect=409)
    assert (problem["code"], problem["detail"]) == ("refund_refused", answer["refund_message"])
    assert [each["parked_id"] for each in await parked(stack, uid)] == [row["parked_id"]]
    # A person sends it to the buyer's bank account, and says so.
    assert (await decide(stack, uid, "keep", reason="계좌로 환불함"))["state"] == "kept"
    assert await decisions_of(stack, uid) == [("refund_owed", "keep", "park@example.com", "계좌로 환불함")]
    assert await parked(stack, uid) == []
    assert (await stack.events(uid))[-1] == "subscription.decided"
    assert await kept(stack, number) == 9900


@pytest.mark.soak
async def test_what_one_of_two_orders_does_not_give_back_is_owed_alone_and_goes_back_when_a_person_says_so(stack):
    uid = await stack.start(plan=THIRTY_DAYS)
    first = await order_of(stack, uid)
    await stack.advance(uid, days=10)
    second = (await stack.order(uid, "change-plan", quantity=2, at="now"))["order"]["merchant_uid"]
    willing = refusing(stack, first)
    answer = await stack.order(uid, "cancel", at="now", refund="full")
    told = answer["refund_state"], answer["refunded_amount"], answer["owed_amount"]
    assert (told, REFUSED in answer["refund_message"]) == (("refused", 6000, 9000), True)
    (row,) = await parked(stack, uid)
    assert row["merchant_uid"] == first
    # The buyer has a new life under the name, and what the old one owes stands beside it.
    card = {"card_number": "4518-4212-3456-1111", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
    await stack.start(uid, plan=MONTHLY, payment_method={"card": card})
    assert (await decide(stack, uid, "refund", expect=409))["code"] == "refund_refused"
    willing()
    decided = await decide(stack, uid, "refund", parked_id=row["parked_id"])
    assert (decided["state"], decided["refunded_amount"]) == ("refunded", 9000)
    assert (await kept(stack, first), await kept(stack, second)) == (0, 0)
    assert (await refunds_add_up(stack, first), await refunds_add_up(stack, second)) == (9000, 6000)
    assert await parked(stack, uid) == []
    assert (await decide(stack, uid, "refund", parked_id=row["parked_id"], expect=409))["code"] == "already_decided"


@pytest.mark.soak
async def test_a_credit_that_is_refused_stands_until_it_has_gone_back_in_the_console(stack):
    uid = await stack.start(plan=YEARLY)
    number = await order_of(stack, uid)
    await stack.order(uid, "change-plan", plan=MONTHLY, at="now")
    willing = refusing(stack)
    answer = await stack.order(uid, "cancel", at="now", refund="prorated")
    assert (answer["refund_state"], answer["refunded_amount"], answer["owed_amount"]) == ("refused", 0, 100_000)
    (row,) = await parked(stack, uid)
    willing()
    await console(stack, "cancel", merchant_uid=number, amount=40_000)
    assert await went_by(stack, watcher_of(row), days=2) is None
    assert (await decide(stack, uid, "refund"))["refunded_amount"] == 60_000
    assert await kept(stack, number) == 0
    assert await parked(stack, uid) == []


@pytest.mark.soak
async def test_what_is_owed_and_goes_back_by_the_api_stands_no_longer(stack):
    uid = await stack.start(plan=THIRTY_DAYS)
    number = await order_of(stack, uid)
    willing = refusing(stack)
    assert (await stack.order(uid, "cancel", at="now", refund="prorated"))["owed_amount"] == 9000
    (row,) = await parked(stack, uid)
    willing()
    back = await stack.api.post(f"/v1/payments/{number}/refunds", json={})
    assert back.status_code == 201
    assert await went_by(stack, watcher_of(row), days=2) == "refunded"
    assert await parked(stack, uid) == []
    assert await refunds_add_up(stack, number) == 9000


async def test_a_decision_that_comes_while_it_is_found_to_have_gone_back_is_told_so_and_the_run_ends(stack):
    uid = await stack.start(plan=THIRTY_DAYS)
    number = await order_of(stack, uid)
    willing = refusing(stack)
    await stack.order(uid, "cancel", at="now", refund="prorated")
    (row,) = await parked(stack, uid)
    willing()
    await console(stack, "cancel", merchant_uid=number)
    told = await decided_during_a_look(stack, uid, watcher_of(row), "findAll", days=1, minutes=1)
    assert told == ("already_decided", "refunded")
    assert await parked(stack, uid) == []
