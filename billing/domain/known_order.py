"""What is known here of one order and one payment, as the ledger has it: what a look at PortOne is judged against."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain.instants import require_utc
from billing.domain.money import Money
from billing.domain.records import ChargeKind, RefundState
from billing.domain.states import CycleState, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class AskedOrder:
    """What the ledger is asked for: an order number, the payment that was looked up, and the key that it charged."""

    merchant_uid: str
    imp_uid: str = ""
    billing_key: str | None = None


@dataclass(frozen=True, slots=True)
class KnownRefund:
    """One refund of the payment that the ledger knows, ours or one that was made elsewhere; amounts in minor units."""

    refund_id: str
    amount: int
    state: RefundState
    tax_free: int = 0
    vat_amount: int | None = None
    cancellation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOrder:
    """One order of ours.

    Args:
        merchant_uid: the order number.
        kind: what it pays for.
        amount: ordered.
        state: of the charge.
        paid: whether the charge is, or was, booked as paid.
        imp_uid: of the payment that it is booked with.
        settled_at: UTC, of the last word about it.
        tax_free: of `amount`, in minor units.
        vat_amount: of `amount`; None leaves it to the PG.
        cycle: that it pays for; None for what is no period.
        is_open: whether it belongs to the period that its living subscription is about to charge.
        period_paid_by: another order number that the same period is booked as paid with.

    Raises:
        ValueError: `settled_at` is not aware UTC.
    """

    merchant_uid: str
    kind: ChargeKind
    amount: Money
    state: CycleState
    paid: bool = False
    imp_uid: str | None = None
    settled_at: datetime | None = None
    tax_free: int = 0
    vat_amount: int | None = None
    cycle: int | None = None
    is_open: bool = False
    period_paid_by: str | None = None

    def __post_init__(self) -> None:
        require_utc("settled_at", self.settled_at)


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of one order and one payment.

    Args:
        order: None when nobody here ordered it.
        customer_uid: whose order of events it belongs to: the one its subscription was started under, else the key.
        subscription_id: of that subscription; None when there is none.
        living: whether that subscription has not ended, and no later one has begun under its customer_uid.
        status: of that subscription.
        seen: the payment's status and refunded amount, as it was last looked up; None when it never was.
        kept: whether a person decided that its money stays although it pays for nothing.
        refunds: of the payment.
    """

    order: KnownOrder | None = None
    customer_uid: str | None = None
    subscription_id: str | None = None
    living: bool = False
    status: SubscriptionStatus | None = None
    seen: tuple[str, int] | None = None
    kept: bool = False
    refunds: tuple[KnownRefund, ...] = ()
