"""The payment window over HTTP, as its script and its page use it: rules by PG, switches, faults, kills."""

import pytest
from aiohttp import web

from billing.emulator.webhooks import HELD_SECONDS

CARD = {"card_number": "4518-4212-3456-1111", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
PARAM = {
    "pg": "kcp_billing", "pay_method": "card", "merchant_uid": "m1", "name": "Plan", "amount": 9900, "currency": "KRW",
    "customer_uid": "kim", "customer_id": "k1", "buyer_name": "Kim Min", "buyer_tel": "0101234",
    "buyer_email": "k@x.co", "naverProductCode": "p1",
}  # fmt: skip


class Confirming:
    """A merchant's server that is asked before an approval, and answers what it is told to."""

    def __init__(self):
        self.url, self.asked, self.answers = "", [], []

    async def take(self, request):
        self.asked.append(await request.json())
        status, body = self.answers.pop(0)
        return web.json_response(body, status=status) if body is not None else web.Response(status=status)


@pytest.fixture
async def confirming():
    made = Confirming()
    app = web.Application()
    app.router.add_post("/confirm", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def asked(merchant, *, mobile=False, ui=None, **param):
    body = {"user_code": "imp1", "param": PARAM | param, "mobile": mobile, "ui": ui, "origin": "http://shop"}
    return (await merchant.http.post("/emulator/window", json=body)).json()


async def opened(merchant, **param):
    answer = await asked(merchant, **param)
    assert "imp_uid" in answer, answer
    return answer["imp_uid"]


async def act(merchant, imp_uid, what="approve", **body):
    return await merchant.http.post(f"/emulator/window/{imp_uid}/{what}", json=CARD | body if what == "approve" else {})


async def approved(merchant, **param):
    """The callback's object, and the payment as the merchant looks it up."""
    imp_uid = await opened(merchant, **param)
    ending = (await act(merchant, imp_uid)).json()
    return ending["result"], await merchant.ok("GET", f"/payments/{imp_uid}")


async def test_a_window_that_nobody_has_ended_is_a_payment_that_is_ready(merchant):
    imp_uid = await opened(merchant)
    payment = await merchant.ok("GET", f"/payments/{imp_uid}")
    assert (payment["status"], payment["paid_at"], payment["amount"]) == ("ready", 0, 9900)
    view = (await merchant.http.get(f"/emulator/window/{imp_uid}/view")).json()
    assert (view["provider"], view["charges"], view["ended"]) == ("kcp_billing", False, None)
    assert (await merchant.http.get("/emulator/window/imp_0/view")).status_code == 404


async def test_a_window_ends_once_whatever_is_pressed_later(merchant, receiver):
    imp_uid = await opened(merchant, pg="danal_tpay")
    first = (await act(merchant, imp_uid)).json()
    for what in ("approve", "decline", "close"):
        assert (await act(merchant, imp_uid, what)).json() == first
    await act(merchant, imp_uid, "told")
    assert [hook["status"] for hook in await receiver.have(1)] == ["paid"]
    assert len(await merchant.charges()) == 1
    imp_uid = await opened(merchant, merchant_uid="m2", customer_uid="lee")
    closed = (await act(merchant, imp_uid, "close")).json()
    assert (await act(merchant, imp_uid)).json() == closed
    assert "lee" not in merchant.app.state.account.world.store["keys"]


async def test_two_windows_of_one_order_charge_it_once(merchant):
    first, second = await opened(merchant, pg="kakaopay"), await opened(merchant, pg="kakaopay")
    assert (await act(merchant, first)).json()["result"]["success"] is True
    refused = (await act(merchant, second)).json()["result"]
    assert (refused["success"], "이미 결제가" in refused["error_msg"]) == (False, True)
    assert len(await merchant.charges()) == 1


@pytest.mark.parametrize(
    ("pg", "method", "charged"),
    [
        ("html5_inicis", "card", False), ("kcp_billing", "card", False), ("tosspayments", "card", False),
        ("danal_tpay", "card", True), ("danal", "phone", True), ("kicc", "card", False), ("mobilians", "phone", True),
        ("welcome", "card", False), ("welcome", "phone", True), ("smartro_v2", "card", False),
        ("settle_acc", "trans", True), ("kakaopay", "card", True), ("naverpay", "card", False),
        ("payco", "card", False), ("tosspay_v2", "tosspay", False), ("paymentwall", "card", True),
        ("paypal_v2", "paypal", False), ("nice_v2", "naverpay_card", False),
    ],
)  # fmt: skip
async def test_each_pg_charges_at_issue_as_its_page_says(merchant, pg, method, charged):
    result, payment = await approved(merchant, pg=pg, pay_method=method)
    assert (payment["status"], payment["customer_uid_usage"], payment["pg_provider"]) == ("paid", "issue", pg)
    assert (payment["amount"], len(await merchant.charges())) == ((9900, 1) if charged else (0, 0))
    limited = pg in {"tosspayments", "smartro_v2", "nice_v2", "paypal_v2", "ksnet", "welcome"}
    assert ("success" in result) is not limited
    key = await merchant.ok("GET", "/subscribe/customers/kim")
    assert key["pg_provider"] == pg
    buyer = {"buyer_name": "Kim", "buyer_email": "kim@example.com", "buyer_tel": "010-0000-0000"}
    buyer |= {"currency": "USD"} if pg == "paypal_v2" else {}
    buyer |= {"buyer_email": key["customer_email"]} if pg == "paymentwall" else {}  # the same as at issue
    if pg not in {"danal", "mobilians"}:  # their phone bills come once a month
        assert (await merchant.again("m9", **buyer)).json()["response"]["status"] == "paid"


async def test_a_key_without_a_charge_is_never_refunded_money(merchant):
    _, payment = await approved(merchant)
    books = await merchant.control("GET", "books")
    assert (books["charges"], books["totals"]["charges"]) == ([], 0)
    assert payment["paid_at"]


async def test_no_window_opens_before_init_and_none_that_must_charge_for_nothing(merchant):
    body = {"param": PARAM, "origin": "http://shop"}
    refused = (await merchant.http.post("/emulator/window", json=body)).json()["refused"]
    assert "IMP.init" in refused["error_msg"]
    for pg, method in (("danal", "phone"), ("mobilians", "phone"), ("welcome", "phone"), ("paymentwall", "card")):
        refused = (await asked(merchant, pg=pg, pay_method=method, amount=0))["refused"]
        assert (refused["imp_uid"], refused["error_msg"]) == (None, "결제금액이 올바르지 않습니다.")
    assert (await asked(merchant, pg="paypal_v2", amount=None))["imp_uid"]


@pytest.mark.parametrize(
    ("pg", "pc", "phone"),
    [
        ("html5_inicis", False, True), ("tosspayments", False, True), ("smartro_v2", False, True),
        ("danal_tpay", False, False), ("danal", False, False), ("payco", False, False), ("paypal_v2", False, False),
        ("paymentwall", False, False), ("naverpay", True, True),
    ],
)  # fmt: skip
async def test_each_pg_redirects_where_its_page_says(merchant, pg, pc, phone):
    back = {"pg": pg, "m_redirect_url": "http://shop/back"}
    assert (await asked(merchant, **back))["redirects"] is pc
    assert (await asked(merchant, mobile=True, **back))["redirects"] is phone
    assert (await asked(merchant, **back, naverPopupMode=True))["redirects"] is False


async def test_what_a_pgs_page_calls_required_can_be_left_out_by_a_switch(start):
    strict, lenient = await start(), await start(window_requirements="ignore")
    for pg, without in (("welcome", "buyer_name"), ("nice_v2", "customer_id"), ("paymentwall", "currency")):
        missing = {"pg": pg, without: None}
        assert f'["{without}"]' in (await asked(strict, **missing))["refused"]["error_msg"]
        assert (await asked(lenient, **missing))["imp_uid"]
    redirect = await asked(strict, pg="tosspay_v2", mobile=True)
    assert "m_redirect_url" in redirect["refused"]["error_msg"]


async def test_what_the_callback_tells_can_be_set_for_every_pg(start):
    limited, _ = await approved(await start(window_result="limited"))
    full, _ = await approved(await start(window_result="full"), pg="tosspayments")
    assert set(limited) == {"imp_uid", "merchant_uid"}
    assert (full["success"], full["paid_amount"]) == (True, 0)


async def test_a_channel_that_is_not_known_is_the_pg_of_a_switch(start):
    merchant = await start(window_pg="tosspayments", window_error_code="E1")
    for named in ({"channelKey": "channel-key-45f93c04"}, {"pg": "uplus"}, {"pg": None}):
        imp_uid = await opened(merchant, **({"pg": None} | named))
        assert (await merchant.ok("GET", f"/payments/{imp_uid}"))["pg_provider"] == "tosspayments"
    for named, pg in (({"pg": "nice.mid"}, "nice"), ({"channelKey": "channel-key-kakaopay"}, "kakaopay")):
        imp_uid = await opened(merchant, **({"pg": None} | named))
        assert (await merchant.ok("GET", f"/payments/{imp_uid}"))["pg_provider"] == pg
    imp_uid = await opened(merchant, ui="paypal-rt", pg=None)
    assert (await merchant.ok("GET", f"/payments/{imp_uid}"))["pg_provider"] == "paypal_v2"
    imp_uid = await opened(merchant, pg="payco")
    assert (await act(merchant, imp_uid, "close")).json()["result"]["error_code"] == "E1"


async def test_a_key_without_a_charge_sends_no_webhook_where_a_switch_says_so(start, receiver):
    merchant = await start(webhook_url=receiver.url, window_issue_webhook=False)
    await approved(merchant)
    await approved(merchant, pg="danal_tpay", merchant_uid="m2")
    await merchant.advance(HELD_SECONDS)
    assert await receiver.have(1) == receiver.received
    assert receiver.seen == [("m2", "paid")]


async def test_only_the_approvals_own_webhook_waits_for_the_page(merchant, receiver):
    imp_uid = await opened(merchant, pg="danal_tpay")
    await act(merchant, imp_uid)
    body = {"imp_uid": imp_uid, "amount": 900, "enable_webhook": True}
    await merchant.ok("POST", "/payments/cancel", body)
    assert [hook["status"] for hook in await receiver.have(1)] == ["cancelled"]
    await act(merchant, imp_uid, "told")
    assert [hook["status"] for hook in await receiver.have(2)] == ["cancelled", "paid"]
    await act(merchant, imp_uid, "told")
    assert len(receiver.received) == 2


async def test_a_webhook_that_waits_for_the_page_outlives_a_kill(start, receiver, tmp_path):
    settings = {"webhook_url": receiver.url, "state_file": tmp_path / "emulator.db"}
    await approved(await start(**settings))
    again = await start(**settings)
    await again.advance(HELD_SECONDS)
    assert ("m1", "paid") in [(hook["merchant_uid"], hook["status"]) for hook in await receiver.have(1)]


async def test_the_faults_of_the_call_window_meet_a_buyer(merchant):
    imp_uid = await opened(merchant)
    await merchant.fault("decline", path="window")
    assert "해당카드는 사용이 불가능" in (await act(merchant, imp_uid)).json()["result"]["error_msg"]
    await merchant.control("DELETE", "faults")
    imp_uid = await opened(merchant, merchant_uid="m2")
    await merchant.fault("500_after", path="window", count=1, merchant_uid="m2")
    assert (await act(merchant, imp_uid, merchant_uid="m2")).status_code == 500
    assert (await act(merchant, imp_uid, "close")).json()["result"]["status"] == "paid"


async def test_the_page_that_asks_to_be_asked_decides_before_the_approval(start, confirming):
    merchant = await start()
    confirming.answers = [(500, {"reason": "재고가 없습니다"}), (200, {}), (403, None)]
    url = f"{confirming.url}/confirm"
    refused, payment = await approved(merchant, pg="danal_tpay", confirm_url=url)
    assert (refused["success"], payment["status"]) == (False, "failed")
    assert "재고가 없습니다" in payment["fail_reason"]
    result, payment = await approved(merchant, pg="danal_tpay", confirm_url=url)
    assert (result["success"], payment["status"]) == (True, "paid")
    asked_for = {"imp_uid": payment["imp_uid"], "merchant_uid": "m1", "amount": 9900}
    assert confirming.asked[-1] == asked_for
    _, payment = await approved(merchant, merchant_uid="m2", confirm_url=url)
    assert payment["status"] == "failed"
    _, payment = await approved(merchant, merchant_uid="m3", confirm_url="http://127.0.0.1:1/nobody")
    assert payment["status"] == "failed"
    assert len(await merchant.charges()) == 1


async def test_confirm_url_is_asked_only_where_it_is_switched_on(start, confirming):
    merchant = await start(confirm_url=False)
    _, payment = await approved(merchant, confirm_url=f"{confirming.url}/confirm")
    assert (payment["status"], confirming.asked) == ("paid", [])


async def test_no_card_of_the_form_is_kept(start, tmp_path):
    file = tmp_path / "emulator.db"
    merchant = await start(state_file=file)
    await approved(merchant, pg="kcp_billing")
    merchant.app.state.account.world.store.flush()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"kim" in kept
    for secret in (b"4518421234561111", b"4518-4212-3456-1111", b"2099-12", b"900101"):
        assert secret not in kept
