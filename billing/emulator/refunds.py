"""POST /payments/cancel: which payment, how much, and whether it may (facts.md 1.6, 2.8)."""

from typing import Any

from billing.emulator.account import Account
from billing.emulator.envelope import Refusal
from billing.emulator.execution import NOTHING_TO_CANCEL, balance
from billing.emulator.form import number
from billing.emulator.pgs import require_fields, require_whole
from billing.emulator.store import Record
from billing.emulator.world import World


def cancel(account: Account, body: dict[str, Any]) -> Record:
    """Refund as asked; answers the payment afterwards.

    Raises:
        Refusal: code 1: no id, an unknown one, nothing left, a checksum that does not match, more than is left.
    """
    payment = _chosen(account.world, body)
    left = balance(payment)
    checksum, amount = body.get("checksum"), body.get("amount")
    require_fields(account.world, payment["pg_provider"], "cancel", body)
    if checksum not in (None, "") and number(checksum, "checksum") != left:
        raise Refusal("취소 가능 잔액이 일치하지 않습니다(checksum).")
    part = number(amount, "amount") if amount not in (None, "") else None
    require_whole(account.world, payment, part, left)
    return account.execution.refund(
        payment,
        part,
        body.get("reason"),
        account.world.clock.now(payment["customer_uid"]),
        notify=str(body.get("enable_webhook", "false")).lower() == "true",
    )


def _chosen(world: World, body: dict[str, Any]) -> Record:
    """An imp_uid wins over a merchant_uid, and a wrong one fails even beside a right merchant_uid."""
    imp_uid, merchant_uid = body.get("imp_uid"), body.get("merchant_uid")
    if not imp_uid and not merchant_uid:
        raise Refusal("imp_uid 또는 merchant_uid를 지정해주셔야합니다.")
    if imp_uid:
        payment = world.store["payments"].get(str(imp_uid))
    else:
        rows = world.payments_of(str(merchant_uid))
        payment = next((row for row in reversed(rows) if row["paid_at"]), None)
    if payment is None:
        raise Refusal(NOTHING_TO_CANCEL)
    return payment
