"""The ledger of one life: what a run writes, also of orders that an earlier run of the same subscription opened."""

from contextlib import suppress
from datetime import datetime

from temporalio.exceptions import ApplicationError

from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.records import (
    ChargeIntent,
    ChargeKind,
    ChargeRegistered,
    ChargeResult,
    LedgerEntry,
    SubscriptionRecord,
)
from chaos.machine.ledger import MemoryLedger, Ordered
from chaos.what_if.recording import Call


class LedgerOfALife(MemoryLedger):
    """A ledger that may have begun in the middle of a subscription's life."""

    def record(self, entry: LedgerEntry) -> None:
        """One step; written twice it changes nothing.

        Raises:
            ApplicationError: `LedgerConflict`, the step contradicts what is written.
        """
        opened = {intent.merchant_uid for intent in entry.intents}
        for result in entry.results:
            if result.merchant_uid not in opened and result.merchant_uid not in self.charges:
                self.charges[result.merchant_uid] = Ordered(_as_it_must_have_been(result, entry))
        super().record(entry)

    def keep(self, call: Call) -> None:
        """What a recorded call wrote: the real ledger took it, whatever this one, which lacks the past, says."""
        if call.entry is not None:
            with suppress(ApplicationError):
                self.record(call.entry)
        if call.registered is not None:
            self.record_registered(call.registered)

    def mark_sent(self, merchant_uid: str, send_no: int, at: datetime) -> bool:
        """Whether this sending may leave; one of an order that an earlier run opened may."""
        return merchant_uid not in self.charges or super().mark_sent(merchant_uid, send_no, at)

    def record_registered(self, registered: ChargeRegistered) -> bool:
        """Whether the charge is shown as registered; of a subscription whose row an earlier run wrote it is."""
        return registered.subscription_id not in self.subscriptions or super().record_registered(registered)

    def subscription(self) -> SubscriptionRecord | None:
        """The subscription as it stands."""
        return next(iter(self.subscriptions.values()), None)


def _as_it_must_have_been(result: ChargeResult, entry: LedgerEntry) -> ChargeIntent:
    parsed = parse_cycle_merchant_uid(result.merchant_uid)
    paid = [row.amount for row in entry.payments if row.merchant_uid == result.merchant_uid]
    record = entry.subscription
    price = record.plan.price if record is not None else Money(0)
    return ChargeIntent(
        merchant_uid=result.merchant_uid,
        workflow_id=record.workflow_id if record is not None else "",
        kind=ChargeKind.CYCLE if parsed is not None else ChargeKind.CHANGE,
        amount=paid[0] if paid else price,
        name="",
        due_at=result.due_at or result.at,
        subscription_id=record.subscription_id if record is not None else None,
        customer_uid=(record.billing_key or record.customer_uid) if record is not None else None,
        cycle=parsed[1] if parsed is not None else None,
    )
