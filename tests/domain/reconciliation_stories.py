"""The two sides of one order, as small as a test needs them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from billing.domain.both_sides import Leeway, OrderHere, OrderThere, RunSays
from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.reconciliation import compare_order
from billing.domain.records import ChargeKind, Customer, SubscriptionRecord
from billing.domain.states import CycleState, SubscriptionStatus

DUE = datetime(2027, 3, 1, 9, tzinfo=UTC)
PRICE = Money(9900)
LIFE = "s0123456789abcdefghi"
NUMBER = cycle_merchant_uid(LIFE, 2)
KEY = "kim_1"
IMP = "imps_1"
LEEWAY = Leeway()

SUBSCRIPTION = SubscriptionRecord(
    subscription_id=LIFE,
    customer_uid=KEY,
    workflow_id=f"subscription/{KEY}",
    status=SubscriptionStatus.ACTIVE,
    plan=PlanTerms("월간 이용권", PRICE, Interval(IntervalUnit.MONTH)),
    customer=Customer(),
    started_at=DUE - timedelta(days=28),
    revision=3,
    cycle=2,
    cycle_state=CycleState.PLANNED,
    next_charge_at=DUE,
    merchant_uid=NUMBER,
)
ENDED = replace(
    SUBSCRIPTION,
    status=SubscriptionStatus.CANCELED,
    merchant_uid=None,
    next_charge_at=None,
    ended_at=DUE - timedelta(days=1),
)
REGISTERED = RunSays(True, NUMBER, CycleState.REGISTERED, DUE)
GONE = RunSays(running=False)

PLANNED = OrderHere(
    merchant_uid=NUMBER,
    amount=PRICE,
    kind=ChargeKind.CYCLE,
    state=CycleState.PLANNED,
    due_at=DUE,
    customer_uid=KEY,
    subscription=SUBSCRIPTION,
    run=REGISTERED,
)
"""The order that stands registered for DUE."""

BOOKED = replace(
    PLANNED,
    state=CycleState.PAID,
    imp_uid=IMP,
    subscription=replace(SUBSCRIPTION, merchant_uid=cycle_merchant_uid(LIFE, 3), next_charge_at=DUE + timedelta(28)),
    run=RunSays(True, cycle_merchant_uid(LIFE, 3), CycleState.REGISTERED, DUE + timedelta(days=28)),
)
"""The order that was paid, while the next one stands registered."""


def paid(imp_uid=IMP, at=DUE, **changes):
    """A paid row."""
    row = PaymentFact(imp_uid, NUMBER, "paid", PRICE, customer_uid=KEY, paid_at=at)
    return replace(row, **changes)


def failed(imp_uid="imps_f", **changes):
    """A failed row."""
    return replace(PaymentFact(imp_uid, NUMBER, "failed", PRICE, customer_uid=KEY, failed_at=DUE), **changes)


def cancelled(amount, imp_uid=IMP, **changes):
    """A row of which some went back."""
    return paid(imp_uid, status="cancelled", cancelled_amount=amount, **changes)


def scheduled(at=DUE, **changes):
    """A schedule that waits for its time."""
    return replace(ScheduleFact(NUMBER, KEY, "scheduled", at, PRICE), **changes)


def executed(imp_uid=IMP, payment_status="paid", **changes):
    """A schedule that has run."""
    return scheduled(status="executed", imp_uid=imp_uid, payment_status=payment_status, **changes)


def compared(here, *payments, schedule=None, now=DUE + timedelta(hours=1), leeway=LEEWAY):
    """The kinds that a look finds."""
    found = compare_order(here, OrderThere(payments, schedule), now, leeway)
    return [each.kind.value for each in found]


def known(*rows):
    """Rows as the ledger knows them."""
    return {row.imp_uid: row for row in rows}
