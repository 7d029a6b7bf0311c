"""The orders a person or the api gives to a running subscription, and what is answered: one update each."""

from datetime import datetime
from enum import StrEnum

from billing.domain.bills import Bill
from billing.domain.consent import ConsentDecision
from billing.domain.coupons import Coupon
from billing.domain.money import Money
from billing.domain.parked import Decision
from billing.domain.plans import PlanTerms
from billing.domain.proration import ProrationMode
from billing.domain.records import Customer, PendingChange
from billing.domain.states import SubscriptionStatus
from billing.domain.takeover import Standing
from workflows.contracts import Message, PortOneChannel, SubscriptionSnapshot


class When(StrEnum):
    """When an order takes effect."""

    NOW = "now"
    PERIOD_END = "period_end"


class RefundAtCancel(StrEnum):
    """What of the running period goes back when a subscription is canceled."""

    NONE = "none"
    PRORATED = "prorated"
    FULL = "full"


class CancelSubscription(Message):
    """The order to cancel; `reason` is stored as given. A refund is made only where the cancel takes effect now."""

    at: When = When.PERIOD_END
    reason: str | None = None
    refund: RefundAtCancel = RefundAtCancel.NONE


class UndoCancel(Message):
    """Take a cancel at period end back."""


class ResumeAnchor(StrEnum):
    """Which billing day a resumed subscription goes on with.

    NEW: periods begin at the moment of resuming; what was left of a paid period when it was paused is kept.
    OLD: the billing day stays; what is left until it is charged by the day.
    """

    NEW = "new"
    OLD = "old"


class PauseSubscription(Message):
    """Stop charging, now or at the end of the period, until `resumes_at` or until somebody resumes.

    `resume_anchor` is the billing day with which it goes on by itself.
    """

    at: When = When.PERIOD_END
    resumes_at: datetime | None = None
    resume_anchor: ResumeAnchor = ResumeAnchor.NEW
    reason: str | None = None


class AnswerConsent(Message):
    """The buyer's explicit answer, with what was shown to them (E-Commerce Act art. 13(6))."""

    decision: ConsentDecision
    shown: str
    by: str
    locale: str = "ko-KR"
    ip: str | None = None
    user_agent: str | None = None


class ResumeSubscription(Message):
    """Go on, or take a pause at period end back.

    `consent` is the buyer's act of resuming, where what is charged with it needs their consent.
    """

    anchor: ResumeAnchor = ResumeAnchor.NEW
    consent: AnswerConsent | None = None


class ChangePlan(Message):
    """Change plan, quantity or coupon; what is None stays as it is, or as a change that waits has it.

    With `now` it takes the place of a change that waits.
    """

    plan: PlanTerms | None = None
    quantity: int | None = None
    coupon: Coupon | None = None
    without_coupon: bool = False
    at: When = When.PERIOD_END
    proration: ProrationMode = ProrationMode.PRORATE

    def instead_of(self, held: PendingChange, pending: PendingChange | None) -> PendingChange:
        """What is held after it, whole; what it does not name stays as it is, or as a pending change has it.

        A change that takes effect at once replaces what is held, not what is pending.
        """
        base = (pending or held) if self.at is When.PERIOD_END else held
        coupon = None if self.without_coupon else self.coupon or base.coupon
        anew = self.coupon is not None or (base.coupon_anew and coupon is not None)
        return PendingChange(self.plan or base.plan, self.quantity or base.quantity, coupon, anew)


class CancelChange(Message):
    """Forget the pending change."""


class ChangeTrial(Message):
    """End the trial at another instant; None ends it now.

    `consent` is the buyer's act of ending it now, where the plan asks for it.
    """

    ends_at: datetime | None = None
    consent: AnswerConsent | None = None


class ChangePaymentMethod(Message):
    """Charge another card from now on, under a customer_uid of its own.

    `vault_handle` names the card in the one-time vault; None means that the key was issued in the SDK window.
    """

    customer_uid: str
    vault_handle: str | None = None
    channel: PortOneChannel = PortOneChannel()
    customer: Customer = Customer()


class RetryNow(Message):
    """Charge the open period now, beside the retries that are planned; it does not spend their budget."""

    by: str | None = None


class Decide(Message):
    """A person's decision about one thing that stands parked, with who decided and why.

    Without a `parked_id` it is about the only thing that stands.
    """

    decision: Decision
    by: str
    reason: str
    parked_id: str | None = None


class Preview(Message):
    """What will be charged: the bill of the next period, and of a change what it charges at once.

    `balance` is what is carried on after these bills, in minor units; negative is credit.
    `due_at` is None where no further charge is planned. `refused` is the code of why that order makes no sense now.
    """

    bill: Bill
    due_at: datetime | None = None
    balance: int = 0
    due_now: Bill | None = None
    new_period: bool = False
    refused: str | None = None
    message: str | None = None


class CancelPreview(Message):
    """What a cancel would come to: when it would end, what would go back at once, and what would be owed beside it.

    `owed` is what is paid, is not used and would not go back, credit included; 0 where the period is used to its end.
    """

    ends_at: datetime
    refund: Money
    owed: Money


Order = (
    CancelSubscription
    | UndoCancel
    | PauseSubscription
    | ResumeSubscription
    | ChangePlan
    | CancelChange
    | ChangeTrial
    | ChangePaymentMethod
    | RetryNow
    | AnswerConsent
    | Decide
)


class ChargeAtOrder(StrEnum):
    """What became of the next charge when the order met it, by PortOne's schedule row and payments (design section 3).

    REVOKED and NONE_PLANNED: it was not made and will not be. PAID, DECLINED, MISMATCH: it ran first. UNKNOWN: it was
    begun, and nobody can prove yet what it came to; should it turn out to be paid, it is given back.
    """

    NONE_PLANNED = "none_planned"
    REVOKED = "revoked"
    PAID = "paid"
    DECLINED = "declined"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


class CancelAnswered(Message):
    """What the cancel did, told in the same call: whether the next charge was stopped or had already run.

    `standing` is what somebody else has scheduled on the key; None where PortOne could not be asked.
    `owed` is what was paid, is not used and did not go back with it, credit included; None where it has not ended yet.
    `refund_message` says why not all that was to go back did.
    """

    status: SubscriptionStatus
    charge: ChargeAtOrder
    merchant_uid: str | None = None
    charged_imp_uid: str | None = None
    charged_amount: Money | None = None
    cancel_at_period_end: bool = False
    ends_at: datetime | None = None
    refunded: Money | None = None
    refund_state: str | None = None
    refund_message: str | None = None
    standing: tuple[Standing, ...] | None = None
    owed: Money | None = None


class OrderAnswered(Message):
    """What an order did: where the subscription stands now, and what became of a charge that it met or made.

    `done` is False where the order was understood and came to nothing, with a stable `code`: a declined card, say.
    """

    snapshot: SubscriptionSnapshot
    done: bool = True
    code: str | None = None
    message: str | None = None
    charge: ChargeAtOrder = ChargeAtOrder.NONE_PLANNED
    merchant_uid: str | None = None
    charged: Money | None = None
    refunded: Money | None = None
