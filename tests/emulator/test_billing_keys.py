"""Billing keys: issued, refused, masked, replaced, deleted."""

import pytest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"card_number": "4518-4212"}, "[F112]유효하지않은 카드번호를 입력하셨습니다. (card_bin 없음)"),
        ({"card_number": ""}, "[F112]유효하지않은 카드번호를 입력하셨습니다. (card_bin 없음)"),
        ({"expiry": "2020-01"}, "유효기간 오류"),
        ({"expiry": "2099-13"}, "유효기간 오류"),
        ({"expiry": "12/99"}, "유효기간 오류"),
        ({"birth": "1990"}, "생년월일"),
        ({"pwd_2digit": "1"}, "비밀번호"),
        ({"last_four": "0001"}, "[F118]"),
    ],
)
async def test_a_card_that_is_refused_leaves_no_key(merchant, make_card, changes, words):
    answer = await merchant.call("POST", "/subscribe/customers/kim", make_card(**changes))
    assert (answer.status_code, answer.json()["code"], answer.json()["response"]) == (200, -1, None)
    assert answer.json()["message"].startswith("카드정보 인증 및 빌키 발급에 실패하였습니다. [F11")
    assert words in answer.json()["message"]
    assert (await merchant.call("GET", "/subscribe/customers/kim")).status_code == 404


@pytest.mark.parametrize(
    "number",
    ["1111-1111-1111-1111", "1234-1234-1234-1234", "0000-0000-0000-0000", "7777-7777-7777-7777", "8888777766665555",
     "2000-0000-0000-0001", "3111-1111-1111-11", "1111 1111 1111 0002"],
)  # fmt: skip
@pytest.mark.parametrize("expiry", ["2099-12", "2019-03", "nonsense"])
async def test_a_number_of_no_company_is_refused_before_anything_else(merchant, make_card, number, expiry):
    card = make_card(card_number=number, expiry=expiry, birth="1")
    order = {"merchant_uid": "m1", "amount": 9900, "name": "Plan"}
    item = {**order, "schedule_at": await merchant.now() + 60}
    for path, body in (
        ("/subscribe/customers/kim", card),
        ("/subscribe/payments/onetime", {**card, **order}),
        ("/subscribe/payments/schedule", {**card, "customer_uid": "kim", "schedules": [item]}),
    ):
        told = (await merchant.call("POST", path, body)).json()
        assert (told["code"], told["response"]) == (-1, None)
        assert told["message"].endswith("[F112]유효하지않은 카드번호를 입력하셨습니다. (card_bin 없음)")
    assert await merchant.charges() == []


@pytest.mark.parametrize(
    "number",
    ["4518-4212-3456-1234", "5409-2600-1234-5678", "9540-4900-1234-1569", "4092-0230-1234-1234", "2223-0000-4841-0010",
     "6221-2600-1234-5678", "3530-1113-3330-0000", "3782-822463-10005", "3056-930902-5904", "4111-1111-1111-1111"],
)  # fmt: skip
async def test_a_number_of_a_company_is_taken(merchant, make_card, number):
    issued = await merchant.ok("POST", "/subscribe/customers/kim", make_card(card_number=number))
    assert issued["card_name"]


@pytest.mark.parametrize("pg", ["html5_inicis", "daou", "kcp"])
async def test_a_pg_without_known_codes_refuses_without_another_pgs(merchant, make_card, pg):
    for changes in ({"card_number": "1111-1111-1111-1111"}, {"expiry": "2019-03"}, {"last_four": "0001"}):
        told = (await merchant.call("POST", "/subscribe/customers/kim", make_card(pg=pg, **changes))).json()
        assert told["code"] == -1
        assert "[" not in told["message"]
        assert told["message"].startswith("카드정보 인증 및 빌키 발급에 실패하였습니다. ")


async def test_a_key_shows_its_card_masked_and_nothing_else_of_it(merchant):
    issued = await merchant.issue(pg="nice.iamport01m", customer_name="Kim", customer_tel="010")
    assert issued == await merchant.ok("GET", "/subscribe/customers/kim")
    assert issued["card_number"] == "45184212****1111"
    assert (issued["pg_provider"], issued["pg_id"]) == ("nice", "iamport01m")
    assert (issued["customer_uid"], issued["customer_name"]) == ("kim", "Kim")
    assert issued["inserted"] == issued["updated"]
    assert issued["sandbox"] is False
    assert not {"expiry", "birth", "pwd_2digit", "last_four", "cvc"} & issued.keys()


@pytest.mark.parametrize(
    ("number", "pg", "masked"),
    [
        ("3782-822463-10005", "daou", "378282*****0005"),
        ("30569309025904", "daou", "305693****5904"),
        ("3782-822463-10005", "nice", "37828224***0005"),
        ("30569309025904", "tosspayments", "30569309****0*"),
    ],
)
async def test_a_shorter_card_is_masked_too(merchant, make_card, number, pg, masked):
    issued = await merchant.ok("POST", "/subscribe/customers/kim", make_card(card_number=number, pg=pg))
    assert issued["card_number"] == masked


@pytest.mark.parametrize("channel", [{}, {"pg": "no-such-pg"}, {"channel_key": "odd"}])
async def test_a_wrong_channel_falls_back_to_the_default_without_a_word(merchant, channel):
    assert (await merchant.issue(**channel))["pg_provider"] == "nice"


async def test_a_channel_key_of_users_pg_chooses_that_channel(merchant):
    channels = await merchant.ok("GET", "/users/pg")
    chosen = next(row for row in channels if row["pg_provider"] == "welcome" and row["type"] == "api_payment")
    issued = await merchant.issue(channel_key=chosen["channel_key"], customer_name="Kim")
    assert (issued["pg_provider"], issued["pg_id"]) == ("welcome", chosen["pg_id"])


async def test_a_used_customer_uid_maps_to_the_newest_card(merchant):
    before = await merchant.issue(last_four="1111")
    await merchant.advance(60)
    after = await merchant.issue(last_four="2222")
    assert after["card_number"].endswith("2222")
    assert after["inserted"] == before["inserted"]
    assert after["updated"] >= before["updated"] + 60


async def test_several_keys_at_once_are_207_when_some_are_missing(merchant):
    for customer_uid in ("kim", "lee"):
        await merchant.issue(customer_uid)
    params = [("customer_uid[]", "kim"), ("customer_uid[]", "lee")]
    both = await merchant.call("GET", "/subscribe/customers", params=params)
    assert (both.status_code, len(both.json()["response"])) == (200, 2)
    some = await merchant.call("GET", "/subscribe/customers", params=[*params, ("customer_uid[]", "park")])
    assert (some.status_code, some.json()["code"], len(some.json()["response"])) == (207, 0, 2)
    none_given = await merchant.call("GET", "/subscribe/customers")
    assert (none_given.status_code, none_given.json()["code"]) == (200, 1)


async def test_a_deleted_key_is_gone_and_its_schedule_fails_when_its_time_comes(merchant, receiver):
    await merchant.issue()
    await merchant.schedule("m1")
    deleted = await merchant.ok("DELETE", "/subscribe/customers/kim", params={"reason": "left"})
    assert deleted["customer_uid"] == "kim"
    assert (await merchant.again("m2")).json()["message"] == "등록되지 않은 구매자입니다."
    assert await merchant.advance(3600) == ["m1"]
    row = await merchant.ok("GET", "/subscribe/payments/schedule/m1")
    assert (row["schedule_status"], row["payment_status"]) == ("executed", "failed")
    assert receiver.seen == [("m1", "failed")]
    assert (await merchant.call("POST", "/subscribe/payments/schedule/m1/retry")).status_code == 404


async def test_a_key_of_the_payment_window_charges_like_any_other(merchant, make_card):
    refused = await merchant.http.post(
        "/emulator/window/billing-key", json={"customer_uid": "kim", "card_number": make_card("0001")["card_number"]}
    )
    assert refused.status_code == 402
    window = {"customer_uid": "kim", "card_number": make_card()["card_number"], "pg": "kakaopay"}
    issued = await merchant.control("POST", "window/billing-key", window)
    assert issued["pg_provider"] == "kakaopay"
    assert (await merchant.again("m1")).json()["response"]["status"] == "paid"


async def test_the_payments_of_a_key_come_newest_first_twenty_a_page(merchant):
    await merchant.issue()
    for number in range(21):
        await merchant.again(f"m{number}")
    first = await merchant.ok("GET", "/subscribe/customers/kim/payments")
    assert (first["total"], first["previous"], first["next"], len(first["list"])) == (21, 0, 2, 20)
    assert first["list"][0]["merchant_uid"] == "m20"
    second = await merchant.ok("GET", "/subscribe/customers/kim/payments", params={"page": 2})
    assert (second["previous"], second["next"]) == (1, 0)
    assert [row["merchant_uid"] for row in second["list"]] == ["m0"]
