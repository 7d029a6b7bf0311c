"""The two sides that a reconciliation compares: what is known here of one order number, and what PortOne has of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.domain.records import ChargeKind, SubscriptionRecord
from billing.domain.states import ENDED, CycleState
from billing.domain.verdict import net_amount, returned_amount

BOOKED = frozenset({CycleState.PAID, CycleState.LATE_PAID, CycleState.REOPENED})
"""States of a charge whose money the ledger counts as ours."""

STANDS = frozenset({CycleState.REGISTERING, CycleState.REGISTERED, CycleState.DUE, CycleState.VERIFYING})
"""States of a period in which its schedule may rightly stand at PortOne."""


@dataclass(frozen=True, slots=True)
class Leeway:
    """How far apart two sides may be before it counts.

    Args:
        settle: money younger than this is being settled by its workflow at this moment.
        overdue: a charge that is due for longer than this should have been settled by its workflow's own looks.
        apart: two instants closer than this are the same one; a schedule is registered up to a minute later.
    """

    settle: timedelta = timedelta(minutes=10)
    overdue: timedelta = timedelta(hours=2)
    apart: timedelta = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class RunSays:
    """What the workflow of a subscription says of itself; `running` alone when there is none to ask."""

    running: bool
    merchant_uid: str | None = None
    cycle_state: CycleState = CycleState.PLANNED
    next_charge_at: datetime | None = None
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Refunded:
    """What was refunded of one payment from here, in minor units: proven, and perhaps besides."""

    done: int = 0
    in_doubt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHere:
    """All that is known here of one order number.

    Args:
        merchant_uid: the order number.
        amount: ordered; None when nobody here ordered it.
        kind: what it pays for.
        state: of the charge.
        due_at: when it was to be charged first.
        imp_uid: of the payment that the charge is booked with.
        customer_uid: the billing key that it was ordered from.
        sends: how often we ourselves sent it.
        payments: PortOne's rows as they were last looked up, by imp_uid.
        refunds: by imp_uid.
        period_paid_by: another order number under which the same period is booked as paid.
        subscription: that the order, or else the key, belongs to.
        on_our_key: whether the billing key is one of ours.
        run: what the workflow says; None when it could not be asked, and then schedules are not judged.
    """

    merchant_uid: str
    amount: Money | None = None
    kind: ChargeKind | None = None
    state: CycleState | None = None
    due_at: datetime | None = None
    imp_uid: str | None = None
    customer_uid: str | None = None
    sends: int = 0
    payments: Mapping[str, PaymentFact] = field(default_factory=dict)
    refunds: Mapping[str, Refunded] = field(default_factory=dict)
    period_paid_by: str | None = None
    subscription: SubscriptionRecord | None = None
    on_our_key: bool = False
    run: RunSays | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the order is ours, or charges one of our keys; anything else is the merchant's other business."""
        return self.amount is not None or self.subscription is not None or self.on_our_key

    @property
    def is_living(self) -> bool:
        """Whether its subscription may still charge."""
        return self.subscription is not None and self.subscription.status not in ENDED

    @property
    def is_current(self) -> bool:
        """Whether the ledger has it as the order that its living subscription charges next."""
        return self.is_living and self.subscription is not None and self.subscription.merchant_uid == self.merchant_uid

    @property
    def is_gated(self) -> bool:
        """Whether nothing may stand at PortOne yet, because the buyer has not consented."""
        return self.subscription is not None and self.subscription.cycle_state is CycleState.GATED

    @property
    def planned_at(self) -> datetime | None:
        """When its next attempt is planned; None when none is."""
        if self.run is not None and self.run.running and self.run.merchant_uid == self.merchant_uid:
            return self.run.next_charge_at
        if self.is_current and self.subscription is not None:
            return self.subscription.next_charge_at
        return None if self.kind is ChargeKind.CYCLE else self.due_at

    def knows(self, row: PaymentFact) -> bool:
        """Whether the ledger has this row just as PortOne has it."""
        known = self.payments.get(row.imp_uid)
        return known is not None and (known.status, known.cancelled_amount) == (row.status, row.cancelled_amount)

    def knows_less_returned(self, row: PaymentFact) -> bool:
        """Whether the ledger has this row as a payment, of which more went back since."""
        known = self.payments.get(row.imp_uid)
        paid_before = known is not None and bool(net_amount(known) or returned_amount(known))
        return paid_before and known is not None and returned_amount(row) > returned_amount(known)

    def failed(self, imp_uid: str | None) -> bool:
        """Whether this attempt is known here as a failed one."""
        if imp_uid is None:
            return False
        known = self.payments.get(imp_uid)
        booked_as_declined = self.state is CycleState.DECLINED and imp_uid == self.imp_uid
        return booked_as_declined or (known is not None and known.status == "failed")

    def refunded(self, imp_uid: str) -> Refunded:
        """What was refunded of that payment from here."""
        return self.refunds.get(imp_uid, Refunded())


@dataclass(frozen=True, slots=True)
class OrderThere:
    """All that PortOne has of one order number: every payment, and its schedule."""

    payments: Sequence[PaymentFact] = ()
    schedule: ScheduleFact | None = None
