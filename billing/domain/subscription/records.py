"""The small records of a subscription's state: orders, charges under way, refunds, what stands parked."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from billing.domain.attempt import Attempt
from billing.domain.calendar import Anchor
from billing.domain.money import Money
from billing.domain.parked import ParkedKind
from billing.domain.proration import ChangeQuote
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.subscription.answers import CancelAnswered
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.items_change import ItemsChange


class Booking(StrEnum):
    """Who will run the next attempt of the current cycle: never two of them (reliability.md F42)."""

    SCHEDULE = "schedule"
    RESCHEDULE = "reschedule"
    AGAIN = "again"


class OpenOrder(BaseModel):
    """What the current order number stands for in the ledger: another amount or card needs another number."""

    merchant_uid: str
    amount: Money
    tax_free: int = 0
    vat_amount: int | None = None
    customer_uid: str
    name: str = ""


class PaidOrder(BaseModel):
    """An order that was paid for the running period, with what of it the period is paid with.

    It is what a refund of the period goes back through; `returned` is what PortOne has given back of it in all, in
    minor units, as far as that is booked.
    """

    merchant_uid: str
    imp_uid: str | None
    amount: Money
    returned: int = 0


class PeriodsBefore(BaseModel):
    """Where the periods lay, and what was paid, before a charge to resume: put back where it comes to nothing."""

    anchor: Anchor
    first_cycle: int
    due_at: datetime
    paid_days: int
    resumes_at: datetime | None
    balance: int
    given_back: int
    not_given: str
    orders: list[PaidOrder]


class Purpose(StrEnum):
    """What a charge that we send ourselves is for: who goes on when its outcome is proven."""

    FIRST = "first"
    DUE = "due"
    RETRY = "retry"
    CARD = "card"
    DECISION = "decision"
    RESUME = "resume"
    RESUME_BY_ITSELF = "resume_by_itself"
    TRIAL_END = "trial_end"
    CHANGE = "change"


class Charge(BaseModel):
    """A charge that we send ourselves, on its way to a proven end, and what follows from it.

    `retries` says that PortOne retries a schedule of it, instead of a charge with `again`.
    `order` is what was ordered, as it was recorded with its intent. The rest is what its purpose goes on with: the
    attempt that was `planned` beside it; the change it pays for, at what it cost; where the periods lay `before`.
    """

    purpose: Purpose
    attempt: Attempt
    order: OpenOrder
    retries: bool = False
    planned: datetime | None = None
    change: ItemsChange | None = None
    costs: ChangeQuote | None = None
    before: PeriodsBefore | None = None


class Opening(StrEnum):
    """How far a start has come."""

    CARD = "card"
    ISSUE = "issue"
    ISSUE_IN_DOUBT = "issue_in_doubt"
    KEY = "key"
    FIRST_SCHEDULE = "first_schedule"
    OVER = "over"


class RefundUnderWay(BaseModel):
    """A refund that a workflow of its own makes: of which order, and what came of it when that is over.

    `returned` is what PortOne had given back of the payment before, in minor units.
    """

    refund: StartRefund
    amount: Money
    returned: int = 0
    settled: RefundSettled | None = None


class ParkedItem(BaseModel):
    """One thing that stands until a person decides; `of_cycle` when it is about the open period itself."""

    parked_id: str
    kind: ParkedKind
    reason: str
    merchant_uid: str
    parked_at: datetime
    imp_uid: str | None = None
    known: list[str] = []
    of_cycle: bool = False


class RefundsFor(BaseModel):
    """For whom refunds are made: a cancel, with all of its answer but them, or a person's decision."""

    reason: str
    cancel: CancelAnswered | None = None
    decision: DecisionTaken | None = None
    item: ParkedItem | None = None
