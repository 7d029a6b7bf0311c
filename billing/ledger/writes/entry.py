"""One `LedgerEntry`, part by part, in the caller's transaction."""

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.records import ChargeRegistered, LedgerEntry
from billing.ledger.event_rows import EventStream
from billing.ledger.writes.billing_keys import write_billing_key, write_deleted_billing_key
from billing.ledger.writes.charges import book_result, follow_schedule, move_charge, open_charge
from billing.ledger.writes.consents import keep_consent
from billing.ledger.writes.events import write_events
from billing.ledger.writes.parked import keep_decision, write_parked
from billing.ledger.writes.payments import write_payment
from billing.ledger.writes.refunds import write_refund
from billing.ledger.writes.subscriptions import write_registered, write_subscription
from billing.ledger.writes.webhooks import close_webhook


async def write_entry(connection: AsyncConnection, entry: LedgerEntry) -> tuple[EventStream, ...]:
    """Write every part of the entry, always in the same order, so that two writers never wait for each other.

    Answers the orders of events that are to be rung.

    Raises:
        LedgerConflictError: a part contradicts what is written.
    """
    superseded = entry.subscription is not None and not await write_subscription(connection, entry.subscription)
    # Payments before results: a result is checked against whose payment it names.
    for payment in entry.payments:
        await write_payment(connection, payment)
    for intent in entry.intents:
        await open_charge(connection, intent)
    for result in entry.results:
        await book_result(connection, result)
    if entry.subscription is not None and not superseded:
        await follow_schedule(connection, entry.subscription)
    if not superseded:
        # A billing key has no history of its own: the subscription's revision tells an old entry from a new one.
        if entry.billing_key is not None:
            await write_billing_key(connection, entry.billing_key)
        if entry.deleted_billing_key is not None:
            await write_deleted_billing_key(connection, entry.deleted_billing_key)
    for refund in entry.refunds:
        await write_refund(connection, refund)
    await _write_what_persons_do(connection, entry)
    for webhook in entry.webhooks:
        await close_webhook(connection, webhook)
    # Last, since it makes writers of one customer_uid wait until this transaction ends. Whether the subscription's row
    # was superseded says nothing of them: what happened has happened, and each has an id of its own.
    return await write_events(connection, entry.events)


async def write_registered_charge(connection: AsyncConnection, registered: ChargeRegistered) -> bool:
    """Show that the open period's charge is registered; False, and nothing written, where the row is not that before.

    Its day is the one of the subscription's row.
    """
    due_at = await write_registered(connection, registered)
    if due_at is not None:
        await move_charge(connection, registered.merchant_uid, due_at)
    return due_at is not None


async def _write_what_persons_do(connection: AsyncConnection, entry: LedgerEntry) -> None:
    for consent in entry.consents:
        await keep_consent(connection, consent)
    for parked in entry.parked:
        await write_parked(connection, parked)
    for decision in entry.decisions:
        await keep_decision(connection, decision)
