"""The books that an audit compares: what PortOne has, what the ledger has, what the runs say, and what was asked.

Plain values of one moment. Each book that was not read is None, and what needs it is not judged: never taken as empty.
Production reads the first three (`gudok audit`); a test that knows what it asked for brings the journal and what is
expected, made without any code of this project's calendar or bills.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from billing.domain.clock import Clock
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.parked import DecisionRecord, ParkedRecord
from billing.domain.records import ChargeKind, ChargeResult, Disposition, RefundState, SubscriptionRecord
from billing.domain.states import CycleState
from billing.domain.verdict import net_amount
from billing.domain.windows import Window

Period = tuple[str, int]
"""A life of a subscription, and which of its periods, counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One charge of the ledger: its order number, what it was ordered for, and where it stands."""

    merchant_uid: str
    workflow_id: str
    kind: ChargeKind
    amount: Money
    due_at: datetime
    state: CycleState
    subscription_id: str | None = None
    customer_uid: str | None = None
    cycle: int | None = None
    generation: int = 0
    sends: int = 0
    sent_at: datetime | None = None
    imp_uid: str | None = None
    paid_at: datetime | None = None
    settled_at: datetime | None = None

    @property
    def period(self) -> Period | None:
        """The period it pays for; None for a change inside one, and for a one-time payment."""
        if self.kind is not ChargeKind.CYCLE or self.subscription_id is None or self.cycle is None:
            return None
        return self.subscription_id, self.cycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund of the ledger."""

    refund_id: str
    merchant_uid: str
    imp_uid: str
    amount: int
    state: RefundState


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One distinct webhook of the inbox, how often it came, and what it came to."""

    imp_uid: str
    merchant_uid: str
    status: str
    cancellation_id: str
    count: int
    disposition: Disposition | None
    last_at: datetime

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes two of them the same one."""
        return self.imp_uid, self.merchant_uid, self.status, self.cancellation_id


@dataclass(frozen=True, slots=True)
class Key:
    """A billing key as the ledger has it; `deleted_at` where it is known when it went."""

    customer_uid: str
    deleted: bool = False
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """What the ledger's database says of itself when it is read through from end to end."""

    whole: bool
    says: str = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBooks:
    """What PortOne has, of our orders, of our keys, and of whoever else sells there.

    `window` is what was asked for: a payment outside of it may exist and be missing here. None is everything.
    """

    payments: tuple[PaymentFact, ...] = ()
    schedules: tuple[ScheduleFact, ...] = ()
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBooks:
    """What the ledger has: of everything, or of all that concerns the provider's window."""

    subscriptions: tuple[SubscriptionRecord, ...] = ()
    charges: tuple[Charge, ...] = ()
    results: tuple[ChargeResult, ...] = ()
    payments: tuple[PaymentFact, ...] = ()
    refunds: tuple[Refund, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    keys: tuple[Key, ...] = ()
    parked: tuple[ParkedRecord, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    database: Database | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One workflow run: whether it is open, and how large it has become.

    `subscription_id` is the life that it says it is; None where it was not asked. `replays` is None where it was not
    replayed.
    """

    workflow_id: str
    running: bool
    started_at: datetime
    subscription_id: str | None = None
    events: int = 0
    history_bytes: int = 0
    signals: int = 0
    carried_bytes: int = 0
    replays: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call to this project's API and its answer; None for what was not answered.

    Args:
        name: `start`, `cancel`, `pay`, `refund`, `retry`, or another command.
        at: UTC, when the answer came.
        status: HTTP.
        subscription_id: of the answer.
        merchant_uid: of the answer.
        refund_id: of the answer.
        idempotency_key: that it was sent with.
        body: of the answer, as it came.
        bad_input: whether it was made to be refused.
        stopped: whether the answer says that nothing more will be charged.
    """

    name: str
    at: datetime
    status: int | None
    customer_uid: str | None = None
    subscription_id: str | None = None
    merchant_uid: str | None = None
    refund_id: str | None = None
    idempotency_key: str | None = None
    body: str = ""
    bad_input: bool = False
    stopped: bool = False

    @property
    def acknowledged(self) -> bool:
        """Whether it was answered as done."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own borders


@dataclass(frozen=True, slots=True)
class Artefact:
    """Something that was left behind: a database file, a log, a decoded payload, a report."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What whoever drives a test knows: every call and answer, every webhook that left, every request PortOne received.

    Args:
        operations: calls to this project's API.
        deliveries: how often each webhook (imp_uid, merchant_uid, status, cancellation_id) was answered 2xx.
        requests: (method, path) of everything PortOne received.
        forged: imp_uids that only forged webhooks named.
        look_ups_for_strangers: look-ups at PortOne that a request without a credential caused.
        tokens: how often a token was asked for.
        refused_tokens: how often PortOne was made to refuse one.
        clients: processes that hold a token of their own.
        ran_for: how long it all took, in real time.
        quiet_since: since when nothing fails any more; None while faults are on.
        secrets: card numbers, expiries, birth dates and passwords that were typed in, by what each is.
        artefacts: everything that was left behind.
    """

    operations: tuple[Operation, ...] = ()
    deliveries: Mapping[tuple[str, str, str, str], int] = field(default_factory=dict)
    requests: tuple[tuple[str, str], ...] = ()
    forged: frozenset[str] = frozenset()
    look_ups_for_strangers: int = 0
    tokens: int = 0
    refused_tokens: int = 0
    clients: int = 1
    ran_for: timedelta = timedelta(0)
    quiet_since: datetime | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    artefacts: tuple[Artefact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPeriod:
    """What should have become of a period, worked out from what was asked and by nothing that is being tested.

    `amount` is None where nothing is to be charged (a free or skipped period, one after a cancel).
    """

    subscription_id: str
    cycle: int
    due_at: datetime
    amount: Money | None


@dataclass(frozen=True, kw_only=True)
class Books:
    """All books of one moment; a book that was not read is None.

    Args:
        clock: what time it was, and for whom.
        sandbox: whether charges should go through a test channel; None where either is right.
        max_amount: the largest amount that anybody may be charged at once, in minor units.
    """

    clock: Clock
    ledger: LedgerBooks
    provider: ProviderBooks | None = None
    runs: tuple[Run, ...] | None = None
    journal: Journal | None = None
    expected: tuple[ExpectedPeriod, ...] | None = None
    sandbox: bool | None = None
    max_amount: int | None = None

    def now_for(self, record: SubscriptionRecord) -> datetime:
        """The instant it is for a subscription."""
        return self.clock.now(record.customer_uid, record.billing_key)

    def now_for_payment(self, row: PaymentFact) -> datetime:
        """The instant it is for a payment: for the key that was charged, and for its subscription."""
        life = self.lives.get(self.life_of(row.merchant_uid) or "")
        return self.clock.now(row.customer_uid, life.customer_uid if life else None)

    # ------------------------------------------------------------ found by name

    @cached_property
    def charges(self) -> Mapping[str, Charge]:
        """The ledger's charges by order number."""
        return {each.merchant_uid: each for each in self.ledger.charges}

    @cached_property
    def lives(self) -> Mapping[str, SubscriptionRecord]:
        """The ledger's subscriptions by their life."""
        return {each.subscription_id: each for each in self.ledger.subscriptions}

    @cached_property
    def known_payments(self) -> Mapping[str, PaymentFact]:
        """The ledger's payments by imp_uid."""
        return {each.imp_uid: each for each in self.ledger.payments}

    @cached_property
    def their_payments(self) -> Mapping[str, PaymentFact]:
        """PortOne's payments by imp_uid."""
        return {each.imp_uid: each for each in (self.provider.payments if self.provider else ())}

    @cached_property
    def keys_of(self) -> Mapping[str, frozenset[str]]:
        """Every billing key that a life charges or ever charged."""
        keys: dict[str, set[str]] = {
            each.subscription_id: {each.billing_key or each.customer_uid} for each in self.ledger.subscriptions
        }
        for charge in self.ledger.charges:
            if charge.subscription_id is not None and charge.customer_uid is not None:
                keys.setdefault(charge.subscription_id, set()).add(charge.customer_uid)
        return {life: frozenset(names) for life, names in keys.items()}

    @cached_property
    def paid_instants(self) -> Mapping[Period, datetime]:
        """When each period was first paid, as PortOne has it."""
        instants: dict[Period, datetime] = {}
        for row in self.held():
            period = self.period_of(row.merchant_uid)
            if period is not None and row.paid_at is not None:
                instants[period] = min(row.paid_at, instants.get(period, row.paid_at))
        return instants

    def period_of(self, merchant_uid: str) -> Period | None:
        """The period that an order number pays for: as the ledger has it, or else as the number says."""
        charge = self.charges.get(merchant_uid)
        if charge is not None:
            return charge.period
        parsed = parse_cycle_merchant_uid(merchant_uid)
        return parsed[:2] if parsed and parsed[0] in self.lives else None

    def life_of(self, merchant_uid: str) -> str | None:
        """The life of a subscription that an order number belongs to, whatever it pays for."""
        charge = self.charges.get(merchant_uid)
        if charge is not None:
            return charge.subscription_id
        period = self.period_of(merchant_uid)
        return period[0] if period else None

    def is_ours(self, merchant_uid: str) -> bool:
        """Whether somebody here ordered it."""
        return merchant_uid in self.charges or self.period_of(merchant_uid) is not None

    def held(self) -> Iterator[PaymentFact]:
        """PortOne's payments by which it holds money now."""
        return (row for row in (self.provider.payments if self.provider else ()) if net_amount(row) > 0)

    @cached_property
    def decided_orders(self) -> frozenset[str]:
        """The orders about which a person has decided something."""
        return frozenset(each.merchant_uid for each in self.ledger.decisions)

    @cached_property
    def parked_orders(self) -> frozenset[str]:
        """The orders that wait for a person."""
        return frozenset(each.merchant_uid for each in self.ledger.parked if each.closed_at is None)
