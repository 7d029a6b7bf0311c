"""What the ledger is told to write: each `LedgerEntry` in one transaction, each write idempotent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.states import CycleState, SubscriptionStatus


class ChargeKind(StrEnum):
    """What a charge is for."""

    CYCLE = "cycle"
    KEY_IN = "key_in"


class RefundState(StrEnum):
    """Where a refund stands; `unknown` is closed by looking the payment up."""

    INTENT = "intent"
    REFUNDED = "refunded"
    REFUSED = "refused"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


class Disposition(StrEnum):
    """What became of a webhook after its payment was looked up."""

    APPLIED = "applied"
    STALE = "stale"
    MISMATCH = "mismatch"
    UNKNOWN_ORDER = "unknown_order"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays, as far as the caller said it; sent to PortOne as `customer_*` and `buyer_*`."""

    id: str | None = None
    name: str | None = None
    tel: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionRecord:
    """The readable row of one life of a subscription, written by its workflow; a higher `revision` replaces a lower."""

    subscription_id: str
    customer_uid: str
    workflow_id: str
    status: SubscriptionStatus
    plan: PlanTerms
    customer: Customer
    started_at: datetime
    revision: int
    cycle: int
    cycle_state: CycleState
    current_period_start: datetime | None = None
    current_period_end: datetime | None = None
    next_charge_at: datetime | None = None
    merchant_uid: str | None = None
    failed_attempts: int = 0
    cancel_at_period_end: bool = False
    parked_reason: str | None = None
    last_failure: str | None = None
    pg_provider: str | None = None
    card: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    ended_at: datetime | None = None
    end_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChargeIntent:
    """The order number and the amount, in the ledger before any call that could charge it."""

    merchant_uid: str
    workflow_id: str
    kind: ChargeKind
    amount: Money
    name: str
    due_at: datetime
    subscription_id: str | None = None
    customer_uid: str | None = None
    cycle: int | None = None
    generation: int = 0
    tax_free: int = 0
    vat_amount: int | None = None


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """What was found out about a charge: its state, and PortOne's id and words where there are any."""

    merchant_uid: str
    state: CycleState
    at: datetime
    imp_uid: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """One refund of one payment; `amount` is never zero, since PortOne reads 0 as everything (facts.md 2.8)."""

    refund_id: str
    merchant_uid: str
    imp_uid: str
    amount: Money
    state: RefundState
    at: datetime
    reason: str | None = None
    cancellation_id: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookDisposition:
    """Closes the inbox rows of one reported payment."""

    merchant_uid: str
    imp_uid: str
    status: str
    disposition: Disposition


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One step of a story, written whole or not at all."""

    subscription: SubscriptionRecord | None = None
    intents: tuple[ChargeIntent, ...] = ()
    results: tuple[ChargeResult, ...] = ()
    payments: tuple[PaymentFact, ...] = ()
    billing_key: BillingKeyFact | None = None
    deleted_billing_key: str | None = None
    refunds: tuple[RefundRecord, ...] = ()
    webhooks: tuple[WebhookDisposition, ...] = ()
