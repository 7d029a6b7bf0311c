"""The ledger: what was ordered, what PortOne was found to have, and what came of every webhook."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.facts import PaymentFact
from billing.domain.plans import PlanTerms
from billing.domain.records import LedgerEntry, RefundRecord, SubscriptionRecord
from billing.domain.states import SubscriptionStatus
from billing.ledger import migrate, writes
from billing.ledger.engine import open_engine
from billing.ledger.errors import LedgerConflictError
from billing.ledger.idempotency import IdempotencyKeys
from billing.ledger.inbox import Inbox
from billing.ledger.plans import Plans
from billing.ledger.reads import Reads
from billing.ledger.rows import (
    BillingKeyRow,
    ChargeRow,
    IdempotencyClaim,
    InboxReceipt,
    InboxRow,
    PlanRow,
    ReceivedWebhook,
)
from billing.ledger.tables import charges
from billing.ledger.vault import CardVault


class Ledger:
    """One ledger behind one database URL. Every write is one transaction and does nothing the second time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = open_engine(url)
        self._reads = Reads(self._engine)
        self._inbox = Inbox(self._engine, self._reads)
        self._plans = Plans(self._engine, self._reads)
        self._idempotency = IdempotencyKeys(self._engine)

    async def migrate(self) -> None:
        """Bring the schema to the newest migration; safe when several processes start at once."""
        await migrate.upgrade(self._engine)

    async def ping(self) -> None:
        """Raise unless the database answers."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    def card_vault(self, keys: Sequence[bytes], *, ttl_minutes: int = 15) -> CardVault:
        """The one-time card vault in this database, under keys that are not in it."""
        return CardVault(self._engine, keys, ttl_minutes=ttl_minutes)

    # -------------------------------------------------------------- writes

    async def record(self, entry: LedgerEntry) -> None:
        """Write one step of a story, whole or not at all.

        Raises:
            LedgerConflictError: the step contradicts what is written.
        """
        try:
            async with self._engine.begin() as connection:
                await _write(connection, entry)
        except IntegrityError as error:
            # The schema's own uniqueness, reached only when two writers race past the checks above it.
            raise LedgerConflictError("the step contradicts what another writer has just written") from error

    async def mark_sent(self, merchant_uid: str, send_no: int, at: datetime) -> bool:
        """Whether the caller may send this charge for the `send_no`-th time: True to exactly one caller, ever."""
        async with self._engine.begin() as connection:
            marked = await connection.execute(
                update(charges)
                .where(charges.c.merchant_uid == merchant_uid, charges.c.sends == send_no - 1)
                .values(sends=send_no, sent_at=at)
            )
        return marked.rowcount == 1

    # -------------------------------------------------------------- webhooks

    async def receive_webhook(self, hook: ReceivedWebhook, at: datetime) -> InboxReceipt:
        """Store a webhook or count its twin."""
        return await self._inbox.receive(hook, at)

    async def mark_rung(self, inbox_id: int, at: datetime) -> None:
        """Note that the workflow's bell was rung."""
        await self._inbox.mark_rung(inbox_id, at)

    async def unrung_webhooks(self, limit: int = 100, older_than: datetime | None = None) -> list[InboxRow]:
        """Webhooks whose bell is still to be rung."""
        return await self._inbox.unrung(limit, older_than)

    async def list_webhooks(self, merchant_uid: str | None = None) -> list[InboxRow]:
        """Webhooks received, newest first."""
        return await self._inbox.list(merchant_uid)

    # -------------------------------------------------------------- reads

    async def get_subscription(self, customer_uid: str) -> SubscriptionRecord | None:
        """The newest life of a customer_uid's subscription."""
        return await self._reads.subscription(customer_uid)

    async def list_subscriptions(
        self,
        *,
        status: SubscriptionStatus | None = None,
        plan_id: str | None = None,
        limit: int = 50,
        after: tuple[datetime, str] | None = None,
    ) -> list[SubscriptionRecord]:
        """A page of subscriptions, newest first; `after` is (started_at, subscription_id) of the last one seen."""
        return await self._reads.subscriptions(status=status, plan_id=plan_id, limit=limit, after=after)

    async def get_charge(self, merchant_uid: str) -> ChargeRow | None:
        """The charge of an order number."""
        return await self._reads.charge(merchant_uid)

    async def list_charges(
        self, *, customer_uid: str | None = None, subscription_id: str | None = None
    ) -> list[ChargeRow]:
        """Charges, oldest first."""
        return await self._reads.charges(customer_uid=customer_uid, subscription_id=subscription_id)

    async def list_payments(self, merchant_uid: str) -> list[PaymentFact]:
        """What PortOne was found to have for an order number."""
        return await self._reads.payments(merchant_uid)

    async def list_refunds(self, merchant_uid: str) -> list[RefundRecord]:
        """The refunds of an order number, oldest first."""
        return await self._reads.refunds(merchant_uid)

    async def get_billing_key(self, customer_uid: str) -> BillingKeyRow | None:
        """The billing key of a customer_uid, masked."""
        return await self._reads.billing_key(customer_uid)

    # -------------------------------------------------------------- plans

    async def put_plan(self, plan_id: str, terms: PlanTerms, at: datetime) -> PlanRow:
        """Store terms under `plan_id`; changed terms become a new version."""
        return await self._plans.put(plan_id, terms, at)

    async def get_plan(self, plan_id: str, version: int | None = None) -> PlanRow | None:
        """One version of a plan, the newest when none is named."""
        return await self._plans.get(plan_id, version)

    async def list_plans(self) -> list[PlanRow]:
        """The newest version of every plan."""
        return await self._plans.list()

    # -------------------------------------------------------------- idempotency keys

    async def claim_idempotency_key(
        self, scope: str, key: str, fingerprint: str, resource: str, at: datetime
    ) -> IdempotencyClaim:
        """Claim a key, or learn what it already stands for."""
        return await self._idempotency.claim(scope, key, fingerprint, resource, at)

    async def finish_idempotency_key(self, scope: str, key: str, status: int, body: str) -> None:
        """Keep the first answer."""
        await self._idempotency.finish(scope, key, status, body)

    async def release_idempotency_key(self, scope: str, key: str) -> None:
        """Give back a key whose request started nothing."""
        await self._idempotency.release(scope, key)


async def _write(connection: AsyncConnection, entry: LedgerEntry) -> None:
    if entry.subscription is not None:
        await writes.write_subscription(connection, entry.subscription)
    # Results before intents: the paid cycle and the next one's intent are one step.
    for result in entry.results:
        await writes.write_result(connection, result)
    for intent in entry.intents:
        await writes.write_intent(connection, intent)
    for payment in entry.payments:
        await writes.write_payment(connection, payment)
    if entry.billing_key is not None:
        await writes.write_billing_key(connection, entry.billing_key)
    if entry.deleted_billing_key is not None:
        await writes.write_deleted_billing_key(connection, entry.deleted_billing_key)
    for refund in entry.refunds:
        await writes.write_refund(connection, refund)
    for webhook in entry.webhooks:
        await writes.write_disposition(connection, webhook)
