"""What only a wallet has: the status of a PAYCO order; points, confirmation and cash receipts of Naver Pay."""

from typing import Any

from billing.emulator.envelope import REFUSED, Refusal, bad_request, not_found
from billing.emulator.form import require
from billing.emulator.store import Record
from billing.emulator.world import World

UNKNOWN = "존재하지 않는 결제정보입니다."


def change_payco_status(world: World, imp_uid: str, body: dict[str, Any]) -> Record:
    """Tell PAYCO how far an order is.

    Raises:
        Refusal: code 1: no status, or no payment by PAYCO.
    """
    require(body, "status")
    payment = world.store["payments"].get(imp_uid)
    if payment is None or payment["pg_provider"] != "payco":
        raise Refusal("PAYCO 결제건이 아닙니다.")
    return {"status": str(body["status"])}


def require_naver_payment(world: World, imp_uid: str) -> None:
    """Make sure that a payment was made by Naver Pay and stands: points and confirmation are for nothing else.

    Raises:
        Refusal: 404, or 500 with code -1 as a refusal by Naver Pay has it.
    """
    payment = world.store["payments"].get(imp_uid)
    if payment is None:
        raise not_found(UNKNOWN)
    if payment["pg_provider"] != "naverpay" or payment["status"] != "paid":
        raise Refusal("네이버페이 결제형으로 결제된 건이 아닙니다.", code=REFUSED, http_status=500)


def naver_cash_amount(world: World, imp_uid: str) -> Record:
    """For how much of a payment by Naver Pay a cash receipt may be issued: all that is left of it.

    Raises:
        Refusal: 400 for any other payment, and for none.
    """
    payment = world.store["payments"].get(imp_uid)
    if payment is None or payment["pg_provider"] != "naverpay":
        raise bad_request("네이버페이 결제형으로 결제된 건이 아닙니다.")
    left = int(payment["amount"] - payment["cancel_amount"])
    vat = round(left / 11)
    return {
        "amount_total": left,
        "amount_by_npoint": 0,
        "amount_by_primary": left,
        "amount_supply": left - vat,
        "amount_vat": vat,
    }
