"""What the ledger is told to write; one `LedgerEntry` is one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.domain.consent import ConsentEvidence, ConsentNeed
from billing.domain.coupons import Coupon
from billing.domain.dunning import DunningPolicy
from billing.domain.events import OutgoingEvent
from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.instants import require_utc
from billing.domain.money import Money
from billing.domain.parked import DecisionRecord, ParkedRecord
from billing.domain.plans import PlanTerms
from billing.domain.states import ConsentState, CycleState, DunningState, SubscriptionStatus


class ChargeKind(StrEnum):
    """What a charge pays for: a subscription's cycle, a plan change inside one, or a one-time key-in payment."""

    CYCLE = "cycle"
    CHANGE = "change"
    KEY_IN = "key_in"


class RefundState(StrEnum):
    """Where a refund stands; INTENT is written before the call, UNKNOWN is settled by looking the payment up."""

    INTENT = "intent"
    REFUNDED = "refunded"
    REFUSED = "refused"
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


class Disposition(StrEnum):
    """What became of a webhook: every one is accounted for (design section 7).

    COALESCED: one of too many of its order at once, answered by a look at the order (`webhook_bounds`).
    """

    APPLIED = "applied"
    STALE = "stale"
    MISMATCH = "mismatch"
    UNKNOWN_ORDER = "unknown_order"
    COALESCED = "coalesced"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays, as far as the caller said; PortOne's `customer_*` and `buyer_*`."""

    id: str | None = None
    name: str | None = None
    tel: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class PendingChange:
    """What a subscription will be from its next period on, once that period is paid: whole, not a difference.

    `coupon_anew` counts the coupon's periods from the beginning, though the same one was used up before.
    """

    plan: PlanTerms
    quantity: int = 1
    coupon: Coupon | None = None
    coupon_anew: bool = False


@dataclass(frozen=True, slots=True)
class SubscriptionLife:
    """What a subscription holds beside its period: kept as one document, and shown by the api as it is.

    Args:
        quantity: how often the price of the plan is charged.
        coupon: the discount in force.
        balance: minor units carried into the next bill; negative is owed to the customer.
        next_amount: what the next charge takes, as it stands now.
        pending_change: what the next period changes to.
        pause_at_period_end: whether it is paused instead of renewed.
        paused_at: UTC, since when it is paused.
        resumes_at: UTC, when it goes on by itself.
        trial_ends_at: UTC, the end of the trial while it is one.
        skipped_periods: how many periods before the next charge are skipped.
        skipped_from: UTC, when the first of them begins; None where none is.
        dunning: where the retries of the open period stand.
        dunning_policy: by which it is dunned for as long as it lives; None for one that was started before there was
            such a policy.
        consent: where the buyer's consent to the next charge stands.
        access: whether the service should be given: False once the grace of an unpaid period is over.
        grace_ends_at: UTC, until when an unpaid period still gives access.
        allowed_decisions: what a person may decide while it is parked.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    quantity: int = 1
    coupon: Coupon | None = None
    balance: int = 0
    next_amount: Money | None = None
    pending_change: PendingChange | None = None
    pause_at_period_end: bool = False
    paused_at: datetime | None = None
    resumes_at: datetime | None = None
    trial_ends_at: datetime | None = None
    dunning: DunningState = DunningState.CLEAR
    dunning_policy: DunningPolicy | None = None
    consent: ConsentState = ConsentState.NOT_NEEDED
    access: bool = True
    grace_ends_at: datetime | None = None
    allowed_decisions: tuple[str, ...] = ()
    skipped_periods: int = 0
    skipped_from: datetime | None = None

    def __post_init__(self) -> None:
        require_utc("paused_at", self.paused_at)
        require_utc("resumes_at", self.resumes_at)
        require_utc("trial_ends_at", self.trial_ends_at)
        require_utc("grace_ends_at", self.grace_ends_at)
        require_utc("skipped_from", self.skipped_from)


@dataclass(frozen=True, slots=True)
class SubscriptionRecord:
    """A subscription as it stands, the whole row; a higher `revision` replaces a lower one, never the reverse.

    Args:
        subscription_id: the incarnation.
        customer_uid: the one it was started under, by which it is found.
        workflow_id: of the run that owns it.
        status: public status.
        plan: the terms now in force.
        customer: who pays.
        started_at: UTC, of this incarnation; to the microsecond, as the one before may have begun in the same second.
        revision: counted up by the workflow with each write.
        cycle: the current one, counted from 1.
        cycle_state: of that cycle.
        current_period_start: UTC, of the period last paid for.
        current_period_end: UTC.
        next_charge_at: UTC, None when none will come.
        merchant_uid: of the current cycle.
        failed_attempts: of the current cycle.
        cancel_at_period_end: whether it ends with the period.
        parked_reason: why a person is needed, None when none is.
        last_failure: the last decline, in the PG's words.
        pg_provider: which PG holds the key.
        card: for people, "Shinhan ****1234".
        metadata: the caller's own.
        ended_at: UTC, once ended.
        end_reason: why it ended.
        billing_key: the customer_uid of the key that is charged; the subscription itself keeps the one it was
            started under. None until the two differ.
        life: what it holds beside its period.
        waits_until: UTC, the instant by which the run will have written this row again by itself: the end of its one
            wait, or, while a wait only ends in another look, the end of those looks; while PortOne does not answer, a
            day after it stopped. None when nothing happens before somebody acts, and where the run does not say
            (`overdue.due_by`).

    Raises:
        ValueError: an instant that is not aware UTC.
    """

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
    billing_key: str | None = None
    life: SubscriptionLife = SubscriptionLife()
    waits_until: datetime | None = None

    def __post_init__(self) -> None:
        require_utc("started_at", self.started_at)
        require_utc("current_period_start", self.current_period_start)
        require_utc("current_period_end", self.current_period_end)
        require_utc("next_charge_at", self.next_charge_at)
        require_utc("ended_at", self.ended_at)
        require_utc("waits_until", self.waits_until)


@dataclass(frozen=True, slots=True)
class ChargeRegistered:
    """The charge of the open period is registered at PortOne: all that changes in the subscription's row then.

    Args:
        subscription_id: the incarnation.
        merchant_uid: of the charge.
        revision: that the row takes; it follows on the row of the revision before it, and on no other.
    """

    subscription_id: str
    merchant_uid: str
    revision: int


@dataclass(frozen=True, slots=True)
class ChargeIntent:
    """What is about to be charged; in the ledger before anything is sent.

    Args:
        merchant_uid: the order number.
        workflow_id: who asks.
        kind: a cycle or a key-in payment.
        amount: to be charged.
        name: of the order.
        due_at: UTC.
        subscription_id: the incarnation; None for key-in.
        customer_uid: the billing key; None for key-in without one.
        cycle: counted from 1; None for key-in.
        generation: of the order number.
        tax_free: minor units.
        vat_amount: minor units, None leaves it to the PG.

    Raises:
        ValueError: `due_at` is not aware UTC.
    """

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

    def __post_init__(self) -> None:
        require_utc("due_at", self.due_at)


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """What became of a charge, as judged: the state, and PortOne's number, code and words where there are any.

    `due_at` is its day, in UTC, where it was charged on another one than was planned when its order was opened.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    merchant_uid: str
    state: CycleState
    at: datetime
    imp_uid: str | None = None
    code: str | None = None
    message: str | None = None
    due_at: datetime | None = None

    def __post_init__(self) -> None:
        require_utc("at", self.at)
        require_utc("due_at", self.due_at)


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """A refund as it stands; `cancellation_id` is PortOne's, the rest is ours.

    `tax_free` and `vat_amount` are the refund's own parts, in minor units; a VAT of None is left to the PG.

    Raises:
        ValueError: `at` is not aware UTC.
    """

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
    tax_free: int = 0
    vat_amount: int | None = None

    def __post_init__(self) -> None:
        require_utc("at", self.at)


@dataclass(frozen=True, slots=True)
class WebhookDisposition:
    """Closes the inbox rows of (imp_uid, merchant_uid, status) with what became of them."""

    merchant_uid: str
    imp_uid: str
    status: str
    disposition: Disposition


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One question to the buyer, one answer, or that none came: what was asked, what was shown, who answered and when.

    Args:
        consent_id: of the question; a later answer to the same question is another record.
        subscription_id: the incarnation.
        customer_uid: it was started under.
        state: asked, granted, refused or lapsed.
        need: what was asked.
        evidence: the explicit answer; None for a question, and when no answer came.
        at: UTC, when it was noted.

    Raises:
        ValueError: `at` is not aware UTC.
    """

    consent_id: str
    subscription_id: str
    customer_uid: str
    state: ConsentState
    need: ConsentNeed
    evidence: ConsentEvidence | None = field(default=None, kw_only=True)
    at: datetime

    def __post_init__(self) -> None:
        require_utc("at", self.at)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Everything one step of a workflow writes, in one transaction; written twice it changes nothing more."""

    subscription: SubscriptionRecord | None = None
    intents: tuple[ChargeIntent, ...] = ()
    results: tuple[ChargeResult, ...] = ()
    payments: tuple[PaymentFact, ...] = ()
    billing_key: BillingKeyFact | None = None
    deleted_billing_key: str | None = None
    refunds: tuple[RefundRecord, ...] = ()
    webhooks: tuple[WebhookDisposition, ...] = ()
    events: tuple[OutgoingEvent, ...] = ()
    consents: tuple[ConsentRecord, ...] = ()
    parked: tuple[ParkedRecord, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
