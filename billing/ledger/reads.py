"""What can be asked of the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.facts import BillingKeyFact, mask_to_last_four
from billing.domain.money import Money
from billing.domain.records import ConsentRecord, Customer
from billing.domain.states import SubscriptionStatus
from billing.ledger.engine import reading
from billing.ledger.rows import BillingKeyRow, ChargeRow, PaymentRow, RefundRow, ResultRow, SubscriptionRow
from billing.ledger.tables import billing_keys, charge_results, charges, consents, payments, refunds, subscriptions
from billing.ledger.writes.consents import EVIDENCE, NEED

NEWEST_FIRST = (subscriptions.c.started_at.desc(), subscriptions.c.subscription_id.desc())


class Reads:
    """The reading half of the ledger."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """All rows of a query, in a transaction that only reads."""
        async with reading(self._engine) as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

    async def first(self, query: Select[Any]) -> Row[Any] | None:
        """The first row of a query."""
        found = await self.rows(query.limit(1))
        return found[0] if found else None

    async def charges_of(self, query: Select[Any]) -> list[ChargeRow]:
        """The charges that a query of whole rows selects."""
        return [_charge(row) for row in await self.rows(query)]

    async def subscriptions_of(self, query: Select[Any]) -> list[SubscriptionRow]:
        """The subscriptions that a query of whole rows selects."""
        return [subscription_of(row) for row in await self.rows(query)]

    async def payments_of(self, query: Select[Any]) -> list[PaymentRow]:
        """The payments that a query of whole rows selects."""
        return [PaymentRow(**_with_money(row)) for row in await self.rows(query)]

    async def subscription(self, customer_uid: str) -> SubscriptionRow | None:
        """The newest life of a customer_uid."""
        query = select(subscriptions).where(subscriptions.c.customer_uid == customer_uid)
        row = await self.first(query.order_by(*NEWEST_FIRST))
        return None if row is None else subscription_of(row)

    async def subscriptions(
        self,
        *,
        status: SubscriptionStatus | None,
        plan_id: str | None,
        parked: bool,
        customer_id: str | None,
        billing_key: str | None,
        limit: int,
        after: tuple[datetime, str] | None,
    ) -> list[SubscriptionRow]:
        """A page of subscriptions, newest first."""
        query = select(subscriptions).order_by(*NEWEST_FIRST).limit(limit)
        if status is not None:
            query = query.where(subscriptions.c.status == status)
        if plan_id is not None:
            query = query.where(subscriptions.c.plan_id == plan_id)
        if parked:
            query = query.where(subscriptions.c.parked_reason.is_not(None))
        if customer_id is not None:
            query = query.where(subscriptions.c.customer["id"].as_string() == customer_id)
        if billing_key is not None:
            query = query.where(is_charged_on(billing_key))
        if after is not None:
            query = query.where(_beyond(subscriptions.c.started_at, subscriptions.c.subscription_id, after, down=True))
        return [subscription_of(row) for row in await self.rows(query)]

    async def subscription_on_key(self, customer_uid: str) -> SubscriptionRow | None:
        """The living subscription that a billing key is charged for."""
        query = select(subscriptions).where(is_charged_on(customer_uid), subscriptions.c.ended_at.is_(None))
        row = await self.first(query.order_by(*NEWEST_FIRST))
        return None if row is None else subscription_of(row)

    async def shown_subscription(self, customer_uid: str) -> tuple[SubscriptionRow | None, SubscriptionRow | None]:
        """The newest life that began, and the start after it that was refused; the newest where none ever began."""
        newest = await self.subscription(customer_uid)
        refused = newest is not None and newest.status is SubscriptionStatus.INCOMPLETE_EXPIRED
        if not refused or newest is None or newest.parked_reason is not None:
            return newest, None
        began = subscriptions.c.status.not_in((SubscriptionStatus.INCOMPLETE, SubscriptionStatus.INCOMPLETE_EXPIRED))
        query = select(subscriptions).where(subscriptions.c.customer_uid == customer_uid, began)
        row = await self.first(query.order_by(*NEWEST_FIRST))
        return (newest, None) if row is None else (subscription_of(row), newest)

    async def is_left_by_an_ended_life(self, key: BillingKeyFact, asking: str) -> bool:
        """Whether a key is the one that an ended life charged, unchanged, and no other living one charges it."""
        known = await self.billing_key(key.customer_uid)
        if known is None or known.deleted or _identity(known.key) != _identity(key):
            return False
        on_key = select(subscriptions).where(is_charged_on(key.customer_uid)).limit(1)
        living = on_key.where(subscriptions.c.ended_at.is_(None), subscriptions.c.workflow_id != asking)
        ended = on_key.where(subscriptions.c.status.in_((SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)))
        return not await self.rows(living) and bool(await self.rows(ended))

    async def charge(self, merchant_uid: str) -> ChargeRow | None:
        """The charge of an order number."""
        row = await self.first(select(charges).where(charges.c.merchant_uid == merchant_uid))
        return None if row is None else _charge(row)

    async def charges(
        self,
        *,
        customer_uid: str | None,
        subscription_id: str | None,
        workflow_id: str | None,
        limit: int | None,
        after: tuple[datetime, str] | None,
    ) -> list[ChargeRow]:
        """A page of charges, oldest first."""
        query = select(charges).order_by(charges.c.due_at, charges.c.merchant_uid).limit(limit)
        if customer_uid is not None:
            query = query.where(charges.c.customer_uid == customer_uid)
        if subscription_id is not None:
            query = query.where(charges.c.subscription_id == subscription_id)
        if workflow_id is not None:
            query = query.where(charges.c.workflow_id == workflow_id)
        if after is not None:
            query = query.where(_beyond(charges.c.due_at, charges.c.merchant_uid, after, down=False))
        return [_charge(row) for row in await self.rows(query)]

    async def results(self, merchant_uid: str) -> list[ResultRow]:
        """Everything that was found out about a charge, in the order in which it was booked."""
        query = select(charge_results).where(charge_results.c.merchant_uid == merchant_uid)
        found = await self.rows(query.order_by(charge_results.c.result_id))
        return [ResultRow(**{**_values(row), "imp_uid": row.imp_uid or None}) for row in found]

    async def consents(self, customer_uid: str) -> list[ConsentRecord]:
        """What the buyer was asked and answered under a customer_uid, oldest first."""
        query = select(consents).where(consents.c.customer_uid == customer_uid).order_by(consents.c.consent_no)
        return [
            ConsentRecord(
                consent_id=row.consent_id,
                subscription_id=row.subscription_id,
                customer_uid=row.customer_uid,
                state=row.state,
                need=NEED.validate_python(row.need),
                evidence=EVIDENCE.validate_python(row.evidence),
                at=row.at,
            )
            for row in await self.rows(query)
        ]

    async def payments(self, merchant_uid: str) -> list[PaymentRow]:
        """What PortOne was found to have for an order number."""
        query = select(payments).where(payments.c.merchant_uid == merchant_uid).order_by(payments.c.imp_uid)
        return [PaymentRow(**_with_money(row)) for row in await self.rows(query)]

    async def refund(self, refund_id: str) -> RefundRow | None:
        """One refund."""
        row = await self.first(select(refunds).where(refunds.c.refund_id == refund_id))
        return None if row is None else _refund(row)

    async def refunds(self, merchant_uid: str) -> list[RefundRow]:
        """The refunds of an order number, oldest first."""
        query = select(refunds).where(refunds.c.merchant_uid == merchant_uid)
        found = await self.rows(query.order_by(refunds.c.requested_at, refunds.c.refund_id))
        return [_refund(row) for row in found]

    async def billing_key(self, customer_uid: str) -> BillingKeyRow | None:
        """The billing key of a customer_uid, deleted or not."""
        row = await self.first(select(billing_keys).where(billing_keys.c.customer_uid == customer_uid))
        return None if row is None else _billing_key(row)

    async def billing_keys(self, *, limit: int, after: str | None, deleted: bool | None) -> list[BillingKeyRow]:
        """A page of billing keys, by customer_uid."""
        query = select(billing_keys).order_by(billing_keys.c.customer_uid).limit(limit)
        if after is not None:
            query = query.where(billing_keys.c.customer_uid > after)
        if deleted is not None:
            query = query.where(billing_keys.c.deleted.is_(deleted))
        return [_billing_key(row) for row in await self.rows(query)]


def is_charged_on(*customer_uids: str) -> ColumnElement[bool]:
    """Whether a subscription charges one of these keys: the one it was started under, until another took its place."""
    keys, started_under = subscriptions.c.billing_key, subscriptions.c.customer_uid
    return or_(keys.in_(customer_uids), and_(keys.is_(None), started_under.in_(customer_uids)))


def _beyond(at: Any, name: Any, after: tuple[datetime, str], *, down: bool) -> ColumnElement[bool]:
    instant, last = after
    if down:
        return or_(at < instant, (at == instant) & (name < last))
    return or_(at > instant, (at == instant) & (name > last))


def _identity(key: BillingKeyFact) -> tuple[object, ...]:
    """What changes when another card is put under the same name."""
    return key.pg_provider, mask_to_last_four(key.card_number), key.inserted_at, key.updated_at


def _values(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def _with_money(row: Row[Any]) -> dict[str, Any]:
    values = _values(row)
    amount = Money(values["amount"], values.pop("currency"))
    return {**values, "amount": amount}


def subscription_of(row: Row[Any]) -> SubscriptionRow:
    """The subscription of a whole row."""
    values = _values(row)
    del values["plan_id"], values["due_by"]
    return SubscriptionRow(**{**values, "customer": Customer(**values["customer"])})


def _charge(row: Row[Any]) -> ChargeRow:
    return ChargeRow(**_with_money(row))


def _refund(row: Row[Any]) -> RefundRow:
    values = _with_money(row)
    return RefundRow(at=values.pop("state_at"), **values)


def _billing_key(row: Row[Any]) -> BillingKeyRow:
    values = _values(row)
    kept = {name: values.pop(name) for name in ("deleted", "created_at", "updated_at")}
    issued_at, changed_at = values.pop("issued_at"), values.pop("changed_at")
    return BillingKeyRow(BillingKeyFact(inserted_at=issued_at, updated_at=changed_at, **values), **kept)
