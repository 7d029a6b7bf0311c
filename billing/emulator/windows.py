"""What happens in an open payment window: the buyer approves, declines, or goes away.

All of it runs without awaiting, inside the caller's `Store.writing`. Of the card form nothing is kept but what a key
and a payment show of any card.
"""

from contextlib import nullcontext
from typing import Any

from billing.emulator.cards import CARD_REFUSED, KEY_REFUSED, KnownCard, read_card
from billing.emulator.envelope import Refusal, not_found
from billing.emulator.execution import Execution
from billing.emulator.fault_rules import Faults
from billing.emulator.keys import keep_key
from billing.emulator.masking import CARD_FIELDS
from billing.emulator.receipts import make_payment
from billing.emulator.refusals import refusal_of
from billing.emulator.store import Record
from billing.emulator.vbanks import waiting_account
from billing.emulator.webhooks import Webhooks
from billing.emulator.window_requests import PAID_ALREADY
from billing.emulator.window_results import CLOSED
from billing.emulator.world import World

UNKNOWN = "존재하지 않는 결제창입니다."
VBANK_SECONDS = 3 * 24 * 3600
VBANK_CODE = "088"
# A wallet has no card form: the buyer chooses how the card behind it behaves.
_CARD_OF_A_WALLET = "451842123456"


class Windows:
    """The windows that are open, and how each ends; a window ends once, whatever is pressed later."""

    def __init__(self, world: World, faults: Faults, webhooks: Webhooks, execution: Execution) -> None:
        self._world = world
        self._faults = faults
        self._webhooks = webhooks
        self._execution = execution

    def waits(self, imp_uid: str) -> bool:
        """Whether there is such a window and it has not ended."""
        return imp_uid in self._world.store["windows"] and _waits(self._world.store["payments"][imp_uid])

    def find(self, imp_uid: str) -> tuple[Record, Record]:
        """A window and the payment behind it.

        Raises:
            Refusal: 404.
        """
        window = self._world.store["windows"].get(imp_uid)
        if window is None:
            raise not_found(UNKNOWN)
        return window, self._world.store["payments"][imp_uid]

    def approve(self, imp_uid: str, form: dict[str, Any]) -> Record:
        """The buyer approves: the key is issued, the charge is made where the PG makes one; answers the payment.

        Raises:
            Refusal: 402, when the card is refused and the window stays open, by a switch.
        """
        window, payment = self.find(imp_uid)
        if not _waits(payment):
            return payment
        order, at = window["order"], self._world.clock.now(window["order"]["customer_uid"])
        if self._world.is_paid(order["merchant_uid"]):
            return self._fail(payment, PAID_ALREADY)
        holds = self._world.settings.window_webhook == "after"
        with self._webhooks.held(imp_uid) if holds else nullcontext():
            if window["form"] == "vbank":
                return self._wait_for_deposit(payment, at)
            try:
                card = _card_of(window, form, at)
            except Refusal as refusal:
                if self._world.settings.window_refused_card == "stay":
                    raise Refusal(refusal.message, code=refusal.code, http_status=402) from None
                return self._fail(payment, refusal.message)
            return self._take(window, payment, card, at)

    def object(self, imp_uid: str, reason: str) -> Record:
        """The merchant's own server does not want the payment; answers it."""
        _, payment = self.find(imp_uid)
        return self._fail(payment, reason) if _waits(payment) else payment

    def decline(self, imp_uid: str) -> Record:
        """The PG declines, whatever the card is; answers the payment."""
        window, payment = self.find(imp_uid)
        if not _waits(payment):
            return payment
        sentence = "결제에 실패하였습니다." if window["charges"] else KEY_REFUSED
        why = "0002" if window["charges"] else "unusable"
        return self._fail(payment, f"{sentence} {refusal_of(window['provider'], why)}")

    def close(self, imp_uid: str) -> Record:
        """The buyer goes away; answers the payment, which stays as it is when it had ended before."""
        return self.object(imp_uid, CLOSED)

    def lose(self, imp_uid: str) -> None:
        """The browser will never hear of the approval: to it the buyer went away."""
        window, _ = self.find(imp_uid)
        self._world.store.put("windows", imp_uid, {**window, "lost": True})

    def _take(self, window: Record, payment: Record, card: KnownCard, at: float) -> Record:
        order = window["order"]
        customer_uid = order["customer_uid"]
        used = {**card.told(), "pg_provider": window["provider"], "pg_id": window["pg_id"]}
        if window["form"] not in ("card", "wallet"):
            used |= dict.fromkeys(CARD_FIELDS)
        usage = "issue" if customer_uid else None
        if window["charges"]:
            ended = self._execution.attempt(order, used, at, usage=usage, path="window", row=payment)
        else:
            ended = self._issued(window, payment, used, at)
        if customer_uid and ended["status"] == "paid":
            named = {"pg": f"{window['provider']}.{window['pg_id']}", "customer_id": window["customer_id"]}
            keep_key(self._world, customer_uid, {**order, **named}, card, fresh=not window["charges"])
        return ended

    def _issued(self, window: Record, payment: Record, used: Record, at: float) -> Record:
        """A key without a charge leaves a paid row of 0: what was shown is not what was paid."""
        order = {**window["order"], "amount": 0}
        where = {name: order[name] for name in ("merchant_uid", "customer_uid")}
        if self._faults.take(("decline",), "window", **where):
            return self._fail(payment, f"{KEY_REFUSED} {refusal_of(window['provider'], 'unusable')}")
        issued = make_payment(
            order, used, int(at), imp_uid=payment["imp_uid"], usage="issue", refusal=None,
            sandbox=self._world.settings.sandbox,
        )  # fmt: skip
        issued["started_at"] = payment["started_at"]
        self._world.change_payment(issued)
        if self._world.settings.window_issue_webhook:
            self._webhooks.queue(issued, at)
        return issued

    def _wait_for_deposit(self, payment: Record, at: float) -> Record:
        account = waiting_account({"vbank_code": VBANK_CODE}, int(at) + VBANK_SECONDS, int(at))
        waiting = self._world.change_payment({**payment, **account})
        self._webhooks.queue(waiting, at)
        return waiting

    def _fail(self, payment: Record, reason: str) -> Record:
        now = int(self._world.clock.now(payment["customer_uid"]))
        failed = {**payment, "status": "failed", "failed_at": now, "fail_reason": reason}
        return self._world.change_payment(failed)


def _waits(payment: Record) -> bool:
    return bool(payment["status"] == "ready" and not payment["vbank_num"])


def _card_of(window: Record, form: dict[str, Any], at: float) -> KnownCard:
    sentence = KEY_REFUSED if window["order"]["customer_uid"] else CARD_REFUSED
    if window["form"] != "card":
        last_four = str(form.get("last_four") or "1111")
        form = {"card_number": f"{_CARD_OF_A_WALLET}{last_four}", "expiry": "2099-12"}
    return read_card(form, at, sentence=sentence, provider=window["provider"])
