"""Virtual accounts made by POST /vbanks: a payment that waits for a deposit (facts.md 3.3); and holders of accounts."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from billing.emulator.channels import channel_of
from billing.emulator.codes import BANKS
from billing.emulator.envelope import Refusal, bad_request, not_found
from billing.emulator.form import instant, number, require
from billing.emulator.orders import read_order
from billing.emulator.receipts import make_payment
from billing.emulator.store import Record
from billing.emulator.world import World

UNKNOWN = "존재하지 않는 결제정보입니다."
PAID_ALREADY = "이미 결제가 이루어진 merchant_uid입니다."
HOLDER = "포트원 에뮬레이터"
ACCOUNT_HOLDER = "홍길동"


def issue_vbank(world: World, body: dict[str, Any], user_agent: str | None) -> Record:
    """Issue an account; several may wait under one order number.

    Raises:
        Refusal: a missing part, an instant in the past, an order number that is paid.
    """
    require(body, "merchant_uid", "amount", "vbank_code", "vbank_due")
    order = read_order(body)
    now = world.clock.now()
    due = instant(body["vbank_due"], "vbank_due")
    if due <= now:
        raise Refusal("가상계좌 입금기한은 현재 시각 이후여야 합니다.")
    if world.is_paid(order["merchant_uid"]):
        raise Refusal(PAID_ALREADY)
    provider, pg_id = channel_of(body)
    nobody = {"last_four": "", "pg_provider": provider, "pg_id": pg_id}
    row = make_payment(
        {**order, "customer_uid": None, "user_agent": user_agent}, nobody, int(now),
        imp_uid=world.imp_uid(), usage=None, refusal=None, sandbox=world.settings.sandbox,
    )  # fmt: skip
    urls = body.get("notice_url")
    return world.keep_payment(
        {
            **row,
            **waiting_account(body, due, int(now)),
            "notice_url": [str(url) for url in urls] if isinstance(urls, list) else order["notice_url"],
        }
    )


def find_holder(query: Mapping[str, str]) -> Record:
    """Who holds a bank account: everybody's is the same person's, but an account that ends in 0000 is nobody's.

    Raises:
        Refusal: 400 for a missing part; 404 for a bank that there is not, or an account of nobody.
    """
    require(dict(query), "bank_code", "bank_num", http_status=400)
    account = re.sub(r"\D", "", query["bank_num"])
    if query["bank_code"] not in BANKS or not account or account.endswith("0000"):
        raise not_found("예금주 정보를 찾을 수 없습니다.")
    return {"bank_holder": ACCOUNT_HOLDER}


def waiting_account(body: dict[str, Any], due: int, now: int) -> Record:
    """What makes a payment one that waits for a deposit: the account, and nothing of an approval."""
    code = str(body["vbank_code"])
    return {
        "pay_method": "vbank",
        "status": "ready",
        "paid_at": 0,
        "apply_num": None,
        "receipt_url": None,
        "vbank_code": code,
        "vbank_name": BANKS.get(code, code),
        "vbank_num": str(body.get("vbank_num") or f"{secrets.randbelow(10**14):014d}"),
        "vbank_holder": str(body.get("vbank_holder") or HOLDER),
        "vbank_date": due,
        "vbank_issued_at": now,
    }


def change_vbank(world: World, imp_uid: str, body: dict[str, Any]) -> Record:
    """Change the amount or the deadline of an account that waits.

    Raises:
        Refusal: 404, or 400 when it is no account or waits no more.
    """
    row = _waiting(world, imp_uid)
    changes: Record = {}
    if body.get("amount") is not None:
        changes["amount"] = number(body["amount"], "amount")
    if body.get("vbank_due") is not None:
        changes["vbank_date"] = instant(body["vbank_due"], "vbank_due")
    return world.change_payment({**row, **changes})


def delete_vbank(world: World, imp_uid: str) -> Record:
    """Delete an account before anybody pays into it.

    Raises:
        Refusal: as for a change.
    """
    row = _waiting(world, imp_uid)
    status, now = world.settings.deleted_vbank, int(world.clock.now())
    when = {"failed": "failed_at", "cancelled": "cancelled_at"}[status]
    return world.change_payment({**row, "status": status, when: now})


def _waiting(world: World, imp_uid: str) -> Record:
    row = world.store["payments"].get(imp_uid)
    if row is None:
        raise not_found(UNKNOWN)
    if row["pay_method"] != "vbank":
        raise bad_request("가상계좌 결제건이 아닙니다.")
    if row["status"] != "ready":
        raise bad_request("입금대기 상태가 아닌 가상계좌입니다.")
    return row
