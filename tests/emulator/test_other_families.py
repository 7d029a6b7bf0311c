"""Virtual accounts, cash receipts and identity checks, as far as clients' own samples go."""

import pytest

PERSON = {
    "name": "홍길동",
    "phone": "010-1234-5678",
    "birth": "900131",
    "gender_digit": "1",
    "carrier": "SKT",
    "channel_key": "channel-key-danal",
}


async def _account(merchant, merchant_uid="v1", **more):
    order = {"merchant_uid": merchant_uid, "amount": 11000, "vbank_code": "004", "name": "Plan"}
    due = await merchant.now() + 3600
    return await merchant.ok("POST", "/vbanks", order | {"vbank_due": due, "vbank_holder": "홍길동"} | more)


async def test_an_account_waits_is_paid_into_and_tells_both_times(merchant, receiver):
    row = await _account(merchant)
    assert (row["status"], row["pay_method"], row["paid_at"]) == ("ready", "vbank", 0)
    assert (row["vbank_name"], row["vbank_holder"]) == ("국민은행", "홍길동")
    assert row["vbank_issued_at"] < row["vbank_date"]
    assert await merchant.charges() == []
    await receiver.have(1)
    paid = await merchant.control("POST", "console", {"act": "deposit", "merchant_uid": "v1"})
    assert (paid["status"], paid["imp_uid"]) == ("paid", row["imp_uid"])
    await receiver.have(2)
    assert receiver.seen == [("v1", "ready"), ("v1", "paid")]
    assert len(await merchant.charges()) == 1
    assert (await merchant.call("POST", "/payments/cancel", {"merchant_uid": "v1"})).json()["code"] == 0


async def test_each_of_several_notice_urls_is_told(merchant, receiver):
    await _account(merchant, notice_url=[receiver.url + "/a", receiver.url + "/b"])
    await receiver.have(2)
    assert sorted(receiver.paths) == ["/hook/a", "/hook/b"]


async def test_an_account_that_waits_is_changed_and_deleted_and_one_that_does_not_is_neither(merchant):
    row = await _account(merchant)
    path = f"/vbanks/{row['imp_uid']}"
    assert (await merchant.ok("PUT", path, {"amount": 500}))["amount"] == 500
    assert (await merchant.ok("DELETE", path))["status"] == "failed"
    for method in ("PUT", "DELETE"):
        assert (await merchant.call(method, path, {})).status_code == 400
        assert (await merchant.call(method, "/vbanks/imps_0", {})).status_code == 404
    assert (await merchant.call("POST", "/payments/cancel", {"imp_uid": row["imp_uid"]})).json()["code"] == 1


async def test_what_a_deleted_account_becomes_can_be_chosen_and_is_no_charge(start):
    merchant = await start(deleted_vbank="cancelled")
    row = await _account(merchant)
    assert (await merchant.ok("DELETE", f"/vbanks/{row['imp_uid']}"))["status"] == "cancelled"
    assert await merchant.charges() == []
    await _account(merchant)


@pytest.mark.parametrize("part", ["merchant_uid", "amount", "vbank_code", "vbank_due"])
async def test_an_account_without_a_needed_part_is_refused_by_its_name(merchant, part):
    body = {"merchant_uid": "v1", "amount": 100, "vbank_code": "004", "vbank_due": 4000000000}
    answer = await merchant.call("POST", "/vbanks", {name: value for name, value in body.items() if name != part})
    assert answer.status_code == 200
    assert answer.json() == {"code": 1, "message": f'["{part}"] 파라메터는 필수입니다.', "response": None}


async def test_a_cash_receipt_is_issued_once_for_what_is_left_and_taken_back(merchant):
    row = await _account(merchant)
    path = f"/receipts/{row['imp_uid']}"
    assert (await merchant.call("POST", path, {"identifier": "01012345678"})).status_code == 400
    await merchant.control("POST", "console", {"act": "deposit", "imp_uid": row["imp_uid"]})
    assert (await merchant.call("POST", path, {})).status_code == 400
    assert (await merchant.call("GET", path)).status_code == 404
    receipt = await merchant.ok("POST", path, {"identifier": "01012345678"})
    assert (receipt["amount"], receipt["vat"], receipt["type"], receipt["cancelled_at"]) == (11000, 1000, "person", 0)
    assert (await merchant.call("POST", path, {"identifier": "01012345678"})).status_code == 400
    assert await merchant.ok("GET", path) == receipt
    assert (await merchant.ok("DELETE", path))["cancelled_at"] > 0
    assert (await merchant.call("DELETE", path)).status_code == 400


async def test_a_card_payment_has_no_cash_receipt_and_not_every_pg_issues_them(merchant):
    await merchant.issue()
    paid = (await merchant.again("m1")).json()["response"]
    assert (await merchant.call("POST", f"/receipts/{paid['imp_uid']}", {"identifier": "1"})).status_code == 400
    order = {"channel_key": "channel-key-kakaopay", "name": "n", "amount": 1100, "identifier": "1"}
    assert (await merchant.call("POST", "/receipts/external/x1", order)).status_code == 501


async def test_a_receipt_of_a_payment_outside_portone(merchant):
    order = {"channel_key": "channel-key-nice", "name": "n", "amount": 1200, "identifier": "1", "tax_free": 100}
    assert (await merchant.call("GET", "/receipts/external/x1")).status_code == 404
    assert (await merchant.call("DELETE", "/receipts/external/x1")).status_code == 404
    receipt = await merchant.ok("POST", "/receipts/external/x1", order)
    assert (receipt["merchant_uid"], receipt["vat"]) == ("x1", 100)
    assert await merchant.ok("GET", "/receipts/external/x1") == receipt
    assert (await merchant.ok("DELETE", "/receipts/external/x1"))["cancelled_at"] > 0


async def test_somebody_is_certified_by_any_password_but_one(merchant):
    imp_uid = (await merchant.ok("POST", "/certifications/otp/request", PERSON))["imp_uid"]
    assert (await merchant.ok("GET", f"/certifications/{imp_uid}"))["certified"] is False
    for wrong in ({}, {"otp": "000000"}):
        assert (await merchant.call("POST", f"/certifications/otp/confirm/{imp_uid}", wrong)).status_code == 400
    found = await merchant.ok("POST", f"/certifications/otp/confirm/{imp_uid}", {"otp": "123456"})
    assert (found["certified"], found["birthday"], found["gender"]) == (True, "1990-01-31", "male")
    assert (found["phone"], len(found["unique_key"]), len(found["unique_in_site"])) == ("01012345678", 88, 64)
    again = await merchant.call("POST", f"/certifications/otp/confirm/{imp_uid}", {"otp": "123456"})
    assert again.status_code == 400
    assert await merchant.ok("DELETE", f"/certifications/{imp_uid}") == found
    for method, path in (("GET", imp_uid), ("DELETE", imp_uid), ("POST", f"otp/confirm/{imp_uid}")):
        answer = await merchant.call(method, f"/certifications/{path}", {"otp": "1"})
        assert answer.status_code == 404
        assert answer.json() == {"code": -1, "message": "인증결과가 존재하지 않습니다.", "response": None}


@pytest.mark.parametrize(
    ("digit", "birthday", "foreigner"),
    [("4", "2090-01-31", False), ("5", "1990-01-31", True), ("9", "1890-01-31", False)],
)
async def test_the_gender_digit_says_century_and_nationality(merchant, digit, birthday, foreigner):
    imp_uid = (await merchant.ok("POST", "/certifications/otp/request", PERSON | {"gender_digit": digit}))["imp_uid"]
    found = await merchant.ok("GET", f"/certifications/{imp_uid}")
    assert (found["birthday"], found["foreigner"]) == (birthday, foreigner)


@pytest.mark.parametrize("wrong", [{"carrier": "XX"}, {"birth": "90"}, {"gender_digit": "x"}, {"name": None}])
async def test_nobody_impossible_is_sent_a_password(merchant, wrong):
    assert (await merchant.call("POST", "/certifications/otp/request", PERSON | wrong)).status_code == 400
