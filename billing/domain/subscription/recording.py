"""What a subscription writes next to the ledger: each write is one transaction, whole or not at all.

Pure code notes here what happened; whoever carries the step out sends it to the ledger before anything that follows
from it leaves for PortOne (`workflows.subscription.ledger`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.records import ChargeIntent, ChargeResult, LedgerEntry
from billing.domain.subscription import parking, projections
from billing.domain.subscription.notes import Noted, Notes
from billing.domain.subscription.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Write:
    """One transaction of the ledger, and what it writes in words."""

    entry: LedgerEntry
    summary: str


class Recording(Notes):
    """What one subscription writes next: its notes, and the writes that have taken some of them."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription)
        self._writes: list[Write] = []

    def write(
        self,
        summary: str,
        now: datetime,
        *,
        intents: Sequence[ChargeIntent] = (),
        results: Sequence[ChargeResult] = (),
        payments: Sequence[PaymentFact] = (),
        billing_key: BillingKeyFact | None = None,
        deleted_billing_key: str | None = None,
        waits_until: datetime | None = None,
    ) -> None:
        """Write where the subscription stands, with all that is noted, in one transaction."""
        subscription = self._subscription
        parking.keep_in_step(subscription, self, now, payments)
        subscription.state.written(waits_until)
        noted, self._noted = self._noted, Noted()
        entry = LedgerEntry(
            subscription=projections.record(subscription, now),
            intents=tuple(intents),
            results=(*noted.results, *results),
            payments=tuple(payments),
            billing_key=billing_key,
            deleted_billing_key=deleted_billing_key,
            webhooks=tuple(noted.webhooks),
            events=tuple(noted.events),
            consents=tuple(noted.consents),
            parked=tuple(noted.parked.values()),
            decisions=tuple(noted.decisions),
            refunds=tuple(noted.refunds),
        )
        self._writes.append(Write(entry, summary))

    def close_reports(self, now: datetime) -> None:
        """Close the inbox rows of webhooks that said nothing new, where no other write does."""
        if self.has_notes:
            self.write("a webhook that said nothing new", now)

    @property
    def has_writes(self) -> bool:
        """Whether something waits to be sent to the ledger."""
        return bool(self._writes)

    def take_writes(self) -> list[Write]:
        """The writes that wait, in their order, to be sent to the ledger now."""
        writes, self._writes = self._writes, []
        return _together(writes)


def _together(writes: Sequence[Write]) -> list[Write]:
    """Neighbours that say nothing of the same order or key are one transaction."""
    joined: list[Write] = []
    for write in writes:
        if joined and _may_join(joined[-1].entry, write.entry):
            joined[-1] = _joined(joined[-1], write)
        else:
            joined.append(write)
    return joined


def _may_join(first: LedgerEntry, then: LedgerEntry) -> bool:
    keys = (first.billing_key, first.deleted_billing_key, then.billing_key, then.deleted_billing_key)
    return not any(keys) and not (_orders(first) & _orders(then))


def _orders(entry: LedgerEntry) -> set[str]:
    return {
        *(each.merchant_uid for each in entry.intents),
        *(each.merchant_uid for each in entry.results),
        *(each.merchant_uid for each in entry.payments),
        *(each.merchant_uid for each in entry.refunds),
        *(each.merchant_uid for each in entry.parked),
        *(each.merchant_uid for each in entry.decisions),
    }


def _joined(first: Write, then: Write) -> Write:
    before, after = first.entry, then.entry
    entry = replace(
        after,
        intents=(*before.intents, *after.intents),
        results=(*before.results, *after.results),
        payments=(*before.payments, *after.payments),
        webhooks=(*before.webhooks, *after.webhooks),
        events=(*before.events, *after.events),
        consents=(*before.consents, *after.consents),
        parked=(*before.parked, *after.parked),
        decisions=(*before.decisions, *after.decisions),
        refunds=(*before.refunds, *after.refunds),
    )
    return Write(entry, f"{first.summary}; {then.summary}"[:200])
