"""What each PG shows of a card, and the code tables of GET /cards and /banks."""

import pytest

ISSUER = ("card_issuer_code", "card_issuer_name", "card_publisher_code", "card_publisher_name")


@pytest.mark.parametrize(
    ("pg", "number"),
    [
        ("nice", "95404900****1569"),
        ("nice_v2", "95404900****1569"),
        ("kcp", "9540490000001569"),
        ("html5_inicis", "954049*********9"),
        ("tosspayments", "95404900****156*"),
        ("daou", "954049******1569"),
    ],
)
async def test_a_number_is_masked_as_its_pg_does_on_the_key_and_on_the_payment(merchant, make_card, pg, number):
    key = await merchant.ok("POST", "/subscribe/customers/kim", make_card(card_number="9540-4900-1234-1569", pg=pg))
    payment = (await merchant.again("m1")).json()["response"]
    assert (key["card_number"], key["card_code"], key["card_name"]) == (number, "361", "BC카드")
    shown = ("card_number", "card_code", "card_name", "card_type", *ISSUER)
    assert {name: payment[name] for name in shown} == {name: key[name] for name in shown}


async def test_only_the_pgs_of_the_schema_tell_the_issuer_and_inicis_tells_no_type(merchant):
    for pg, issuer, card_type in (("nice", False, 0), ("nice_v2", True, 0), ("html5_inicis", False, None)):
        key = await merchant.issue(pg, pg=pg)
        assert [key[name] is not None for name in ISSUER] == [issuer] * 4
        assert key["card_type"] == card_type


@pytest.mark.parametrize(
    ("pg", "method"),
    [("kakaopay", "point"), ("paypal_v2", "paypal"), ("danal", "phone"), ("settle_acc", "trans"), ("payco", "card")],
)
async def test_a_pg_without_cards_tells_of_none(merchant, pg, method):
    key = await merchant.window(pg=pg, amount=1000)
    money = {"amount": 10, "currency": "USD"} if pg == "paypal_v2" else {"amount": 1000}
    await merchant.advance(31 * 24 * 3600)
    payment = (await merchant.again("m1", **money)).json()["response"]
    assert payment["pay_method"] == method
    for row in (key, payment):
        assert (row["card_number"] is None) is (row["card_name"] is None) is (pg != "payco")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("5594101234561111", "366"),
        ("4045771234561111", "367"),
        ("3782-822463-10005", "10003"),
        ("3530111333300000", "10006"),
        ("4518421234561111", "371"),
    ],
)
async def test_the_first_digits_say_whose_card_it_is(merchant, make_card, number, code):
    key = await merchant.ok("POST", "/subscribe/customers/kim", make_card(card_number=number))
    assert (await merchant.ok("GET", f"/cards/{key['card_code']}"))["name"] == key["card_name"]
    assert key["card_code"] == code


async def test_the_code_tables_are_listed_and_read_one_by_one(merchant):
    for path, code, name in (("cards", "361", "BC카드"), ("banks", "004", "국민은행")):
        rows = await merchant.ok("GET", f"/{path}")
        assert {"code": code, "name": name} in rows
        assert len({row["code"] for row in rows}) == len(rows)
        assert await merchant.ok("GET", f"/{path}/{code}") == {"code": code, "name": name}
        unknown = await merchant.call("GET", f"/{path}/999")
        assert (unknown.status_code, unknown.json()["code"]) == (404, -1)
