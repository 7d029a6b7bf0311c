"""POST /payments/cancel (facts.md 2.8)."""

import pytest

CANCEL = "/payments/cancel"
NOTHING = "취소할 결제건이 존재하지 않습니다."
ALREADY = "이미 전액취소된 주문입니다."


@pytest.fixture
async def paid(merchant):
    """A payment of 9,900 won under the order number m1."""
    await merchant.issue()
    return (await merchant.again("m1")).json()["response"]


@pytest.mark.parametrize("amount", [{}, {"amount": None}, {"amount": 0}, {"amount": 9900}])
async def test_no_amount_or_zero_refunds_everything(merchant, paid, amount):
    row = await merchant.ok("POST", CANCEL, {"merchant_uid": "m1", "reason": "left"} | amount)
    assert (row["imp_uid"], row["status"], row["cancel_amount"]) == (paid["imp_uid"], "cancelled", 9900)
    assert row["cancelled_at"] > 0
    assert row["cancel_history"][0]["amount"] == 9900
    assert (row["cancel_reason"], row["cancel_history"][0]["reason"]) == ("left", "left")
    again = await merchant.call("POST", CANCEL, {"imp_uid": paid["imp_uid"], "checksum": 1})
    assert (again.status_code, again.json()) == (200, {"code": 1, "message": ALREADY, "response": None})


async def test_parts_add_up_and_the_status_is_cancelled_from_the_first(merchant, paid):
    for part, total in ((4000, 4000), (3000, 7000)):
        row = await merchant.ok("POST", CANCEL, {"imp_uid": paid["imp_uid"], "amount": part})
        assert (row["status"], row["amount"], row["cancel_amount"]) == ("cancelled", 9900, total)
    assert [entry["amount"] for entry in row["cancel_history"]] == [4000, 3000]
    too_much = await merchant.call("POST", CANCEL, {"imp_uid": paid["imp_uid"], "amount": 2901})
    assert too_much.json()["code"] == 1
    row = await merchant.ok("POST", CANCEL, {"imp_uid": paid["imp_uid"]})
    assert (row["cancel_amount"], row["cancel_history"][2]["amount"]) == (9900, 2900)
    books = await merchant.control("GET", "books")
    assert books["charges"][0]["cancelled_amount"] == 9900
    assert books["totals"]["by_currency"] == {"KRW": {"amount": 9900, "refunded": 9900}}


@pytest.mark.parametrize(
    "wrong", [{"amount": -1}, {"amount": 9901}, {"amount": "x"}, {"checksum": 9899}, {"checksum": "x"}]
)
async def test_what_cannot_be_refunded_leaves_the_payment_as_it_was(merchant, paid, wrong):
    answer = await merchant.call("POST", CANCEL, {"imp_uid": paid["imp_uid"]} | wrong)
    assert (answer.json()["code"], answer.json()["response"]) == (1, None)
    assert await merchant.ok("GET", f"/payments/{paid['imp_uid']}") == paid


async def test_the_checksum_is_what_is_left(merchant, paid):
    await merchant.ok("POST", CANCEL, {"merchant_uid": "m1", "amount": 900, "checksum": 9900})
    assert (await merchant.call("POST", CANCEL, {"merchant_uid": "m1", "checksum": 9900})).json()["code"] == 1
    await merchant.ok("POST", CANCEL, {"merchant_uid": "m1", "checksum": 9000})


async def test_a_wrong_imp_uid_fails_even_beside_a_right_order_number(merchant, paid):
    answer = await merchant.call("POST", CANCEL, {"imp_uid": "imps_000000000000", "merchant_uid": "m1"})
    assert answer.json() == {"code": 1, "message": NOTHING, "response": None}


async def test_a_failed_payment_cannot_be_refunded(merchant):
    await merchant.issue(last_four="0002")
    await merchant.again("m1")
    row = await merchant.ok("GET", "/payments/find/m1")
    for order in ({"imp_uid": row["imp_uid"]}, {"merchant_uid": "m1"}):
        assert (await merchant.call("POST", CANCEL, order)).json()["message"] == NOTHING


async def test_a_refund_over_the_api_is_told_only_when_asked_for(merchant, receiver, paid):
    await receiver.have(1)
    await merchant.ok("POST", CANCEL, {"merchant_uid": "m1", "amount": 100})
    row = await merchant.ok("POST", CANCEL, {"merchant_uid": "m1", "amount": 200, "enable_webhook": True})
    await receiver.have(2)
    assert receiver.received[1] == {
        "imp_uid": paid["imp_uid"],
        "merchant_uid": "m1",
        "status": "cancelled",
        "cancellation_id": row["cancel_history"][1]["cancellation_id"],
    }


async def test_a_refunded_order_number_is_not_paid_again_and_its_schedule_tells(merchant):
    await merchant.issue()
    await merchant.schedule("m1")
    await merchant.advance(3600)
    await merchant.ok("POST", CANCEL, {"merchant_uid": "m1"})
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["payment_status"] == "cancelled"
    assert (await merchant.again("m1")).json()["code"] == 1
    assert (await merchant.call("POST", "/subscribe/payments/schedule/m1/retry")).status_code == 400


async def test_cents_are_refunded_to_the_cent(merchant):
    await merchant.issue(pg="nice_v2")
    await merchant.again("m1", amount=9.99, currency="USD")
    await merchant.ok("POST", CANCEL, {"merchant_uid": "m1", "amount": 5.0})
    row = await merchant.ok("POST", CANCEL, {"merchant_uid": "m1", "checksum": 4.99})
    assert row["cancel_amount"] == 9.99
