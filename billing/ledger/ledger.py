"""The ledger: what was ordered, what PortOne was found to have, and what came of every webhook."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.facts import BillingKeyFact
from billing.domain.plans import PlanTerms
from billing.domain.records import ChargeRegistered, ConsentRecord, LedgerEntry
from billing.domain.states import SubscriptionStatus
from billing.ledger import migrate
from billing.ledger.attempts import attempts_on_card
from billing.ledger.audit import AuditReads
from billing.ledger.deliveries import Deliveries
from billing.ledger.differences import Differences
from billing.ledger.endpoints import Endpoints
from billing.ledger.engine import file_of, open_engine, writing
from billing.ledger.errors import LedgerLostError
from billing.ledger.event_rows import EventStream, HistoryRow
from billing.ledger.events import Events
from billing.ledger.health_check import HealthCheck
from billing.ledger.history import history
from billing.ledger.idempotency import IdempotencyKeys
from billing.ledger.inbox import Inbox
from billing.ledger.known_orders import KnownOrders
from billing.ledger.overdue import Overdue
from billing.ledger.parking import Parking
from billing.ledger.plans import Plans
from billing.ledger.reads import Reads
from billing.ledger.reconciliation import Reconciliation
from billing.ledger.rows import (
    BillingKeyRow,
    ChargeRow,
    IdempotencyClaim,
    InboxReceipt,
    InboxRow,
    PaymentRow,
    PlanRow,
    ReceivedWebhook,
    RefundRow,
    ResultRow,
    SubscriptionRow,
)
from billing.ledger.vault import CardVault
from billing.ledger.writes.entry import write_entry, write_registered_charge
from billing.ledger.writes.sends import mark_charge_sent, mark_refund_sent


class Ledger:
    """One ledger behind one database URL. Every write is one transaction and does nothing the second time.

    Every method raises LedgerUnavailableError when the database is away or locked: do it again.
    `reconciliation` and `differences` are what a comparison with PortOne asks of it, and what it leaves in it.

    Raises:
        ValueError: not `sqlite:///path`, `sqlite+aiosqlite:///path`, `postgresql://…` or `postgresql+asyncpg://…`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = open_engine(url)
        self._reads = Reads(self._engine)
        self._inbox = Inbox(self._engine, self._reads)
        self._plans = Plans(self._engine, self._reads)
        self._idempotency = IdempotencyKeys(self._engine)
        self._health = HealthCheck(self._engine)
        self.events = Events(self._engine)
        self.parking = Parking(self._reads)
        self.overdue = Overdue(self._reads)
        self.audit = AuditReads(self._engine, self._reads)
        self.known_orders = KnownOrders(self._engine)
        self.reconciliation = Reconciliation(self._engine, self._reads)
        self.differences = Differences(self._engine, self._reads)

    @property
    def engine(self) -> AsyncEngine:
        """The database itself, for the card vault."""
        return self._engine

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        file = file_of(self._engine)
        return None if file is None else file.path

    async def migrate(self) -> None:
        """Bring the schema to the newest migration; safe when several processes start at once."""
        await migrate.upgrade(self._url)
        if (file := file_of(self._engine)) is not None:
            file.expect()

    async def check(self) -> None:
        """Raise unless a page can be written to the database and read back; at most one check a second writes.

        Raises:
            LedgerLostError: the SQLite file on disk is not the one that this process has open.
            LedgerDamagedError: the file is damaged.
        """
        await self._health.run()

    async def lost(self) -> None:
        """Return once the SQLite file on disk is no longer the one that this process has open; never on PostgreSQL.

        The process must end then, and be started again: whatever it does with the ledger raises LedgerLostError.
        """
        file = file_of(self._engine)
        await (file.until_lost() if file is not None else asyncio.Event().wait())

    @property
    def loss(self) -> LedgerLostError | None:
        """Why this process can no longer use the ledger; None while it can."""
        file = file_of(self._engine)
        return file.loss if file is not None else None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    def card_vault(self, keys: Mapping[str, bytes] | Sequence[bytes], *, ttl_minutes: int = 15) -> CardVault:
        """The one-time card vault in this database, under keys that are not in it."""
        return CardVault(self._engine, keys, ttl_minutes=ttl_minutes)

    def event_endpoints(self, keys: Sequence[bytes]) -> Endpoints:
        """The endpoints of outgoing events, their secrets sealed under keys that are not in this database."""
        return Endpoints(self._engine, keys)

    def event_deliveries(self, keys: Sequence[bytes]) -> Deliveries:
        """The attempts to deliver outgoing events, for whoever sends them."""
        return Deliveries(self._engine, keys)

    # -------------------------------------------------------------- writes

    async def record(self, entry: LedgerEntry) -> tuple[EventStream, ...]:
        """Write one step of a story, whole or not at all; the same step again, even much later, changes nothing.

        Answers the orders of events that wait for an endpoint because of this step and are still to be rung.

        Raises:
            LedgerConflictError: the step contradicts what is written.
        """
        async with writing(self._engine) as connection:
            return await write_entry(connection, entry)

    async def record_registered(self, registered: ChargeRegistered) -> bool:
        """Show that the open period's charge is registered at PortOne, where its row is the one of the revision before.

        False, and nothing is written, where it is not: the row has to be written whole.
        """
        async with writing(self._engine) as connection:
            return await write_registered_charge(connection, registered)

    async def mark_sent(self, merchant_uid: str, send_no: int, at: datetime) -> bool:
        """Whether the caller may send this charge for the `send_no`-th time: True to exactly one caller, ever.

        False, too, when the order or its cycle is already paid.

        Raises:
            LedgerConflictError: the order was never opened.
        """
        async with writing(self._engine) as connection:
            return await mark_charge_sent(connection, merchant_uid, send_no, at)

    async def mark_refund_sent(self, refund_id: str, at: datetime, send_no: int = 1) -> bool:
        """Whether the caller may send this refund for the `send_no`-th time: True to exactly one caller, ever.

        Raises:
            LedgerConflictError: the refund was never opened.
        """
        async with writing(self._engine) as connection:
            return await mark_refund_sent(connection, refund_id, send_no, at)

    # -------------------------------------------------------------- webhooks

    async def receive_webhook(self, hook: ReceivedWebhook, at: datetime) -> InboxReceipt:
        """Store a webhook or count its twin."""
        return await self._inbox.receive(hook, at)

    async def mark_rung(self, inbox_id: int, at: datetime) -> None:
        """Note that the workflow's bell was rung."""
        await self._inbox.mark_rung(inbox_id, at)

    async def unrung_webhooks(
        self, limit: int = 100, older_than: datetime | None = None, after: int = 0
    ) -> list[InboxRow]:
        """A page of webhooks whose bell is still to be rung, oldest first; `after` is the inbox_id last seen."""
        return await self._inbox.unrung(limit, older_than, after)

    async def orders_to_look_at(self, now: datetime) -> list[InboxRow]:
        """The rows of orders with too many webhooks at once (`webhook_bounds`) that are due for a look as a whole."""
        return await self._inbox.coalesced(now)

    async def mark_looked_at(self, inbox_id: int, at: datetime) -> None:
        """Note that somebody was told to look at the order of such a row."""
        await self._inbox.mark_looked_at(inbox_id, at)

    async def list_webhooks(
        self, merchant_uid: str | None = None, *, limit: int = 1000, after: int | None = None
    ) -> list[InboxRow]:
        """A page of webhooks received, newest first; `after` is the inbox_id of the last one seen."""
        return await self._inbox.page(merchant_uid=merchant_uid, limit=limit, after=after)

    # -------------------------------------------------------------- reads

    async def get_subscription(self, customer_uid: str) -> SubscriptionRow | None:
        """The newest life of a customer_uid's subscription, also one that never began."""
        return await self._reads.subscription(customer_uid)

    async def shown_subscription(self, customer_uid: str) -> tuple[SubscriptionRow | None, SubscriptionRow | None]:
        """What stands under a customer_uid, and the start after it that was refused, where there is one.

        A start that never began takes no ended life's place, unless it waits for a person to decide.
        """
        return await self._reads.shown_subscription(customer_uid)

    async def list_subscriptions(
        self,
        *,
        status: SubscriptionStatus | None = None,
        plan_id: str | None = None,
        parked: bool = False,
        customer_id: str | None = None,
        billing_key: str | None = None,
        limit: int = 50,
        after: tuple[datetime, str] | None = None,
    ) -> list[SubscriptionRow]:
        """A page of subscriptions, newest first, or only of those that are parked or charge a `billing_key`.

        `customer_id` is the caller's own name for who pays.

        `after` is the `cursor` of the last one seen.
        """
        return await self._reads.subscriptions(
            status=status,
            plan_id=plan_id,
            parked=parked,
            customer_id=customer_id,
            billing_key=billing_key,
            limit=limit,
            after=after,
        )

    async def subscription_on_key(self, customer_uid: str) -> SubscriptionRow | None:
        """The living subscription that a billing key is charged for; it may have been started under another one."""
        return await self._reads.subscription_on_key(customer_uid)

    async def is_left_by_an_ended_life(self, key: BillingKeyFact, asking: str) -> bool:
        """Whether a key is the very one that an ended subscription charged, and none but of `asking` charges it now.

        False for one that was issued anew since the ledger saw it, and for one that no subscription ever charged.
        """
        return await self._reads.is_left_by_an_ended_life(key, asking)

    async def history(
        self, customer_uid: str, *, limit: int = 200, after: tuple[datetime, str] | None = None
    ) -> list[HistoryRow]:
        """A page of all that happened under a customer_uid, oldest first; `after` is the `at` and `id` last seen."""
        return await history(self._engine, customer_uid, limit=limit, after=after)

    async def get_charge(self, merchant_uid: str) -> ChargeRow | None:
        """The charge of an order number."""
        return await self._reads.charge(merchant_uid)

    async def list_charges(
        self,
        *,
        customer_uid: str | None = None,
        subscription_id: str | None = None,
        workflow_id: str | None = None,
        limit: int | None = None,
        after: tuple[datetime, str] | None = None,
    ) -> list[ChargeRow]:
        """Charges, oldest first: of a billing key, of one life of a subscription, of all its lives, or all there are.

        `after` is the `cursor` of the last one seen.
        """
        return await self._reads.charges(
            customer_uid=customer_uid,
            subscription_id=subscription_id,
            workflow_id=workflow_id,
            limit=limit,
            after=after,
        )

    async def attempts_on_card(self, customer_uid: str) -> Sequence[datetime]:
        """When the card behind a billing key was or will be tried in dunning, over all subscriptions, oldest first."""
        return await attempts_on_card(self._reads, customer_uid)

    async def list_results(self, merchant_uid: str) -> list[ResultRow]:
        """Everything that was found out about a charge, in the order in which it was booked."""
        return await self._reads.results(merchant_uid)

    async def list_consents(self, customer_uid: str) -> list[ConsentRecord]:
        """What the buyer was asked and answered under a customer_uid, with the evidence, oldest first."""
        return await self._reads.consents(customer_uid)

    async def list_payments(self, merchant_uid: str) -> list[PaymentRow]:
        """What PortOne was found to have for an order number."""
        return await self._reads.payments(merchant_uid)

    async def get_refund(self, refund_id: str) -> RefundRow | None:
        """One refund."""
        return await self._reads.refund(refund_id)

    async def list_refunds(self, merchant_uid: str) -> list[RefundRow]:
        """The refunds of an order number, oldest first."""
        return await self._reads.refunds(merchant_uid)

    async def get_billing_key(self, customer_uid: str) -> BillingKeyRow | None:
        """The billing key of a customer_uid, masked."""
        return await self._reads.billing_key(customer_uid)

    async def list_billing_keys(
        self, *, limit: int = 50, after: str | None = None, deleted: bool | None = None
    ) -> list[BillingKeyRow]:
        """A page of billing keys, masked, by customer_uid; `after` is the customer_uid of the last one seen."""
        return await self._reads.billing_keys(limit=limit, after=after, deleted=deleted)

    # -------------------------------------------------------------- plans

    async def put_plan(self, plan_id: str, terms: PlanTerms, at: datetime) -> PlanRow:
        """Store terms under `plan_id`; changed terms become a new version."""
        return await self._plans.put(plan_id, terms, at)

    async def get_plan(self, plan_id: str, version: int | None = None) -> PlanRow | None:
        """One version of a plan, the newest when none is named."""
        return await self._plans.get(plan_id, version)

    async def list_plans(self) -> list[PlanRow]:
        """The newest version of every plan, by plan_id."""
        return await self._plans.newest()

    # -------------------------------------------------------------- idempotency keys

    async def claim_idempotency_key(
        self,
        scope: str,
        key: str,
        fingerprint: str,
        resource: str,
        at: datetime,
        *,
        is_same: Callable[[str], bool] | None = None,
        lease: timedelta | None = None,
        forget_before: datetime | None = None,
    ) -> IdempotencyClaim:
        """Claim a key, or learn what it already stands for; `new` or `open` to exactly one caller."""
        return await self._idempotency.claim(
            scope, key, fingerprint, resource, at, is_same=is_same, lease=lease, forget_before=forget_before
        )

    async def renew_idempotency_key(self, scope: str, key: str, at: datetime) -> None:
        """Say that the request which claimed a key is still being done."""
        await self._idempotency.renew(scope, key, at)

    async def leave_idempotency_key(self, scope: str, key: str) -> None:
        """Leave a key without a final answer: its next request goes on."""
        await self._idempotency.leave(scope, key)

    async def finish_idempotency_key(
        self, scope: str, key: str, status: int, body: str, at: datetime | None = None
    ) -> None:
        """Keep the first answer."""
        await self._idempotency.finish(scope, key, status, body, at)

    async def release_idempotency_key(self, scope: str, key: str, *, answered: bool = False) -> None:
        """Give back a key whose request did nothing; an `answered` one only where that is said."""
        await self._idempotency.release(scope, key, answered=answered)

    async def purge_idempotency_keys(self, before: datetime, *, at_once: int = 1_000) -> int:
        """Forget keys that were last claimed before an instant, `at_once` in a transaction; answers how many."""
        return await self._idempotency.purge(before, at_once=at_once)
