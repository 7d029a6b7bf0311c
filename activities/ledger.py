"""The ledger's one write, as an activity, and the bells of the events that were written with it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from temporalio import activity

from activities.errors import of_ledger
from billing import fail_points
from billing.domain.facts import BillingKeyFact
from billing.domain.known_order import AskedOrder, Known
from billing.domain.pg_capabilities import capability
from billing.domain.records import LedgerEntry
from billing.ledger import EventStream, Ledger, LedgerConflictError, LedgerError
from workflows import ports
from workflows.events.delivery_bell import ring_all


class LedgerActivities(ports.LedgerActivities):
    """Writes what the workflows decided."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @activity.defn
    async def record(self, entry: LedgerEntry) -> None:
        """Write one step of a story in one transaction, then ring for its events.

        Dies it after the commit, Temporal does it again: the step changes nothing, and its bells are still to be rung.
        Ringing never fails a step that is written: what could not be rung is left to the sweep of the api.
        """
        if fail_points.ARE_ON:
            fail_points.reach("before record", *_names(entry))
        try:
            waiting = await self._ledger.record(entry)
        except LedgerConflictError as error:
            raise of_ledger(error) from None
        if fail_points.ARE_ON:
            fail_points.reach("after record", *_names(entry))
        if waiting:
            await self._ring(waiting)

    async def _ring(self, waiting: Sequence[EventStream]) -> None:
        orders = [(order.endpoint_id, order.customer_uid) for order in waiting]
        rung = await ring_all(activity.client(), activity.info().task_queue, orders)
        with suppress(LedgerError):
            told = [order for order, done in zip(waiting, rung, strict=True) if done]
            await self._ledger.events.mark_rung(told, datetime.now(UTC))

    @activity.defn
    async def attempts_on_card(self, customer_uid: str) -> Sequence[datetime]:
        """When the card behind a key was or will be tried in dunning, over all subscriptions."""
        return await self._ledger.attempts_on_card(customer_uid)

    @activity.defn
    async def known_orders(self, asked: Sequence[AskedOrder]) -> Sequence[Known]:
        """What is known here of orders and payments, in the order in which they were asked for."""
        return await self._ledger.known_orders.of(asked)

    @activity.defn
    async def is_left_by_an_ended_life(self, key: BillingKeyFact, asking: str) -> bool:
        """Whether PortOne's key is the very one that an ended subscription charged, and nobody but `asking` has it."""
        pg = capability(key.pg_provider or "")
        if pg is None or not pg.rest_key:
            # Issued in the PG's window, where some methods cannot be registered a second time.
            return False
        return await self._ledger.is_left_by_an_ended_life(key, asking)

    @activity.defn
    async def subscription_on_key(self, customer_uid: str) -> str | None:
        """The workflow id of the living subscription that a billing key is charged for."""
        record = await self._ledger.subscription_on_key(customer_uid)
        return record.workflow_id if record else None


def _names(entry: LedgerEntry) -> tuple[str, ...]:
    told = [each.merchant_uid for each in entry.intents]
    told += [each.merchant_uid for each in entry.results]
    told += [each.merchant_uid for each in entry.payments]
    return (*told, entry.subscription.customer_uid) if entry.subscription is not None else tuple(told)
