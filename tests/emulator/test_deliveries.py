"""Deliveries of escrow payments, and what only PAYCO and Naver Pay have, as far as clients' own samples go."""

from tests.emulator.contract_cases import CARD, DELIVERY


async def _bought(merchant, merchant_uid="m1", *, escrow=True):
    param = {"pg": "kcp", "pay_method": "card", "merchant_uid": merchant_uid, "amount": 9900, "escrow": escrow}
    opened = await merchant.control("POST", "window", {"user_code": "imp00000000", "param": param})
    await merchant.control("POST", f"window/{opened['imp_uid']}/approve", CARD)
    return opened["imp_uid"]


async def test_a_delivery_is_registered_once_and_then_changed(merchant):
    imp_uid = await _bought(merchant)
    assert (await merchant.ok("GET", f"/payments/{imp_uid}"))["escrow"] is True
    path = f"/escrows/logis/{imp_uid}"
    for method, body in (("GET", None), ("PUT", DELIVERY)):
        assert (await merchant.call(method, path, body)).status_code == 409
    for missing in ("sender", "receiver", "logis"):
        answer = await merchant.call("POST", path, {**DELIVERY, missing: None})
        assert (answer.status_code, answer.json()["message"]) == (400, f'["{missing}"] 파라메터는 필수입니다.')
    row = await merchant.ok("POST", path, DELIVERY)
    assert (row["company"], row["invoice"], row["sent_at"]) == ("EPOST", "1110301285808", 1900000000)
    assert (await merchant.call("POST", path, DELIVERY)).status_code == 409
    changed = await merchant.ok("PUT", path, {**DELIVERY, "logis": {**DELIVERY["logis"], "invoice": "2"}})
    assert changed["invoice"] == "2"
    assert await merchant.ok("GET", path) == changed


async def test_only_a_payment_that_is_paid_through_escrow_has_a_delivery(merchant):
    assert (await merchant.call("POST", "/escrows/logis/imp_x", DELIVERY)).status_code == 404
    for imp_uid in (await _bought(merchant, escrow=False), await _bought(merchant, "m2")):
        await merchant.ok("POST", "/payments/cancel", {"imp_uid": imp_uid})
        assert (await merchant.call("POST", f"/escrows/logis/{imp_uid}", DELIVERY)).status_code == 409


async def test_the_status_of_a_payco_order_is_told_to_payco_alone(merchant):
    await merchant.window("kim", pg="payco")
    row = (await merchant.again("m1")).json()["response"]
    path = f"/payco/orders/status/{row['imp_uid']}"
    assert await merchant.ok("POST", path, {"status": "CANCELED"}) == {"status": "CANCELED"}
    other = await _bought(merchant, "m2")
    for wrong, body in (
        (path, {}),
        (path, {"status": "odd"}),
        (f"/payco/orders/status/{other}", {"status": "CANCELED"}),
        ("/payco/orders/status/nobody", {"status": "CANCELED"}),
    ):
        answer = await merchant.call("POST", wrong, body)
        assert (answer.status_code, answer.json()["code"]) == (200, 1)


async def test_points_confirmation_and_cash_receipts_are_of_naver_pays_payments(merchant):
    await merchant.window("kim", pg="naverpay")
    row = (await merchant.again("m1", amount=11000)).json()["response"]
    path, other = f"/payments/{row['imp_uid']}/naver", f"/payments/{await _bought(merchant, 'm2')}/naver"
    for name in ("point", "confirm"):
        assert await merchant.ok("POST", f"{path}/{name}") is None
        assert (await merchant.call("POST", f"{other}/{name}")).status_code == 500
        assert (await merchant.call("POST", f"/payments/nobody/naver/{name}")).status_code == 404
    told = await merchant.ok("GET", f"{path}/cash-amount")
    assert (told["amount_total"], told["amount_supply"], told["amount_vat"]) == (11000, 10000, 1000)
    assert (await merchant.call("GET", f"{other}/cash-amount")).status_code == 400
