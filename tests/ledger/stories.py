"""The small pieces that the ledger's tests tell their stories with."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.records import (
    ChargeIntent,
    ChargeKind,
    ChargeResult,
    Customer,
    LedgerEntry,
    RefundRecord,
    RefundState,
    SubscriptionRecord,
)
from billing.domain.states import CycleState, SubscriptionStatus
from billing.ledger import Ledger
from billing.ledger.engine import reading
from billing.ledger.tables import metadata

START = datetime(2027, 1, 31, 0, 30, 0, 123456, tzinfo=UTC)
LIFE = "s0123456789abcdefghi"
PRICE = Money(9900)
PLAN = PlanTerms("프리미엄", PRICE, Interval(IntervalUnit.MONTH, 3), plan_id="premium", version=2, tax_free=900)


def day(number: float) -> datetime:
    """The instant `number` days after the start."""
    return START + timedelta(days=number)


def order(cycle: int = 1, generation: int = 0, life: str = LIFE) -> str:
    """The order number of a cycle."""
    return cycle_merchant_uid(life, cycle, generation)


def subscription(revision: int = 1, **changes: Any) -> SubscriptionRecord:
    """A subscription's row."""
    record = SubscriptionRecord(
        subscription_id=LIFE,
        customer_uid="kim_1",
        workflow_id="subscription/kim_1",
        status=SubscriptionStatus.ACTIVE,
        plan=PLAN,
        customer=Customer("kim", "김민수", "010-1234-5678", "kim@example.com"),
        started_at=START,
        revision=revision,
        cycle=1,
        cycle_state=CycleState.PLANNED,
        metadata={"사번": "77"},
    )
    return replace(record, **changes)


def intent(cycle: int = 1, generation: int = 0, **changes: Any) -> ChargeIntent:
    """The intent of a cycle's charge."""
    made = ChargeIntent(
        merchant_uid=order(cycle, generation, changes.get("subscription_id", LIFE)),
        workflow_id="subscription/kim_1",
        kind=ChargeKind.CYCLE,
        amount=PRICE,
        name="프리미엄",
        due_at=day(30 * cycle),
        subscription_id=LIFE,
        customer_uid="kim_1",
        cycle=cycle,
        generation=generation,
        tax_free=100,
    )
    return replace(made, **changes)


def result(state: CycleState, at: float = 0, merchant_uid: str | None = None, **changes: Any) -> ChargeResult:
    """What was found out about a charge, `at` days after the start."""
    return replace(ChargeResult(merchant_uid or order(), state, day(at)), **changes)


def payment(imp_uid: str = "imps_1", status: str = "paid", **changes: Any) -> PaymentFact:
    """A payment row of PortOne."""
    made = PaymentFact(
        imp_uid=imp_uid,
        merchant_uid=order(),
        status=status,
        amount=PRICE,
        customer_uid="kim_1",
        pg_provider="nice",
        paid_at=day(0) if status in ("paid", "cancelled") else None,
        card_name="신한카드",
        card_number="****-****-****-1234",
        sandbox=True,
    )
    return replace(made, **changes)


def key(customer_uid: str = "kim_1", **changes: Any) -> BillingKeyFact:
    """A billing key."""
    made = BillingKeyFact(
        customer_uid, "nice", "nictest04m", "신한카드", "****-****-****-1234", 0, None, day(0), day(0)
    )
    return replace(made, **changes)


def refund(state: RefundState = RefundState.INTENT, at: float = 0, **changes: Any) -> RefundRecord:
    """A refund of the first cycle's payment."""
    return replace(RefundRecord("rf_1", order(), "imps_1", Money(4000), state, day(at), "고객 요청"), **changes)


def paid(cycle: int = 1, generation: int = 0, imp_uid: str = "imps_1", at: float = 0) -> LedgerEntry:
    """One step: the payment that was found, and the charge that it settles."""
    merchant_uid = order(cycle, generation)
    return LedgerEntry(
        results=(result(CycleState.PAID, at, merchant_uid, imp_uid=imp_uid),),
        payments=(payment(imp_uid, merchant_uid=merchant_uid),),
    )


async def everything(ledger: Ledger) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every row of every table, so that "nothing has changed" can be said of all of it."""
    async with reading(ledger.engine) as connection:
        return {
            table.name: Counter(
                tuple(repr(value) for value in row) for row in (await connection.execute(select(table))).all()
            )
            for table in metadata.sorted_tables
        }
