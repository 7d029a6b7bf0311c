"""What can be asked of the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.money import Money
from billing.domain.records import ChargeKind, Customer, RefundRecord, RefundState, SubscriptionRecord
from billing.domain.states import CycleState, SubscriptionStatus
from billing.ledger.engine import READ_ONLY
from billing.ledger.rows import BillingKeyRow, ChargeRow
from billing.ledger.tables import billing_keys, charges, payments, refunds, subscriptions
from billing.ledger.writes import PLAN_TERMS

NEWEST_FIRST = (subscriptions.c.started_at.desc(), subscriptions.c.subscription_id.desc())


class Reads:
    """The reading half of the ledger."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = engine.execution_options(**READ_ONLY)

    async def rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """All rows of a query, in a transaction that only reads."""
        async with self._reading.connect() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

    async def subscription(self, customer_uid: str) -> SubscriptionRecord | None:
        """The newest life of a customer_uid."""
        query = select(subscriptions).where(subscriptions.c.customer_uid == customer_uid)
        found = await self.rows(query.order_by(*NEWEST_FIRST).limit(1))
        return _subscription(found[0]) if found else None

    async def subscriptions(
        self,
        *,
        status: SubscriptionStatus | None,
        plan_id: str | None,
        limit: int,
        after: tuple[datetime, str] | None,
    ) -> list[SubscriptionRecord]:
        """A page of subscriptions, newest first, after the (started_at, subscription_id) of the last page's end."""
        query = select(subscriptions).order_by(*NEWEST_FIRST).limit(limit)
        if status is not None:
            query = query.where(subscriptions.c.status == status.value)
        if plan_id is not None:
            query = query.where(subscriptions.c.plan_id == plan_id)
        if after is not None:
            started_at, subscription_id = after
            query = query.where(
                or_(
                    subscriptions.c.started_at < started_at,
                    and_(subscriptions.c.started_at == started_at, subscriptions.c.subscription_id < subscription_id),
                )
            )
        return [_subscription(row) for row in await self.rows(query)]

    async def charge(self, merchant_uid: str) -> ChargeRow | None:
        """The charge of an order number."""
        found = await self.rows(select(charges).where(charges.c.merchant_uid == merchant_uid))
        return _charge(found[0]) if found else None

    async def charges(self, *, customer_uid: str | None = None, subscription_id: str | None = None) -> list[ChargeRow]:
        """Charges of a customer_uid or of one life of a subscription, oldest first; all of them with neither."""
        query = select(charges).order_by(charges.c.due_at, charges.c.merchant_uid)
        if customer_uid is not None:
            query = query.where(charges.c.customer_uid == customer_uid)
        if subscription_id is not None:
            query = query.where(charges.c.subscription_id == subscription_id)
        return [_charge(row) for row in await self.rows(query)]

    async def payments(self, merchant_uid: str) -> list[PaymentFact]:
        """What PortOne was found to have for an order number."""
        query = select(payments).where(payments.c.merchant_uid == merchant_uid).order_by(payments.c.imp_uid)
        return [_payment(row) for row in await self.rows(query)]

    async def refunds(self, merchant_uid: str) -> list[RefundRecord]:
        """The refunds of an order number, oldest first."""
        query = select(refunds).where(refunds.c.merchant_uid == merchant_uid)
        return [_refund(row) for row in await self.rows(query.order_by(refunds.c.requested_at))]

    async def billing_key(self, customer_uid: str) -> BillingKeyRow | None:
        """The billing key of a customer_uid, deleted or not."""
        found = await self.rows(select(billing_keys).where(billing_keys.c.customer_uid == customer_uid))
        if not found:
            return None
        values = dict(found[0]._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
        deleted = values.pop("deleted")
        return BillingKeyRow(BillingKeyFact(**values), deleted)


def _subscription(row: Row[Any]) -> SubscriptionRecord:
    return SubscriptionRecord(
        subscription_id=row.subscription_id,
        customer_uid=row.customer_uid,
        workflow_id=row.workflow_id,
        status=SubscriptionStatus(row.status),
        plan=PLAN_TERMS.validate_python(row.plan),
        customer=Customer(**row.customer),
        started_at=row.started_at,
        revision=row.revision,
        cycle=row.cycle,
        cycle_state=CycleState(row.cycle_state),
        current_period_start=row.current_period_start,
        current_period_end=row.current_period_end,
        next_charge_at=row.next_charge_at,
        merchant_uid=row.merchant_uid,
        failed_attempts=row.failed_attempts,
        cancel_at_period_end=row.cancel_at_period_end,
        parked_reason=row.parked_reason,
        last_failure=row.last_failure,
        pg_provider=row.pg_provider,
        card=row.card,
        metadata=row._mapping["metadata"],  # noqa: SLF001 - SQLAlchemy's documented name
        ended_at=row.ended_at,
        end_reason=row.end_reason,
    )


def _charge(row: Row[Any]) -> ChargeRow:
    return ChargeRow(
        merchant_uid=row.merchant_uid,
        workflow_id=row.workflow_id,
        kind=ChargeKind(row.kind),
        subscription_id=row.subscription_id,
        customer_uid=row.customer_uid,
        cycle=row.cycle,
        generation=row.generation,
        amount=Money(row.amount, row.currency),
        name=row.name,
        tax_free=row.tax_free,
        vat_amount=row.vat_amount,
        due_at=row.due_at,
        state=CycleState(row.state),
        sends=row.sends,
        sent_at=row.sent_at,
        imp_uid=row.imp_uid,
        code=row.code,
        message=row.message,
        settled_at=row.settled_at,
        created_at=row.created_at,
    )


def _payment(row: Row[Any]) -> PaymentFact:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    amount = Money(values.pop("amount"), values.pop("currency"))
    return PaymentFact(amount=amount, **values)


def _refund(row: Row[Any]) -> RefundRecord:
    return RefundRecord(
        refund_id=row.refund_id,
        merchant_uid=row.merchant_uid,
        imp_uid=row.imp_uid,
        amount=Money(row.amount, row.currency),
        state=RefundState(row.state),
        at=row.settled_at or row.requested_at,
        reason=row.reason,
        cancellation_id=row.cancellation_id,
        code=row.code,
        message=row.message,
    )
