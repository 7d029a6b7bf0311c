"""The ledger's one write, as an activity."""

from collections.abc import Sequence
from datetime import datetime

from temporalio import activity

from activities.errors import of_ledger
from billing.domain.records import LedgerEntry
from billing.ledger import Ledger, LedgerConflictError
from workflows import ports


class LedgerActivities(ports.LedgerActivities):
    """Writes what the workflows decided."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @activity.defn
    async def record(self, entry: LedgerEntry) -> None:
        """Write one step of a story in one transaction."""
        try:
            await self._ledger.record(entry)
        except LedgerConflictError as error:
            raise of_ledger(error) from None

    @activity.defn
    async def attempts_on_card(self, customer_uid: str) -> Sequence[datetime]:
        """When the card behind a billing key was tried, over all subscriptions."""
        return await self._ledger.attempts_on_card(customer_uid)
