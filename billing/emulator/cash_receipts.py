"""Cash receipts: of a payment in cash that PortOne knows, and of one that it does not."""

import secrets
from typing import Any

from billing.emulator.channels import channel_of
from billing.emulator.envelope import Refusal, bad_request, not_found
from billing.emulator.form import number, require
from billing.emulator.store import Record
from billing.emulator.world import World

NONE = "현금영수증 발행된 내역이 존재하지 않습니다."
PAID_IN_CASH = ("vbank", "trans")

# The schema's list; for everybody else the answer is 501.
PROVIDERS = (
    "html5_inicis", "inicis", "kcp", "nice", "kicc", "settle", "daou", "tosspayments", "ksnet", "smartro_v2",
    "nice_v2", "welcome",
)  # fmt: skip


def issue_receipt(world: World, imp_uid: str, body: dict[str, Any]) -> Record:
    """A receipt for what is left of a payment by transfer or virtual account.

    Raises:
        Refusal: 400 for a missing part, a payment of another kind or state, a second receipt; 501 for another PG.
    """
    require(body, "identifier", http_status=400)
    payment = world.store["payments"].get(imp_uid)
    if payment is None or payment["pay_method"] not in PAID_IN_CASH or payment["status"] != "paid":
        raise bad_request("결제완료된 현금성 거래(가상계좌, 계좌이체)에 대해서만 현금영수증을 발행할 수 있습니다.")
    _supported(payment["pg_provider"])
    left = payment["amount"] - payment["cancel_amount"]
    return _issue(world, ("imp_uid", imp_uid), left, body)


def issue_external(world: World, merchant_uid: str, body: dict[str, Any]) -> Record:
    """A receipt for a payment in cash that PortOne knows nothing of.

    Raises:
        Refusal: 400 for a missing part or a second receipt; 501 for another PG.
    """
    require(body, "name", "amount", "identifier", http_status=400)
    _supported(channel_of(body)[0])
    return _issue(world, ("merchant_uid", merchant_uid), number(body["amount"], "amount"), body)


def find_receipt(world: World, name: str, key: str) -> Record:
    """The receipt of an imp_uid or, issued without a payment, of a merchant_uid.

    Raises:
        Refusal: 404.
    """
    receipt = world.store["cash_receipts"].get(f"{name} {key}")
    if receipt is None:
        raise not_found(NONE)
    return receipt


def cancel_receipt(world: World, name: str, key: str) -> Record:
    """Take a receipt back.

    Raises:
        Refusal: none was issued, or it was taken back: 400 by imp_uid, 404 by merchant_uid.
    """
    receipt = world.store["cash_receipts"].get(f"{name} {key}")
    if receipt is None or receipt["cancelled_at"]:
        raise bad_request(NONE) if name == "imp_uid" else not_found(NONE)
    return world.store.put("cash_receipts", f"{name} {key}", {**receipt, "cancelled_at": int(world.clock.now())})


def _issue(world: World, whose: tuple[str, str], amount: float, body: dict[str, Any]) -> Record:
    name, key = whose
    known = world.store["cash_receipts"].get(f"{name} {key}")
    if known is not None and not known["cancelled_at"]:
        raise bad_request("이미 현금영수증이 발행된 건입니다.")
    kind = body.get("type") or "person"
    if kind not in ("person", "company"):
        raise bad_request("type 파라메터가 올바르지 않습니다.")
    tax_free = number(body.get("tax_free") or 0, "tax_free")
    given = next((body[part] for part in ("vat_amount", "vat") if body.get(part) is not None), None)
    vat = (amount - tax_free) / 11 if given is None else number(given, "vat_amount")
    tid = secrets.token_hex(10)
    receipt = {
        name: key,
        "receipt_tid": f"emu{tid}",
        "apply_num": f"{secrets.randbelow(10**9):09d}",
        "type": kind,
        "amount": int(amount),
        "vat": round(vat),
        "receipt_url": f"https://receipt.invalid/cash/{tid}",
        "applied_at": int(world.clock.now()),
        "cancelled_at": 0,
    }
    return world.store.put("cash_receipts", f"{name} {key}", receipt)


def _supported(provider: str | None) -> None:
    if provider not in PROVIDERS:
        raise Refusal("현금영수증을 지원하지 않는 PG사입니다.", http_status=501)
