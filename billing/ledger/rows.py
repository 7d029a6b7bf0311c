"""What the ledger answers when it is read."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain.facts import BillingKeyFact
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.records import ChargeKind, Disposition
from billing.domain.states import CycleState


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """One charge: its order number, what it is for, where it stands."""

    merchant_uid: str
    workflow_id: str
    kind: ChargeKind
    subscription_id: str | None
    customer_uid: str | None
    cycle: int | None
    generation: int
    amount: Money
    name: str
    tax_free: int
    vat_amount: int | None
    due_at: datetime
    state: CycleState
    sends: int
    sent_at: datetime | None
    imp_uid: str | None
    code: str | None
    message: str | None
    settled_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BillingKeyRow:
    """One billing key and whether it has been deleted."""

    key: BillingKeyFact
    deleted: bool


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One version of a plan."""

    plan_id: str
    version: int
    terms: PlanTerms
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """What a webhook said and how it came: `route` is token, console, or schedule."""

    imp_uid: str
    merchant_uid: str
    status: str
    route: str
    cancellation_id: str = ""
    workflow_id: str | None = None


@dataclass(frozen=True, slots=True)
class InboxReceipt:
    """The inbox row a webhook went to; `first` when nobody had said the same before."""

    inbox_id: int
    first: bool
    count: int
    workflow_id: str | None


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One distinct webhook, how often it came, whether its workflow's bell was rung, and what it came to."""

    inbox_id: int
    imp_uid: str
    merchant_uid: str
    status: str
    cancellation_id: str
    route: str
    workflow_id: str | None
    count: int
    disposition: Disposition | None
    first_at: datetime
    last_at: datetime
    rung_at: datetime | None


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """What became of claiming an Idempotency-Key: `new`, `replay`, `in_progress` or `mismatch`."""

    kind: str
    resource: str
    status: int | None = None
    body: str | None = None
