"""What `again`, `onetime` and each scheduled item ask for, checked, and without anything of a card."""

from typing import Any

from billing.emulator.envelope import Refusal, bad_request
from billing.emulator.form import number, require
from billing.emulator.receipts import as_text
from billing.emulator.store import Record

MERCHANT_UID_LENGTH = 40

_KEPT = (
    "name", "buyer_name", "buyer_email", "buyer_tel", "buyer_addr", "buyer_postcode", "notice_url", "promotion_id",
)  # fmt: skip


def read_order(body: dict[str, Any]) -> Record:
    """The order of a request.

    Raises:
        Refusal: a missing or impossible order number or amount.
    """
    require(body, "merchant_uid", "amount")
    merchant_uid = body["merchant_uid"]
    if not isinstance(merchant_uid, str | int) or not 1 <= len(str(merchant_uid)) <= MERCHANT_UID_LENGTH:
        raise bad_request("merchant_uid 파라메터가 올바르지 않습니다.")
    amount = number(body.get("amount"), "amount")
    currency = str(body.get("currency") or "KRW").upper()
    if amount <= 0 or (currency == "KRW" and not isinstance(amount, int)):
        raise Refusal("결제금액이 올바르지 않습니다.")
    return {
        **{name: as_text(body.get(name)) for name in _KEPT},
        "merchant_uid": str(merchant_uid),
        "customer_uid": str(body["customer_uid"]) if body.get("customer_uid") else None,
        "amount": amount,
        "currency": currency,
        "card_quota": int(number(body.get("card_quota") or 0, "card_quota")),
        "custom_data": as_text(body.get("custom_data")),
        "channel_key": as_text(body.get("channel_key")),
        "tax_free": number(body.get("tax_free") or 0, "tax_free"),
        "vat_amount": None if body.get("vat_amount") in (None, "") else number(body["vat_amount"], "vat_amount"),
    }
