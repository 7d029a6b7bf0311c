"""Key-in payments and their refunds: charged once, refunded no more than was paid."""

import asyncio
import uuid

import pytest

from tests.api.requests import (
    CARD,
    assert_problem,
    cards_in_vault,
    new_uid,
    payment_body,
    won,
)
from tests.soaking import soaking


def card_ending(last_four):
    return {**CARD, "card_number": f"4518-4212-3456-{last_four}"}


async def pay(stack, **more):
    return await stack.api.post("/v1/payments", json=payment_body(**more))


async def paid(stack, **more):
    answer = await pay(stack, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()["merchant_uid"]


async def refund(stack, number, **body):
    return await stack.api.post(f"/v1/payments/{number}/refunds", json=body)


async def totals(stack):
    return won((await stack.emulator.get("/emulator/books")).json()["totals"])


async def test_a_payment_by_card_number_is_charged_once_and_shown_masked(stack):
    answer = await pay(stack)
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["state"], shown["amount"], shown["kind"], shown["refunds"]) == ("paid", 12000, "key_in", [])
    [payment] = shown["payments"]
    assert (payment["status"], payment["imp_uid"]) == ("paid", shown["imp_uid"])
    assert CARD["card_number"].replace("-", "") not in answer.text.replace("-", "")
    assert (await stack.api.get(f"/v1/payments/{shown['merchant_uid']}")).json() == shown
    assert await totals(stack) == {"charges": 1, "amount": 12000, "refunded": 0, "charged_twice": []}
    assert await cards_in_vault(stack) == 0


async def test_a_declined_card_is_answered_402_and_nothing_is_charged(stack):
    for last_four in ("0001", "0002", "0003"):
        problem = assert_problem(await pay(stack, card=card_ending(last_four)), status=402, code="card_declined")
        assert (await stack.api.get(f"/v1/payments/{problem['merchant_uid']}")).json()["state"] == "declined"
    assert (await totals(stack))["charges"] == 0
    assert await cards_in_vault(stack) == 0


async def test_a_payment_whose_answer_is_lost_is_found_and_charged_once(stack):
    answer = await pay(stack, card=card_ending("0005"))
    assert (answer.status_code, answer.json()["state"]) == (201, "paid")
    assert await totals(stack) == {"charges": 1, "amount": 12000, "refunded": 0, "charged_twice": []}
    assert await cards_in_vault(stack) == 0


async def test_a_payment_whose_answer_is_spoilt_is_found_and_charged_once(stack):
    for count, kind in enumerate(("drop_after", "500_after", "garbage"), 1):
        await stack.fault(path="onetime", kind=kind, count=1)
        answer = await pay(stack)
        assert (answer.status_code, answer.json()["state"]) == (201, "paid"), kind
        assert (await totals(stack))["charges"] == count


async def test_a_payment_with_a_customer_uid_stores_a_billing_key(stack):
    uid = new_uid()
    await paid(stack, customer_uid=uid)
    answer = await stack.api.get(f"/v1/billing-keys/{uid}")
    assert (answer.status_code, answer.json()["customer_uid"]) == (200, uid)
    assert "1234567890" not in answer.text.replace("-", "")
    assert await stack.portone.find_billing_key(uid) is not None
    await stack.start(uid, payment_method={"billing_key": True})
    assert (await totals(stack))["charges"] == 2


async def test_a_declined_payment_stores_no_billing_key(stack):
    uid = new_uid()
    assert_problem(await pay(stack, customer_uid=uid, card=card_ending("0001")), status=402)
    assert_problem(await stack.api.get(f"/v1/billing-keys/{uid}"), status=404)


async def test_an_order_number_is_paid_once(stack):
    number = f"order-{uuid.uuid4().hex}"
    assert (await pay(stack, merchant_uid=number)).status_code == 201
    assert_problem(await pay(stack, merchant_uid=number), status=409, code="merchant_uid_used")
    assert (await totals(stack))["charges"] == 1
    assert await cards_in_vault(stack) == 0


async def test_an_order_number_at_once_is_paid_once(stack):
    number = f"order-{uuid.uuid4().hex}"
    answers = await asyncio.gather(*(pay(stack, merchant_uid=number) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert (await totals(stack))["charges"] == 1
    assert await cards_in_vault(stack) == 0


async def test_a_full_refund_gives_everything_back_and_is_shown(stack):
    number = await paid(stack)
    answer = await refund(stack, number, reason="고객 요청")
    assert (answer.status_code, answer.json()["amount"], answer.json()["remaining"]) == (201, 12000, 0)
    assert (await totals(stack))["refunded"] == 12000
    shown = (await stack.api.get(f"/v1/payments/{number}")).json()
    [row] = shown["refunds"]
    assert (row["amount"], row["state"], row["reason"]) == (12000, "refunded", "고객 요청")
    assert row["refund_id"] == answer.json()["refund_id"]
    assert [payment["cancelled_amount"] for payment in shown["payments"]] == [12000]


async def test_a_refund_needs_no_body(stack):
    number = await paid(stack)
    answer = await stack.api.post(f"/v1/payments/{number}/refunds")
    assert (answer.status_code, answer.json()["amount"]) == (201, 12000)


async def test_partial_refunds_add_up_and_the_rest_can_be_refunded(stack):
    number = await paid(stack)
    told = [
        (await refund(stack, number, amount=5000)).json(),
        (await refund(stack, number, amount=3000)).json(),
        (await refund(stack, number)).json(),
    ]
    assert [(row["amount"], row["remaining"]) for row in told] == [(5000, 7000), (3000, 4000), (4000, 0)]
    assert (await totals(stack))["refunded"] == 12000
    refunds = (await stack.api.get(f"/v1/payments/{number}")).json()["refunds"]
    assert sorted(row["amount"] for row in refunds) == [3000, 4000, 5000]


async def test_more_than_was_paid_is_not_refunded(stack):
    number = await paid(stack)
    problem = assert_problem(await refund(stack, number, amount=12001), status=409, code="amount_exceeds_balance")
    assert problem["remaining"] == 12000
    assert (await totals(stack))["refunded"] == 0
    assert (await stack.api.get(f"/v1/payments/{number}")).json()["refunds"] == []


async def test_more_than_is_left_is_not_refunded(stack):
    number = await paid(stack)
    await refund(stack, number, amount=7000)
    assert_problem(await refund(stack, number, amount=7000), status=409, code="amount_exceeds_balance")
    assert (await totals(stack))["refunded"] == 7000


@pytest.mark.parametrize("again", [{}, {"amount": 1}])
async def test_what_was_refunded_in_full_is_not_refunded_again(stack, again):
    number = await paid(stack)
    await refund(stack, number)
    problem = assert_problem(await refund(stack, number, **again), status=409, code="amount_exceeds_balance")
    assert problem["remaining"] == 0
    assert (await totals(stack))["refunded"] == 12000


async def test_a_declined_payment_has_nothing_to_refund(stack):
    number = assert_problem(await pay(stack, card=card_ending("0002")), status=402)["merchant_uid"]
    assert_problem(await refund(stack, number), status=409)
    assert (await totals(stack))["refunded"] == 0


async def test_full_refunds_at_once_give_back_once(stack):
    number = await paid(stack)
    answers = await asyncio.gather(*(refund(stack, number) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert (await totals(stack))["refunded"] == 12000


@pytest.mark.parametrize("kind", soaking(["drop_after", "500_after", "garbage", "500_before"], beside=["drop_after"]))
async def test_a_refund_whose_answer_is_lost_is_done_once(stack, kind):
    number = await paid(stack)
    await stack.fault(path="cancel", kind=kind, count=1)
    answer = await refund(stack, number, amount=5000)
    if answer.status_code == 202:
        await stack.temporal.get_workflow_handle(f"refund/{number}").result()
    else:
        assert (answer.status_code, answer.json()["remaining"]) == (201, 7000)
    assert (await totals(stack))["refunded"] == 5000


async def test_a_charge_of_a_subscription_can_be_refunded(stack):
    uid = await stack.start()
    [first] = [charge for charge in await stack.charges(uid) if charge["state"] == "paid"]
    answer = await refund(stack, first["merchant_uid"], amount=900)
    assert (answer.status_code, answer.json()["remaining"]) == (201, 9000)
    assert (await totals(stack))["refunded"] == 900
    assert (await stack.subscription(uid))["status"] == "active"
