"""What clients in other languages really put on the wire: raw UTF-8, indexed lists, PHP's empty array, odd slashes."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from billing.emulator.form import listed

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def _authorized(merchant, **more):
    return {"Authorization": await merchant.token(), **more}


@pytest.mark.parametrize("content_type", [FORM["Content-Type"], "Application/X-WWW-Form-Urlencoded; charset=utf-8"])
async def test_raw_utf8_in_a_form_is_kept_as_it_was_written(merchant, content_type):
    await merchant.issue()
    text = "customer_uid=kim&merchant_uid=m1&amount=9900&name=월간 이용권&buyer_name=%ED%99%8D길동"
    headers = await _authorized(merchant, **{"Content-Type": content_type})
    answer = await merchant.http.post("/subscribe/payments/again", content=text.encode(), headers=headers)
    row = answer.json()["response"]
    assert (row["name"], row["buyer_name"]) == ("월간 이용권", "홍길동")


@pytest.mark.parametrize("body", ["name=월간".encode("euc-kr"), b"name=%BF%F9%B0%A3"])
async def test_a_form_that_is_no_utf8_is_refused_and_not_stored_garbled(merchant, body):
    headers = await _authorized(merchant, **FORM)
    answer = await merchant.http.post("/subscribe/payments/again", content=body, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (200, "요청 본문을 읽을 수 없습니다.")


@pytest.mark.parametrize(
    "style", ["imp_uid[]={0}&imp_uid[]={1}", "imp_uid[1]={1}&imp_uid[0]={0}", "imp_uid={0}&imp_uid={1}"]
)
@pytest.mark.parametrize("encode", [str, lambda text: quote(text, safe="=&")])
async def test_a_list_in_a_query_is_read_however_it_is_written(merchant, style, encode):
    await merchant.issue()
    ids = [(await merchant.again(name)).json()["response"]["imp_uid"] for name in ("m1", "m2")]
    answer = await merchant.call("GET", f"/payments?{encode(style.format(*ids))}")
    assert (answer.status_code, [row["imp_uid"] for row in answer.json()["response"]]) == (200, ids)


async def test_indexes_name_keys_and_orders_too(merchant):
    await merchant.issue()
    await merchant.issue("lee")
    rows = await merchant.ok("GET", "/subscribe/customers?customer_uid[0]=kim&customer_uid[1]=lee")
    assert [row["customer_uid"] for row in rows] == ["kim", "lee"]
    await merchant.schedule("m1")
    await merchant.schedule("m2")
    headers = await _authorized(merchant, **FORM)
    body = "customer_uid=kim&merchant_uid[0]=m1&merchant_uid[1]=m2"
    answer = await merchant.http.post("/subscribe/payments/unschedule", content=body, headers=headers)
    assert [row["merchant_uid"] for row in answer.json()["response"]] == ["m1", "m2"]


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=5), max_size=6), st.randoms())
def test_numbers_order_a_list_whatever_order_it_comes_in(values, chance):
    pairs = [(f"id[{place}]", value) for place, value in enumerate(values)]
    chance.shuffle(pairs)
    assert listed(QueryParams(pairs), "id") == values


async def test_a_rule_is_meant_for_an_order_named_by_an_index_too(merchant):
    await merchant.issue()
    await merchant.again("m1")
    await merchant.fault("500_before", path="payments", merchant_uid="m1")
    assert (await merchant.call("GET", "/payments?merchant_uid[0]=m1")).status_code == 500


@pytest.mark.parametrize("nothing", ["[]", " [ ] ", "null", "{}", ""])
async def test_an_empty_body_is_empty_however_php_writes_it(merchant, nothing):
    await merchant.issue()
    headers = await _authorized(merchant, **{"Content-Type": "application/json"})
    for method, path in (
        ("GET", "/users/pg"), ("GET", "/subscribe/customers/kim"), ("DELETE", "/subscribe/customers/kim"),
    ):  # fmt: skip
        answer = await merchant.http.request(method, path, content=nothing, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (200, 0), (method, path)
    answer = await merchant.http.post("/users/getToken", content=nothing, headers=headers)
    assert answer.json()["message"] == "imp_key, imp_secret 파라메터가 누락되었습니다."


async def test_what_a_get_has_in_its_body_is_not_looked_at(merchant):
    headers = await _authorized(merchant, **{"Content-Type": "application/json"})
    assert (await merchant.http.request("GET", "/cards", content="nonsense", headers=headers)).status_code == 200
    assert (await merchant.http.request("DELETE", "/vbanks/x", content="[1]", headers=headers)).status_code == 400


@pytest.mark.parametrize("around", ["{}/", "http://emulator/{}", "http://emulator//{}//"])
async def test_a_slash_too_many_is_answered_and_not_redirected(merchant, around):
    await merchant.issue()
    body = {"customer_uid": "kim", "merchant_uid": "m1", "amount": 9900, "name": "Plan"}
    answer = await merchant.call("POST", around.format("/subscribe/payments/again"), body)
    assert (answer.status_code, answer.json()["code"]) == (200, 0)
    assert (await merchant.call("GET", around.format("/subscribe/customers/kim"))).status_code == 200
    assert (await merchant.http.get(around.format("/emulator/clock"))).status_code == 200


async def test_the_holder_of_a_bank_account_is_told(merchant):
    path = "/vbanks/holder"
    assert await merchant.ok("GET", path, params={"bank_code": "004", "bank_num": "123-456"}) == {
        "bank_holder": "홍길동"
    }
    for query, status in (
        ({"bank_code": "004"}, 400),
        ({"bank_code": "004", "bank_num": "1230000"}, 404),
        ({"bank_code": "nobody", "bank_num": "123456"}, 404),
    ):
        answer = await merchant.call("GET", path, params=query)
        assert (answer.status_code, answer.json()["response"]) == (status, None)
