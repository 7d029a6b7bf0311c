"""Charges at once: again and onetime, the test cards, one payment per order number."""

import re

import pytest


async def test_a_paid_charge_is_answered_as_portone_answers_it(merchant):
    await merchant.issue()
    answer = await merchant.again("m1", buyer_name="Kim", custom_data={"a": 1})
    payment = answer.json()["response"]
    assert answer.json()["message"] is None
    assert re.fullmatch(r"imps_\d{12}", payment["imp_uid"])
    assert (payment["status"], payment["amount"], payment["currency"]) == ("paid", 9900, "KRW")
    assert (payment["channel"], payment["customer_uid_usage"]) == ("api", "payment")
    assert payment["card_number"] == "45184212****1111"
    assert payment["paid_at"] == payment["started_at"] > 0
    assert (payment["failed_at"], payment["cancelled_at"], payment["cancel_amount"]) == (0, 0, 0)
    assert payment["custom_data"] == '{"a": 1}'
    assert not {"last_four", "notice_url"} & payment.keys()


async def test_an_order_number_is_paid_once(merchant, make_card):
    await merchant.issue()
    await merchant.again("m1")
    second = (await merchant.again("m1")).json()
    assert (second["code"], second["response"]) == (1, None)
    typed_in = await merchant.call("POST", "/subscribe/payments/onetime", _order("m1") | make_card())
    assert typed_in.json()["code"] == 1
    assert len(await merchant.charges()) == 1


async def test_the_guard_of_again_can_be_switched_off(start):
    merchant = await start(refuse_duplicate_again=False)
    await merchant.issue()
    for _ in range(2):
        assert (await merchant.again("m1")).json()["code"] == 0
    books = await merchant.control("GET", "books")
    assert books["totals"]["charged_twice"] == ["m1"]


async def test_the_books_say_what_was_taken_from_one_key_on_one_day_under_several_numbers(merchant):
    for customer_uid in ("kim", "lee"):
        await merchant.issue(customer_uid)
    await merchant.again("m1", "kim")
    await merchant.again("m2", "kim", amount=500)
    await merchant.again("m3", "lee")
    await merchant.advance(3600)
    await merchant.again("m4", "kim")
    await merchant.advance(24 * 3600)
    await merchant.again("m5", "kim")
    totals = (await merchant.control("GET", "books"))["totals"]
    same = {"customer_uid": "kim", "amount": 9900, "currency": "KRW", "merchant_uids": ["m1", "m4"]}
    assert (totals["charged_twice"], totals["same_day"]) == ([], [same])
    await merchant.ok("POST", "/payments/cancel", {"merchant_uid": "m4"})
    assert (await merchant.control("GET", "books"))["totals"]["same_day"] == []


@pytest.mark.parametrize("last_four", ["0002", "0003", "0006"])
async def test_a_decline_is_code_minus_one_and_leaves_a_failed_row_and_no_webhook(merchant, receiver, last_four):
    await merchant.issue(last_four=last_four)
    answer = await merchant.again("m1")
    assert (answer.status_code, answer.json()["code"], answer.json()["response"]) == (200, -1, None)
    assert answer.json()["message"].startswith("결제에 실패하였습니다. [3095]")
    rows = await merchant.ok("GET", "/payments/findAll/m1")
    assert [row["status"] for row in rows["list"]] == ["failed"]
    assert (rows["list"][0]["fail_reason"], rows["list"][0]["paid_at"]) == (answer.json()["message"], 0)
    assert await merchant.control("GET", "webhooks") == []
    assert receiver.received == []


async def test_card_0004_declines_twice_and_then_approves_key_by_key(merchant):
    for customer_uid in ("kim", "lee"):
        await merchant.issue(customer_uid, "0004")
        codes = [(await merchant.again(f"{customer_uid}{n}", customer_uid)).json()["code"] for n in range(4)]
        assert codes == [-1, -1, 0, 0]
    await merchant.issue("kim", "0004")
    assert (await merchant.again("kim9")).json()["code"] == -1


async def test_card_0005_charges_but_the_answer_is_lost_once_for_each_order(merchant):
    await merchant.issue(last_four="0005")
    for merchant_uid in ("m1", "m2"):
        with pytest.raises(ConnectionAbortedError):
            await merchant.again(merchant_uid)
        assert [row["status"] for row in await merchant.charges(merchant_uid=merchant_uid)] == ["paid"]
        assert (await merchant.again(merchant_uid)).json()["code"] == 1
    assert len(await merchant.charges()) == 2


async def test_card_0006_fails_and_is_approved_ten_minutes_later_with_a_webhook(merchant, receiver):
    await merchant.issue(last_four="0006")
    assert (await merchant.again("m1")).json()["code"] == -1
    assert await merchant.advance(500) == []
    assert await merchant.advance(101) == ["m1"]
    row = await merchant.ok("GET", "/payments/find/m1")
    assert (row["status"], row["failed_at"], row["fail_reason"]) == ("paid", 0, None)
    assert receiver.seen == [("m1", "paid")]
    assert len(await merchant.charges()) == 1


async def test_a_late_approval_never_pays_an_order_a_second_time(merchant):
    await merchant.issue(last_four="0006")
    await merchant.again("m1")
    await merchant.issue(last_four="1111")
    assert (await merchant.again("m1")).json()["code"] == 0
    await merchant.advance(700)
    assert len(await merchant.charges()) == 1
    rows = await merchant.ok("GET", "/payments/findAll/m1", params={"sorting": "started"})
    assert [row["status"] for row in rows["list"]] == ["failed", "paid"]


async def test_an_answer_to_a_failed_and_a_paid_try_share_the_order_number(merchant):
    await merchant.issue(last_four="0002")
    await merchant.again("m1")
    await merchant.issue(last_four="1111")
    assert (await merchant.again("m1")).json()["code"] == 0
    assert (await merchant.ok("GET", "/payments/find/m1"))["status"] == "paid"
    assert (await merchant.ok("GET", "/payments/find/m1/failed"))["status"] == "failed"


async def test_a_card_typed_in_is_charged_and_stores_a_key_only_with_a_customer_uid(merchant, make_card):
    alone = await merchant.ok("POST", "/subscribe/payments/onetime", _order("m1") | make_card())
    assert (alone["status"], alone["customer_uid"], alone["customer_uid_usage"]) == ("paid", None, None)
    order = _order("m2") | make_card() | {"customer_uid": "kim", "buyer_name": "Kim"}
    kept = await merchant.ok("POST", "/subscribe/payments/onetime", order)
    assert kept["customer_uid_usage"] == "issue"
    assert (await merchant.ok("GET", "/subscribe/customers/kim"))["customer_name"] == "Kim"
    assert (await merchant.again("m3")).json()["code"] == 0


async def test_a_card_typed_in_and_refused_stores_nothing(merchant, make_card):
    for last_four, words in (("0001", "카드정보 인증에 실패하였습니다. ["), ("0002", "결제에 실패하였습니다. [")):
        order = _order("m1") | make_card(last_four) | {"customer_uid": "kim"}
        answer = (await merchant.call("POST", "/subscribe/payments/onetime", order)).json()
        assert (answer["code"], answer["response"]) == (-1, None)
        assert answer["message"].startswith(words)
        assert (await merchant.call("GET", "/subscribe/customers/kim")).status_code == 404


async def test_foreign_money_keeps_its_cents(merchant):
    await merchant.issue(pg="nice_v2")
    payment = (await merchant.again("m1", amount=9.99, currency="USD")).json()["response"]
    assert (payment["amount"], payment["currency"]) == (9.99, "USD")


async def test_payments_of_a_test_channel_hide_from_the_single_look_up_alone(start):
    merchant = await start(sandbox=True, include_sandbox_by_default=False)
    await merchant.issue()
    payment = (await merchant.again("m1")).json()["response"]
    assert payment["sandbox"] is True
    path = f"/payments/{payment['imp_uid']}"
    assert (await merchant.call("GET", path)).status_code == 404
    assert (await merchant.call("GET", path, params={"include_sandbox": "false"})).status_code == 404
    assert (await merchant.ok("GET", path, params={"include_sandbox": "true"})) == payment
    assert (await merchant.ok("GET", "/payments/find/m1")) == payment


async def test_the_python_clients_path_for_foreign_cards_charges_like_onetime(merchant, make_card):
    paid = await merchant.ok("POST", "/subscribe/payments/foreign", _order("m1") | make_card())
    assert (paid["status"], paid["channel"]) == ("paid", "api")


def _order(merchant_uid):
    return {"merchant_uid": merchant_uid, "amount": 9900, "name": "Plan"}
