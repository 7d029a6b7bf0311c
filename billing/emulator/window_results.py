"""What a page is told when its window ends: the callback's object in two shapes, and the redirect's query.

Classic PGs tell everything; six PGs tell the current SDK ids and error fields alone (facts.md 5.3, 5.4).
"""

import re
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from billing.emulator.store import Record

CLOSED = "사용자가 결제를 취소하셨습니다"
"""What pages compare `error_msg` with, to tell a buyer who went away from a card that was declined."""

_LIMITED = ("imp_uid", "merchant_uid", "error_code", "error_msg")
_CLOSE_CODES = {"tosspayments": "PAY_PROCESS_CANCELED"}
_TOLD = (
    "imp_uid", "merchant_uid", "pay_method", "status", "name", "pg_provider", "emb_pg_provider", "pg_tid",
    "buyer_name", "buyer_email", "buyer_tel", "buyer_addr", "buyer_postcode", "paid_at", "receipt_url", "apply_num",
    "bank_name", "vbank_num", "vbank_name", "vbank_holder", "vbank_date", "card_name", "card_number", "card_quota",
    "currency",
)  # fmt: skip
_TOLD_OF_FAILURE = ("imp_uid", "merchant_uid", "pay_method", "status", "name", "pg_provider")


def result_of(window: Record, payment: Record, other_code: str) -> Record:
    """What the callback is given; `other_code` stands where no PG's code says what went wrong."""
    failed = window["lost"] or payment["status"] == "failed"
    if failed:
        reason = CLOSED if window["lost"] else payment["fail_reason"] or ""
        full = {name: payment[name] for name in _TOLD_OF_FAILURE} | {
            "success": False,
            "error_code": _code(window["provider"], reason, other_code),
            "error_msg": reason,
            "custom_data": window["custom_data"],
            "pg_type": "payment",
        }
    else:
        full = {name: payment[name] for name in _TOLD} | {
            "success": True,
            "paid_amount": payment["amount"],
            "custom_data": window["custom_data"],
            "pg_type": "payment",
        }
    return _shaped(full, limited=window["limited"])


def refused_result(merchant_uid: Any, message: str, other_code: str, *, limited: bool) -> Record:
    """What the callback is given when no window opened: there is no payment, so `imp_uid` is null (facts.md 5.3)."""
    told = {"success": False, "error_code": other_code, "error_msg": message, "imp_uid": None}
    return _shaped(told | {"merchant_uid": merchant_uid, "status": "failed"}, limited=limited)


def redirect_of(window: Record, result: Record) -> str:
    """`m_redirect_url` with the result in its query; `imp_success` only from those whose callback tells `success`."""
    query = {name: result[name] for name in _LIMITED if result.get(name) is not None}
    if "success" in result:
        query["imp_success"] = "true" if result["success"] else "false"
    parts = urlsplit(window["redirect_url"])
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(query))))))


def _shaped(full: Record, *, limited: bool) -> Record:
    return {name: full[name] for name in _LIMITED if name in full} if limited else full


def _code(provider: str, reason: str, other_code: str) -> str:
    if reason == CLOSED:
        return _CLOSE_CODES.get(provider, other_code)
    found = re.search(r"\[([A-Z0-9_]+)\]", reason)
    return found[1] if found else other_code
