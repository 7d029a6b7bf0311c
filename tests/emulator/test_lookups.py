"""Looking payments up (facts.md 2.8), and amounts registered beforehand."""

import pytest


@pytest.fixture
async def shop(merchant):
    """m0, m1 paid, m2 failed, m3 refunded, a minute apart."""
    await merchant.issue()
    for number in range(4):
        if number == 2:
            await merchant.fault("decline", path="again", count=1)
        await merchant.again(f"m{number}")
        await merchant.advance(60)
    await merchant.ok("POST", "/payments/cancel", {"merchant_uid": "m3"})
    return merchant


async def test_many_at_once_are_207_when_some_are_missing(shop):
    one = await shop.ok("GET", "/payments/find/m0")
    params = [("imp_uid[]", one["imp_uid"]), ("merchant_uid[]", "m1")]
    both = await shop.call("GET", "/payments", params=params)
    assert (both.status_code, [row["merchant_uid"] for row in both.json()["response"]]) == (200, ["m0", "m1"])
    some = await shop.call("GET", "/payments", params=[*params, ("imp_uid[]", "imps_000000000000")])
    assert (some.status_code, some.json()["code"], len(some.json()["response"])) == (207, 0, 2)
    for wrong in ([], [("imp_uid[]", str(n)) for n in range(101)]):
        answer = await shop.call("GET", "/payments", params=wrong)
        assert (answer.status_code, answer.json()["code"]) == (200, 1)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("all", ["m3", "m2", "m1", "m0"]), ("paid", ["m1", "m0"]), ("failed", ["m2"]), ("cancelled", ["m3"])],
)
async def test_payments_are_listed_by_status_newest_first(shop, status, expected):
    found = await shop.ok("GET", f"/payments/status/{status}")
    assert [row["merchant_uid"] for row in found["list"]] == expected
    assert found["total"] == len(expected)


async def test_a_list_has_pages_a_window_and_an_order(shop):
    page = await shop.ok("GET", "/payments/status/all", params={"limit": 3, "page": 2, "sorting": "started"})
    assert ([row["merchant_uid"] for row in page["list"]], page["previous"], page["next"]) == (["m3"], 1, 0)
    since = (await shop.ok("GET", "/payments/find/m1"))["paid_at"]
    found = await shop.ok("GET", "/payments/status/paid", params={"from": since})
    assert [row["merchant_uid"] for row in found["list"]] == ["m1"]
    for wrong in ({"page": 2}, {"limit": 0}, {"from": 0}, {"from": "x"}, {"sorting": "odd"}, {"to": 1, "from": 2}):
        assert (await shop.call("GET", "/payments/status/all", params=wrong)).status_code == 400


async def test_find_answers_the_first_by_the_order_asked_for(shop):
    await shop.again("m2")
    assert (await shop.ok("GET", "/payments/find/m2"))["status"] == "paid"
    assert (await shop.ok("GET", "/payments/find/m2", params={"sorting": "started"}))["status"] == "failed"
    assert (await shop.ok("GET", "/payments/findAll/m2"))["total"] == 2
    assert (await shop.ok("GET", "/payments/findAll/m2/failed"))["total"] == 1
    assert (await shop.call("GET", "/payments/findAll/m2/odd")).status_code == 400
    assert (await shop.call("GET", "/payments/findAll/m2/ready")).status_code == 404


async def test_a_payment_has_no_balance_except_with_payco(shop):
    row = await shop.ok("GET", "/payments/find/m0")
    assert (await shop.call("GET", f"/payments/{row['imp_uid']}/balance")).status_code == 405


async def test_an_amount_is_registered_once_changed_and_read(merchant):
    prepared = {"merchant_uid": "m1", "amount": 9900, "currency": None}
    assert await merchant.ok("POST", "/payments/prepare", prepared) == prepared
    twice = await merchant.call("POST", "/payments/prepare", prepared)
    assert (twice.status_code, twice.json()) == (
        200,
        {
            "code": 1,
            "message": "결제정보 사전등록에 실패하였습니다(이미 등록된 merchant_uid입니다).",
            "response": None,
        },
    )
    changed = await merchant.ok("PUT", "/payments/prepare", prepared | {"amount": 100})
    assert changed["amount"] == 100
    assert await merchant.ok("GET", "/payments/prepare/m1") == changed
