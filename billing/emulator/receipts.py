"""The payment row that an attempt leaves behind, in the shape of PortOne's Payment (facts.md 2.8)."""

import json
import secrets
from typing import Any

from billing.emulator.masking import CARD_FIELDS, pay_method
from billing.emulator.store import Record


def make_payment(
    order: Record, card: Record, moment: int, *, imp_uid: str, usage: str | None, refusal: str | None, sandbox: bool
) -> Record:
    """A paid row, or with a `refusal` a failed one. Of the card it knows what may be known: never the number."""
    paid = refusal is None
    return {
        "imp_uid": imp_uid,
        "merchant_uid": order["merchant_uid"],
        "pay_method": order.get("pay_method") or pay_method(card.get("pg_provider")),
        "channel": order.get("channel") or "api",
        "pg_provider": card.get("pg_provider"),
        "emb_pg_provider": None,
        "pg_tid": f"emu{secrets.token_hex(10)}" if paid else None,
        "pg_id": card.get("pg_id"),
        "escrow": bool(order.get("escrow")),
        "apply_num": f"{secrets.randbelow(10**8):08d}" if paid else None,
        **dict.fromkeys(("bank_code", "bank_name")),
        **{name: card.get(name) for name in CARD_FIELDS},
        "card_quota": order.get("card_quota") or 0,
        **dict.fromkeys(("vbank_code", "vbank_name", "vbank_num", "vbank_holder")),
        "vbank_date": 0,
        "vbank_issued_at": 0,
        "name": order.get("name"),
        "amount": order["amount"],
        "cancel_amount": 0,
        "currency": order["currency"],
        **{
            name: order.get(name) for name in ("buyer_name", "buyer_email", "buyer_tel", "buyer_addr", "buyer_postcode")
        },
        "custom_data": as_text(order.get("custom_data")),
        "user_agent": order.get("user_agent"),
        "status": "paid" if paid else "failed",
        "started_at": moment,
        "paid_at": moment if paid else 0,
        "failed_at": 0 if paid else moment,
        "cancelled_at": 0,
        "fail_reason": None if paid else f"결제에 실패하였습니다. {refusal}",
        "cancel_reason": None,
        "receipt_url": f"https://receipt.invalid/{imp_uid}" if paid else None,
        "cancel_history": [],
        "cancel_receipt_urls": [],
        "deposit_history": [],
        "promotion": None,
        "cash_receipt_issued": False,
        "customer_uid": order.get("customer_uid"),
        "customer_uid_usage": usage,
        "sandbox": sandbox,
        **{name: order.get(name) for name in ("notice_url", "tax_free", "vat_amount")},
        "last_four": card["last_four"],
    }


def as_text(value: Any) -> str | None:
    """`custom_data` as PortOne echoes it: a string, JSON where an object was sent."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
