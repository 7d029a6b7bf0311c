"""What the ledger answers when it is read.

A row of something the domain has a record of *is* that record, with what the ledger knows besides.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import NamedTuple, Self

from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.money import Money
from billing.domain.parked import ParkedRecord
from billing.domain.plans import PlanTerms
from billing.domain.records import ChargeKind, Disposition, RefundRecord, SubscriptionRecord
from billing.domain.states import CycleState
from billing.ledger.types import require_id


class Cursor(NamedTuple):
    """Where a page of a list ended: give it as `after` to get the next one."""

    at: datetime
    id: str

    def encode(self) -> str:
        """As one word that is safe in a URL."""
        return urlsafe_b64encode(f"{self.at.astimezone(UTC).isoformat()} {self.id}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, word: str) -> Self:
        """The cursor that `encode` made the word of.

        Raises:
            ValueError: it did not.
        """
        try:
            at, _, name = urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode().partition(" ")
            instant = datetime.fromisoformat(at)
            return cls(instant.astimezone(UTC), require_id(name))
        except (ValueError, OverflowError):
            raise ValueError("not a cursor of this ledger") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRow(SubscriptionRecord):
    """A subscription as its workflow last wrote it."""

    created_at: datetime
    updated_at: datetime

    @property
    def record(self) -> SubscriptionRecord:
        """The record alone, equal to the one that was written."""
        return SubscriptionRecord(**{each.name: getattr(self, each.name) for each in fields(SubscriptionRecord)})

    @property
    def cursor(self) -> Cursor:
        """Where a list that ends with this row goes on."""
        return Cursor(self.started_at, self.subscription_id)


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """One charge: its order number, what it is for, where it stands.

    `sends` counts how often its request left; `paid_at` is when it was booked as paid, `settled_at` when its state was.
    """

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
    paid_at: datetime | None
    settled_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def cursor(self) -> Cursor:
        """Where a list that ends with this row goes on."""
        return Cursor(self.due_at, self.merchant_uid)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One thing that was found out about a charge, in the order in which it was booked."""

    result_id: int
    merchant_uid: str
    state: CycleState
    at: datetime
    imp_uid: str | None
    code: str | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow(PaymentFact):
    """A payment as PortOne was last found to have it, its card masked."""

    created_at: datetime
    updated_at: datetime

    @property
    def fact(self) -> PaymentFact:
        """The fact alone."""
        return PaymentFact(**{each.name: getattr(self, each.name) for each in fields(PaymentFact)})


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow(RefundRecord):
    """A refund; `at` is when its state was found out, `requested_at` when it was first asked for."""

    requested_at: datetime
    sends: int
    sent_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def record(self) -> RefundRecord:
        """The record alone."""
        return RefundRecord(**{each.name: getattr(self, each.name) for each in fields(RefundRecord)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRow(ParkedRecord):
    """Something that stands parked, as its workflow last wrote it."""

    created_at: datetime
    updated_at: datetime

    @property
    def cursor(self) -> Cursor:
        """Where a list that ends with this row goes on."""
        return Cursor(self.parked_at, self.parked_id)


@dataclass(frozen=True, slots=True)
class BillingKeyRow:
    """One billing key, masked, and whether it has been deleted."""

    key: BillingKeyFact
    deleted: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One version of a plan."""

    plan_id: str
    version: int
    terms: PlanTerms
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """What a webhook said and how it came: `route` is token, console, or schedule.

    Raises:
        ValueError: a field that the inbox cannot hold; what a stranger sends is refused before it is stored.
    """

    imp_uid: str
    merchant_uid: str
    status: str
    route: str
    cancellation_id: str = ""
    workflow_id: str | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            try:
                require_id(getattr(self, each.name) or "")
            except ValueError as error:
                raise ValueError(f"{each.name}: {error}") from None


@dataclass(frozen=True, slots=True)
class InboxReceipt:
    """The inbox row a webhook went to; `first` when nobody had said the same before.

    `coalesced`: too many different ones of its order came within the hour, and it is counted with them in one row.
    """

    inbox_id: int
    first: bool
    count: int
    workflow_id: str | None
    coalesced: bool = False


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
    """What became of claiming an Idempotency-Key: `new`, `open`, `in_progress`, `replay` or `mismatch`.

    `resource` is what the first request with the key named. `open` is a request without a final answer that is now the
    caller's to go on with; `in_progress` is one that somebody else is doing.
    """

    kind: str
    resource: str
    claimed_at: datetime
    status: int | None = None
    body: str | None = None
