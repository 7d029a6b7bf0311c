"""What happens when a charge is attempted, a schedule comes due, a late approval arrives, a payment is refunded."""

import secrets
from typing import Any

from billing.emulator.cards import DECLINES, DECLINES_BEFORE_APPROVAL, LATE_APPROVAL_SECONDS
from billing.emulator.envelope import Refusal
from billing.emulator.faults import Faults
from billing.emulator.store import Record
from billing.emulator.webhooks import Webhooks
from billing.emulator.world import World


class Execution:
    """Attempts charges against the account's world; every attempt leaves a payment row."""

    def __init__(self, world: World, faults: Faults, webhooks: Webhooks) -> None:
        self._world = world
        self._faults = faults
        self._webhooks = webhooks

    def attempt(self, order: Record, card: Record, at: float, *, usage: str | None) -> Record:
        """Try to charge `card` (a billing key, or a card typed in) for `order`; answers the payment, paid or failed.

        A success sends a webhook; a failure does so only where a schedule ran (facts.md 3.3).
        """
        refusal = self._decline(order, card)
        payment = self._world.keep_payment(_payment(self._world, order, card, at=at, usage=usage, refusal=refusal))
        if refusal is None or usage == "payment.scheduled":
            self._webhooks.queue(payment, at)
        if refusal is not None and card["last_four"] == "0006":
            late = {"at": at + LATE_APPROVAL_SECONDS, "customer_uid": payment["customer_uid"]}
            self._world.store.put("late", payment["imp_uid"], late)
            self._world.expect(payment["customer_uid"], late["at"], "late", payment["imp_uid"])
        return payment

    def run_schedule(self, schedule: Record, at: float) -> Record:
        """Run a schedule, now; answers the payment."""
        key = self._world.store["keys"].get(schedule["customer_uid"])
        card = key or {"last_four": "", "pg_provider": schedule["pg_provider"], "pg_id": schedule["pg_id"]}
        payment = self.attempt(schedule, card, at, usage="payment.scheduled")
        changed = {
            **schedule,
            "schedule_status": "executed",
            "payment_status": payment["status"],
            "imp_uid": payment["imp_uid"],
            "executed_at": int(at),
            "fail_reason": payment["fail_reason"],
            "pg_provider": payment["pg_provider"],
            "pg_id": payment["pg_id"],
        }
        self._world.store.put("schedules", schedule["merchant_uid"], changed)
        return payment

    def approve_late(self, imp_uid: str, at: float) -> None:
        """Turn a failed payment into a paid one, as Paymentwall may (facts.md 9.1)."""
        self._world.store.drop("late", imp_uid)
        payment = self._world.store["payments"][imp_uid]
        if payment["status"] != "failed":
            return
        approved = {**payment, "status": "paid", "paid_at": int(at), "failed_at": 0, "fail_reason": None}
        self._world.store.put("payments", imp_uid, approved)
        schedule = self._world.store["schedules"].get(payment["merchant_uid"])
        if schedule and schedule["imp_uid"] == imp_uid:
            paid = {**schedule, "payment_status": "paid", "fail_reason": None}
            self._world.store.put("schedules", payment["merchant_uid"], paid)
        self._webhooks.queue(approved, at)

    def refund(self, payment: Record, amount: float | None, reason: str | None, at: float, *, notify: bool) -> Record:
        """Refund all or a part; a partial refund turns the status into cancelled too (facts.md 2.8).

        Raises:
            Refusal: nothing is left, or less than asked for.
        """
        left = payment["amount"] - payment["cancel_amount"]
        if payment["status"] == "cancelled" and left <= 0:
            raise Refusal("이미 전액취소된 주문입니다.")
        if payment["status"] not in ("paid", "cancelled"):
            raise Refusal("취소할 결제건이 존재하지 않습니다.")
        part = amount or left
        if part > left:
            raise Refusal("취소 요청 금액이 취소 가능 금액보다 큽니다.")
        cancellation_id = f"cancellation-{secrets.token_hex(8)}"
        cancellation = {
            "pg_tid": f"emu{secrets.token_hex(8)}",
            "amount": part,
            "cancelled_at": int(at),
            "reason": reason or "취소요청 API",
            "receipt_url": None,
            "cancellation_id": cancellation_id,
        }
        changed = {
            **payment,
            "status": "cancelled",
            "cancel_amount": payment["cancel_amount"] + part,
            "cancelled_at": int(at),
            "cancel_reason": cancellation["reason"],
            "cancel_history": [*payment["cancel_history"], cancellation],
        }
        self._world.store.put("payments", payment["imp_uid"], changed)
        schedule = self._world.store["schedules"].get(payment["merchant_uid"])
        if schedule and schedule["imp_uid"] == payment["imp_uid"]:
            self._world.store.put("schedules", payment["merchant_uid"], {**schedule, "payment_status": "cancelled"})
        if notify:
            self._webhooks.queue(changed, at, cancellation_id=cancellation_id)
        return changed

    def _decline(self, order: Record, card: Record) -> str | None:
        where = {"merchant_uid": order["merchant_uid"], "customer_uid": order.get("customer_uid")}
        if self._faults.take(("decline",), "charge", **where):
            return "[8002]잔액이 부족하거나 한도를 초과하였습니다."
        if not card["last_four"]:
            return "등록되지 않은 구매자입니다."
        if card["last_four"] == "0004":
            whose = order.get("customer_uid") or order["merchant_uid"]
            if self._world.store.count(f"declines {whose}") > DECLINES_BEFORE_APPROVAL:
                return None
        return DECLINES.get(card["last_four"])


def _payment(
    world: World, order: Record, card: Record, *, at: float, usage: str | None, refusal: str | None
) -> dict[str, Any]:
    moment, paid = int(at), refusal is None
    return {
        "imp_uid": world.imp_uid(),
        "merchant_uid": order["merchant_uid"],
        "pay_method": "card",
        "channel": "api",
        "pg_provider": card.get("pg_provider"),
        "emb_pg_provider": None,
        "pg_tid": f"emu{secrets.token_hex(10)}",
        "pg_id": card.get("pg_id"),
        "escrow": False,
        "apply_num": f"{secrets.randbelow(10**8):08d}" if paid else None,
        "bank_code": None,
        "bank_name": None,
        "card_code": card.get("card_code"),
        "card_name": card.get("card_name"),
        "card_number": card.get("card_number"),
        "card_quota": int(order.get("card_quota") or 0),
        "card_type": 0,
        "vbank_code": None,
        "vbank_name": None,
        "vbank_num": None,
        "vbank_holder": None,
        "vbank_date": 0,
        "vbank_issued_at": 0,
        "name": order.get("name"),
        "amount": order["amount"],
        "cancel_amount": 0,
        "currency": order.get("currency") or "KRW",
        "buyer_name": order.get("buyer_name"),
        "buyer_email": order.get("buyer_email"),
        "buyer_tel": order.get("buyer_tel"),
        "buyer_addr": order.get("buyer_addr"),
        "buyer_postcode": order.get("buyer_postcode"),
        "custom_data": order.get("custom_data"),
        "user_agent": order.get("user_agent"),
        "status": "paid" if paid else "failed",
        "started_at": moment,
        "paid_at": moment if paid else 0,
        "failed_at": 0 if paid else moment,
        "cancelled_at": 0,
        "fail_reason": None if paid else f"결제에 실패하였습니다. {refusal}",
        "cancel_reason": None,
        "receipt_url": f"https://receipt.invalid/{order['merchant_uid']}" if paid else None,
        "cancel_history": [],
        "cancel_receipt_urls": [],
        "cash_receipt_issued": False,
        "customer_uid": order.get("customer_uid"),
        "customer_uid_usage": usage,
        "sandbox": world.settings.sandbox,
        "notice_url": order.get("notice_url"),
    }
