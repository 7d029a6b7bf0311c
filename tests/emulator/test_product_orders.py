"""Product orders of Naver Pay's order type: what the merchant and the buyer may do when, and where the money goes."""

import pytest

from billing.emulator.product_order_steps import MERCHANT_STEPS, OUTSIDE_STEPS
from tests.emulator.contract_cases import PRODUCTS, RETURN, SHIPMENT, ordered, product_orders

BODIES = {
    "ship": SHIPMENT, "ship-exchanged": SHIPMENT, "request-return": RETURN, "reject-return": {"memo": "메모"},
    "withhold-return": {"memo": "메모"},
}  # fmt: skip
WHOLE = [{"id": "book", "name": "책", "basePrice": 9900}]


class Order:
    """One product order, and what is done to it: by the merchant with PortOne's names, by others with an underscore."""

    def __init__(self, merchant, imp_uid, number):
        self.merchant, self.imp_uid, self.number = merchant, imp_uid, number

    async def told(self):
        return await self.merchant.ok("GET", f"/naver/product-orders/{self.number}")

    async def where(self):
        told = await self.told()
        return told["product_order_status"], told["claim_type"], told["claim_status"]

    async def act(self, name, **more):
        """The answer's HTTP status."""
        if name in OUTSIDE_STEPS or name == "review":
            answer = await self.merchant.http.post(
                f"/emulator/product-orders/{self.number}", json={"act": name, **more}
            )
            return answer.status_code
        body = {**BODIES.get(name, {}), "product_order_id": [self.number], **more}
        return (await self.merchant.call("POST", f"/payments/{self.imp_uid}/naver/{name}", body)).status_code

    async def live(self, acts):
        for name in acts.split():
            assert await self.act(name) == 200, name
        return self

    async def refunded(self):
        payment = await self.merchant.ok("GET", f"/payments/{self.imp_uid}")
        return payment["cancel_amount"]


@pytest.fixture
def buy(merchant):
    """A payment whose one product order has lived through some acts."""

    async def _buy(acts="", merchant_uid="m1", **more):
        imp_uid = await ordered(merchant, merchant_uid, naverProducts=WHOLE, **more)
        (number,) = await product_orders(merchant, imp_uid)
        return await Order(merchant, imp_uid, number).live(acts)

    return _buy


async def test_a_payment_has_a_product_order_for_each_option_and_each_supplement(merchant):
    imp_uid = await ordered(merchant, "m1", buyer_name="김철수", buyer_addr="제주시 첨단로 123")
    rows = await merchant.ok("GET", f"/payments/{imp_uid}/naver/product-orders")
    told = [(row["product_id"], row["product_option_id"], row["quantity"], row["product_amount"]) for row in rows]
    assert told == [("book", "", 2, 4000), ("ribbon", "", 1, 900), ("shoe", "R_L", 1, 5000)]
    assert rows[2]["product_option_name"] == "색상: 빨강 / 사이즈: 180"
    assert {row["product_order_status"] for row in rows} == {"PAYED"}
    assert (rows[0]["orderer"]["name"], rows[0]["shipping_address"]["base"]) == ("김철수", "제주시 첨단로 123")
    for row in rows:
        assert await merchant.ok("GET", f"/naver/product-orders/{row['product_order_id']}") == row
    assert len({row["product_order_id"] for row in rows}) == 3


LIVES = {
    "": ("PAYED", None, None, 0),
    "place": ("PAYED", None, None, 0),
    "cancel": ("CANCELED", "CANCEL", "CANCEL_DONE", 9900),
    "request_cancel": ("CANCELED", "CANCEL", "CANCEL_DONE", 9900),
    "place request_cancel": ("PAYED", "CANCEL", "CANCEL_REQUEST", 0),
    "place request_cancel approve-cancel": ("CANCELED", "CANCEL", "CANCEL_DONE", 9900),
    "place request_cancel withdraw ship": ("DELIVERING", "CANCEL", "CANCEL_REJECT", 0),
    "ship": ("DELIVERING", None, None, 0),
    "ship deliver": ("DELIVERED", None, None, 0),
    "place ship deliver decide": ("PURCHASE_DECIDED", None, None, 0),
    "ship request-return": ("DELIVERING", "RETURN", "RETURN_REQUEST", 0),
    "ship deliver request_return collect": ("DELIVERED", "RETURN", "COLLECTING", 0),
    "ship request-return collect collect approve-return": ("RETURNED", "RETURN", "RETURN_DONE", 9900),
    "ship request_return withhold-return": ("DELIVERING", "RETURN", "RETURN_REQUEST", 0),
    "ship request_return withhold-return reject-return": ("DELIVERING", "RETURN", "RETURN_REJECT", 0),
    "ship request_return withhold-return resolve-return approve-return": ("RETURNED", "RETURN", "RETURN_DONE", 9900),
    "ship request_return reject-return deliver decide": ("PURCHASE_DECIDED", "RETURN", "RETURN_REJECT", 0),
    "ship deliver request_exchange": ("DELIVERED", "EXCHANGE", "EXCHANGE_REQUEST", 0),
    "ship request_exchange collect collect-exchanged": ("DELIVERING", "EXCHANGE", "COLLECT_DONE", 0),
    "ship request_exchange collect-exchanged ship-exchanged": ("DELIVERING", "EXCHANGE", "EXCHANGE_REDELIVERING", 0),
    "ship request_exchange collect-exchanged ship-exchanged deliver": ("EXCHANGED", "EXCHANGE", "EXCHANGE_DONE", 0),
    "ship deliver request_exchange withdraw decide": ("PURCHASE_DECIDED", "EXCHANGE", "EXCHANGE_REJECT", 0),
}  # fmt: skip

MAY = {
    "": "place ship cancel request_cancel",
    "place": "ship cancel request_cancel",
    "place request_cancel": "approve-cancel withdraw",
    "ship": "deliver decide request-return request_return request_exchange",
    "ship deliver": "decide request-return request_return request_exchange",
    "ship request_return": "approve-return reject-return withhold-return collect withdraw",
    "ship request_return withhold-return": "reject-return resolve-return collect withdraw",
    "ship request_exchange": "collect-exchanged collect withdraw",
    "ship request_exchange collect-exchanged": "ship-exchanged",
    "ship request_exchange collect-exchanged ship-exchanged": "deliver",
    "ship request_return approve-return": "",
    "ship decide": "review",
    "cancel": "",
}
"""What may be done after what; everything else is refused and changes nothing."""


@pytest.mark.parametrize("acts", LIVES, ids=lambda acts: acts.replace(" ", ",") or "new")
async def test_each_life_of_a_product_order_ends_where_the_schema_has_a_name_for_it(buy, acts):
    order = await buy()
    bought = await order.told()
    await order.live(acts)
    assert (*await order.where(), await order.refunded()) == LIVES[acts]
    ended = dict(zip(("product_order_status", "claim_type", "claim_status"), await order.where(), strict=True))
    assert await order.told() == bought | ended, "what was bought stays what it was"


@pytest.mark.parametrize("acts", MAY, ids=lambda acts: acts.replace(" ", ",") or "new")
async def test_what_a_product_order_is_in_no_state_for_is_refused_and_changes_nothing(buy, acts):
    order = await buy(acts)
    before, refunded = await order.told(), await order.refunded()
    for name in {*MERCHANT_STEPS, *OUTSIDE_STEPS, "review"} - set(MAY[acts].split()):
        assert await order.act(name) == (500 if name in MERCHANT_STEPS else 409), name
        assert (await order.told(), await order.refunded()) == (before, refunded), name
    for place, name in enumerate(MAY[acts].split()):
        other = await buy(acts, f"m{place}other")
        assert await other.act(name) == 200, name


async def test_what_some_product_orders_refuse_the_others_still_do(merchant):
    imp_uid = await ordered(merchant, "m1")
    path = f"/payments/{imp_uid}/naver"
    book, ribbon, shoe = await product_orders(merchant, imp_uid)
    await merchant.ok("POST", f"{path}/ship", {**SHIPMENT, "product_order_id": [shoe]})
    answer = await merchant.call("POST", f"{path}/cancel", {})
    assert answer.status_code == 207
    assert [row["product_order_id"] for row in answer.json()["response"]] == [book, ribbon]
    answer = await merchant.call("POST", f"{path}/cancel", {"product_order_id": [shoe, "nobody's"]})
    told = answer.json()
    assert (answer.status_code, told["code"], told["response"]) == (500, -1, None)
    assert shoe in told["message"]
    assert "DELIVERING" in told["message"]
    payment = await merchant.ok("GET", f"/payments/{imp_uid}")
    assert (payment["cancel_amount"], payment["status"]) == (4900, "cancelled")


async def test_a_cancelled_product_order_gives_back_its_own_price_and_the_last_one_all_that_is_left(merchant):
    # The page asked for 10,000 and named products for 9,900.
    imp_uid = await ordered(merchant, "m1", amount=10_000)
    taken = []
    for number in await product_orders(merchant, imp_uid):
        await merchant.ok(
            "POST", f"/payments/{imp_uid}/naver/cancel", {"product_order_id": number, "reason": "SOLD_OUT"}
        )
        taken.append((await merchant.ok("GET", f"/payments/{imp_uid}"))["cancel_amount"])
    assert taken == [4000, 4900, 10_000]
    history = (await merchant.ok("GET", f"/payments/{imp_uid}"))["cancel_history"]
    assert [part["reason"] for part in history] == ["SOLD_OUT"] * 3


async def test_nothing_goes_back_twice_when_the_payment_was_refunded_before(buy, merchant):
    order = await buy()
    await merchant.ok("POST", "/payments/cancel", {"imp_uid": order.imp_uid})
    assert await order.act("cancel") == 200
    assert (await order.refunded(), (await order.where())[0]) == (9900, "CANCELED")


async def test_the_buyers_cancel_is_told_by_a_webhook_and_the_merchants_own_is_not(buy, merchant, receiver):
    own, buyers = await buy(merchant_uid="m1"), await buy(merchant_uid="m2")
    for order in (own, buyers):
        await merchant.http.post(f"/emulator/window/{order.imp_uid}/told", json={})
    await receiver.have(2)
    await own.live("cancel")
    await buyers.live("request_cancel")
    await receiver.have(3)
    assert receiver.seen[2:] == [("m2", "cancelled")]


async def test_a_reason_that_is_no_code_counts_as_the_schemas_default(buy, merchant):
    order = await buy("ship")
    assert await order.act("request-return", reason="그냥") == 200
    await order.live("approve-return")
    payment = await merchant.ok("GET", f"/payments/{order.imp_uid}")
    assert payment["cancel_reason"] == "INTENT_CHANGED"


@pytest.mark.parametrize(
    ("before", "act", "missing"),
    [
        ("", "ship", "delivery_method"), ("", "ship", "dispatched_at"), ("", "ship", "delivery_company"),
        ("", "ship", "tracking_number"), ("ship", "request-return", "delivery_method"),
        ("ship", "request-return", "tracking_number"), ("ship request_return", "reject-return", "memo"),
        ("ship request_return", "withhold-return", "memo"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("nothing", [None, ""])
async def test_what_an_act_cannot_do_without_is_400_by_its_name(buy, merchant, before, act, missing, nothing):
    order = await buy(before)
    body = BODIES[act] | {missing: nothing}
    answer = await merchant.call("POST", f"/payments/{order.imp_uid}/naver/{act}", body)
    assert (answer.status_code, answer.json()["message"]) == (400, f'["{missing}"] 파라메터는 필수입니다.')


async def test_what_no_carrier_brings_needs_no_carrier(buy):
    order = await buy()
    assert await order.act("ship", delivery_method="NOTHING", delivery_company=None, tracking_number=None) == 200


async def test_only_a_paid_payment_of_the_order_type_has_product_orders(merchant):
    await merchant.window("kim", pg="naverpay")
    other = (await merchant.again("m1")).json()["response"]["imp_uid"]
    param = {"pg": "naverco", "merchant_uid": "m2", "amount": 9900, "naverProducts": PRODUCTS}
    opened = (await merchant.control("POST", "window", {"user_code": "imp1", "param": param}))["imp_uid"]
    for imp_uid in (other, opened, "nobody"):
        assert (await merchant.call("GET", f"/payments/{imp_uid}/naver/product-orders")).status_code == 404
        for act in MERCHANT_STEPS:
            assert (await merchant.call("POST", f"/payments/{imp_uid}/naver/{act}", {})).status_code == 404
    assert (await merchant.call("GET", f"/naver/product-orders/{opened[4:]}0001")).status_code == 404
    await merchant.control("POST", f"window/{opened}/approve", {"last_four": "0006"})
    assert (await merchant.call("GET", f"/payments/{opened}/naver/product-orders")).status_code == 404
    await merchant.advance(601)
    assert len(await product_orders(merchant, opened)) == 3
    answer = await merchant.http.post("/emulator/product-orders/nobody", json={"act": "deliver"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"naverProducts": None}, {"naverProducts": []}, {"naverProducts": "book"}, {"customer_uid": "kim"},
        {"naverProducts": [{"id": "book", "name": "책"}]},
        {"naverProducts": [{"id": "book", "name": "책", "basePrice": "ten"}]},
        {"naverProducts": [{"id": "book", "name": "책", "basePrice": 1, "options": "red"}]},
        {"naverProducts": [{"id": "book", "name": "책", "basePrice": 1, "options": [{"selections": ["red"]}]}]},
        {"naverProducts": [{"id": "book", "name": "책", "basePrice": 1, "supplements": [{"id": "ribbon"}]}]},
        {"naverProducts": [{"id": "book", "name": "책", "basePrice": 1, "quantity": "two"}]},
    ],
)  # fmt: skip
async def test_a_window_of_the_order_type_opens_for_products_alone(merchant, wrong):
    param = {"pg": "naverco", "merchant_uid": "m1", "amount": 9900, "naverProducts": PRODUCTS} | wrong
    answer = await merchant.control("POST", "window", {"user_code": "imp1", "param": param})
    assert answer["refused"]["success"] is False
    assert answer["refused"]["imp_uid"] is None


async def test_without_products_a_lenient_window_makes_one_product_order_of_the_payment(start):
    merchant = await start(window_requirements="ignore")
    imp_uid = await ordered(merchant, "m1", naverProducts=None, name="한 달")
    (row,) = await merchant.ok("GET", f"/payments/{imp_uid}/naver/product-orders")
    assert (row["product_id"], row["product_name"], row["product_amount"]) == ("m1", "한 달", 9900)


async def test_reviews_are_listed_by_kind_and_time_and_written_once(buy, merchant):
    first, second = await buy("ship decide", "m1"), await buy("ship decide", "m2")
    begun = await merchant.now()
    assert await first.act("review", title="그냥") == 200
    await merchant.advance(100)
    assert await first.act("review", title="좋음", score="2") == 200
    assert await second.act("review", review_type="premium", score="13", title="제목", content="내용") == 200
    now = await merchant.now()

    async def listed(review_type, start, end):
        query = {"from": start, "to": end, "review_type": review_type}
        return await merchant.ok("GET", "/naver/reviews", params=query)

    (general,) = await listed("general", begun, now)
    assert (general["title"], general["product_order_id"]) == ("좋음", first.number)
    assert general["created_at"] < general["modified_at"]
    (premium,) = await listed("premium", begun, now)
    assert (premium["score"], premium["content"], premium["modified_at"]) == ("13", "내용", None)
    assert await listed("premium", begun - 100, now - 50) == []


@pytest.mark.parametrize(
    "query",
    [
        {}, {"from": 1, "to": 2}, {"from": 1, "review_type": "general"}, {"to": 2, "review_type": "general"},
        {"from": 2, "to": 1, "review_type": "general"}, {"from": "x", "to": 2, "review_type": "general"},
        {"from": 1, "to": 2, "review_type": "odd"},
    ],
)  # fmt: skip
async def test_reviews_that_are_asked_for_wrongly_are_400(merchant, query):
    assert (await merchant.call("GET", "/naver/reviews", params=query)).status_code == 400


async def test_a_product_order_is_where_it_was_after_a_restart(start, tmp_path):
    first = await start(state_file=tmp_path / "state.db")
    imp_uid = await ordered(first, "m1")
    book, *_ = await product_orders(first, imp_uid)
    await first.ok("POST", f"/payments/{imp_uid}/naver/ship", {**SHIPMENT, "product_order_id": [book]})
    second = await start(state_file=tmp_path / "state.db")
    path = f"/payments/{imp_uid}/naver/product-orders"
    assert await second.ok("GET", path) == (rows := await first.ok("GET", path))
    assert [row["product_order_status"] for row in rows] == ["DELIVERING", "PAYED", "PAYED"]
