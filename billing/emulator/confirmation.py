"""confirm_url: a merchant's server that is asked before a window's payment is approved (facts.md 3.5)."""

import json

import aiohttp

from billing.emulator.store import Record

REFUSED = "가맹점이 결제를 승인하지 않았습니다."
_MOST_BYTES = 10_000


async def objection(window: Record, seconds: float) -> str | None:
    """Why the merchant's server does not want the payment; None when it answers 200, or was not to be asked."""
    url, order = window["confirm_url"], window["order"]
    if not url:
        return None
    body = {"imp_uid": window["imp_uid"], "merchant_uid": order["merchant_uid"], "amount": order["amount"]}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session,
            session.post(url, json=body, allow_redirects=False) as answer,
        ):
            if answer.status == 200:  # noqa: PLR2004 - nothing else lets a payment continue
                return None
            return _reason(await answer.content.read(_MOST_BYTES))
    except (aiohttp.ClientError, OSError, ValueError):
        return REFUSED


def _reason(raw: bytes) -> str:
    try:
        told = json.loads(raw)
    except ValueError:
        return REFUSED
    reason = told.get("reason") if isinstance(told, dict) else None
    return reason if isinstance(reason, str) and reason else REFUSED
