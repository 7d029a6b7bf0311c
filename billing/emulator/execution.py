"""What happens when a charge is attempted, a schedule comes due, a late approval arrives, a payment is refunded."""

import secrets

from billing.emulator.cards import DECLINES_BEFORE_APPROVAL, LATE_APPROVAL_SECONDS
from billing.emulator.envelope import Refusal
from billing.emulator.fault_kinds import LEFT_OPEN
from billing.emulator.fault_rules import Faults
from billing.emulator.keys import declines_counter
from billing.emulator.pgs import refused_by_pg
from billing.emulator.receipts import make_payment
from billing.emulator.recovery import plan_recovery, take_recovery
from billing.emulator.refusals import DECLINES, refusal_of
from billing.emulator.smart_routing import at_channel
from billing.emulator.store import Record
from billing.emulator.webhooks import Webhooks
from billing.emulator.world import World

SCHEDULED = "payment.scheduled"
NOTHING_TO_CANCEL = "취소할 결제건이 존재하지 않습니다."
CANCELLED_ALREADY = "이미 전액취소된 주문입니다."


class Execution:
    """Attempts charges against the account's world; every attempt leaves a payment row.

    All of it runs without awaiting, inside the caller's `Store.writing`: it happens wholly or not at all.
    """

    def __init__(self, world: World, faults: Faults, webhooks: Webhooks) -> None:
        self._world = world
        self._faults = faults
        self._webhooks = webhooks

    def attempt(
        self, order: Record, card: Record, at: float, *, usage: str | None, path: str, row: Record | None = None
    ) -> Record:
        """Try to charge `card` (a billing key, or a card typed in) for `order`; answers the payment, paid or failed.

        A success sends a webhook; a failure does so only where a schedule ran (facts.md 3.3). `path` is the call that
        fault switches know it by; `row` is the payment that waits for it since its window opened.
        """
        where = {"merchant_uid": order["merchant_uid"], "customer_uid": order.get("customer_uid")}
        refusal = self._decline(order, card, usage, path, at)
        left_open = refusal is None and path in LEFT_OPEN
        undecided = self._faults.take(("undecided",), path, **where) if left_open else None
        payment = make_payment(
            order,
            card,
            int(at),
            imp_uid=row["imp_uid"] if row else self._world.imp_uid("imp_" if path == "window" else "imps_"),
            usage=usage,
            refusal=refusal,
            sandbox=self._world.settings.sandbox,
        )
        if row:
            payment["started_at"] = row["started_at"]
        if undecided is not None:
            return self._leave_ready(payment, undecided["seconds"], at)
        self._world.keep_payment(payment)
        if refusal is None or usage == SCHEDULED:
            self._webhooks.queue(payment, at)
        if refusal is not None and card["last_four"] == "0006":
            self._approve_after(payment, LATE_APPROVAL_SECONDS, at)
        return payment

    def _leave_ready(self, payment: Record, seconds: float, at: float) -> Record:
        """The PG has not decided: nothing is told, and nothing sent, until it does."""
        waiting = {"status": "ready", "paid_at": 0, "apply_num": None, "pg_tid": None, "receipt_url": None}
        if seconds:
            self._approve_after(payment, seconds, at)
        return self._world.keep_payment({**payment, **waiting})

    def _approve_after(self, payment: Record, seconds: float, at: float) -> None:
        late = {"at": at + seconds, "customer_uid": payment["customer_uid"]}
        self._world.store.put("late", payment["imp_uid"], late)
        self._world.expect(payment["customer_uid"], late["at"], "late", payment["imp_uid"])

    def run_schedule(self, schedule: Record, at: float, *, path: str) -> Record:
        """Run a schedule, now; answers the payment. Without its key the attempt fails."""
        key = self._world.store["keys"].get(schedule["customer_uid"])
        gone = {"last_four": "", "pg_provider": schedule["pg_provider"], "pg_id": schedule["pg_id"]}
        card = at_channel(key, schedule.get("channel_key")) if key else gone
        order = {**schedule, "card_quota": schedule["installments"]}
        payment = self.attempt(order, card, at, usage=SCHEDULED, path=path)
        changed = {
            **schedule,
            "schedule_status": "executed",
            "payment_status": payment["status"],
            "imp_uid": payment["imp_uid"],
            "executed_at": int(at),
            "revoked_at": self._world.not_yet,
            "fail_reason": payment["fail_reason"],
            "pg_provider": payment["pg_provider"],
            "pg_id": payment["pg_id"],
        }
        self._world.store.put("schedules", schedule["merchant_uid"], changed)
        plan_recovery(self._world, changed)
        return payment

    def recover(self, merchant_uid: str, at: float) -> list[str]:
        """Recovery's hour has come for a failed schedule; answers the order numbers that were run."""
        schedule = take_recovery(self._world, merchant_uid)
        if schedule is None:
            return []
        self.run_schedule(schedule, at, path="recovery")
        return [merchant_uid]

    def loses_answer(self, payment: Record) -> bool:
        """Whether the answer to a charge is lost: one that is undecided, and with card 0005 the first of each order."""
        if payment["status"] == "ready":
            return True
        return payment["last_four"] == "0005" and self._world.store.count(f"lost {payment['merchant_uid']}") == 1

    def approve_late(self, imp_uid: str, at: float) -> Record:
        """Turn a failed or an undecided payment into a paid one, unless the order has been paid (facts.md 9.1)."""
        self._world.store.drop("late", imp_uid)
        payment = self._world.store["payments"][imp_uid]
        if payment["status"] not in ("failed", "ready") or self._world.is_paid(payment["merchant_uid"]):
            return payment
        approved = {
            **payment,
            "status": "paid",
            "paid_at": int(at),
            "failed_at": 0,
            "fail_reason": None,
            "apply_num": f"{secrets.randbelow(10**8):08d}",
        }
        self._world.change_payment(approved)
        self._follow(approved)
        self._webhooks.queue(approved, at)
        return approved

    def deposit(self, payment: Record, at: float) -> Record:
        """Somebody pays into a virtual account; its webhook says `paid` (facts.md 3.3)."""
        paid = {
            **payment,
            "status": "paid",
            "paid_at": int(at),
            "receipt_url": f"https://receipt.invalid/{payment['imp_uid']}",
        }
        self._world.change_payment(paid)
        self._webhooks.queue(paid, at)
        return paid

    def refund(self, payment: Record, amount: float | None, reason: str | None, at: float, *, notify: bool) -> Record:
        """Refund all (`amount` None or 0) or a part; a part, too, makes the status cancelled (facts.md 2.8).

        Raises:
            Refusal: nothing is left, or less than asked for.
        """
        left = balance(payment)
        part = amount or left
        if part < 0 or part > left:
            raise Refusal("취소 요청 금액이 취소 가능 금액보다 큽니다.")
        cancellation_id = f"cancellation-{secrets.token_hex(8)}"
        cancellation = {
            "pg_tid": f"emu{secrets.token_hex(8)}",
            "amount": part,
            "cancelled_at": int(at),
            "reason": reason or "취소요청 API",
            "receipt_url": f"https://receipt.invalid/{cancellation_id}",
            "cancellation_id": cancellation_id,
        }
        changed = {
            **payment,
            "status": "cancelled",
            # Two decimals are all that a currency has here: 9.99 - 5.00 is 4.99.
            "cancel_amount": round(payment["cancel_amount"] + part, 2),
            "cancelled_at": int(at),
            "cancel_reason": cancellation["reason"],
            "cancel_history": [*payment["cancel_history"], cancellation],
        }
        self._world.change_payment(changed)
        self._follow(changed)
        if notify:
            self._webhooks.queue(changed, at, cancellation_id=cancellation_id)
        return changed

    def _follow(self, payment: Record) -> None:
        """The schedule that made a payment tells what became of it."""
        schedule = self._world.store["schedules"].get(payment["merchant_uid"])
        if schedule and schedule["imp_uid"] == payment["imp_uid"]:
            told = {**schedule, "payment_status": payment["status"], "fail_reason": payment["fail_reason"]}
            self._world.store.put("schedules", payment["merchant_uid"], told)

    def _decline(self, order: Record, card: Record, usage: str | None, path: str, at: float) -> str | None:
        """Why the PG declines; None when it approves."""
        where = {"merchant_uid": order["merchant_uid"], "customer_uid": order.get("customer_uid")}
        if usage == SCHEDULED and self._world.is_paid(order["merchant_uid"]):
            return "이미 결제가 이루어진 merchant_uid입니다."
        if not card["last_four"]:
            return "등록되지 않은 구매자입니다."
        refused = refused_by_pg(self._world, order, card, at)
        if refused is not None:
            return refused
        if self._faults.take(("decline",), path, **where):
            return refusal_of(card.get("pg_provider"), "0002")
        if card["last_four"] == "0004":
            counter = declines_counter(order.get("customer_uid") or order["merchant_uid"])
            if self._world.store.count(counter) > DECLINES_BEFORE_APPROVAL:
                return None
        declines = card["last_four"] in DECLINES
        return refusal_of(card.get("pg_provider"), card["last_four"]) if declines else None


def balance(payment: Record) -> float:
    """What can still be refunded.

    Raises:
        Refusal: code 1, when the payment was never paid or is refunded in full (facts.md 1.6).
    """
    left = round(payment["amount"] - payment["cancel_amount"], 2)
    if payment["status"] == "cancelled" and left <= 0:
        raise Refusal(CANCELLED_ALREADY)
    if not payment["paid_at"]:
        raise Refusal(NOTHING_TO_CANCEL)
    return float(left) if isinstance(left, float) else left
