"""The orders a person or the api gives to a running subscription, and what is answered: one update each."""

from datetime import datetime

from billing.domain.message import Message
from billing.domain.records import Customer
from billing.domain.subscription.choices import RefundAtCancel, ResumeAnchor, When
from billing.domain.subscription.consent_answer import ConsentAnswer
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.start import PortOneChannel


class CancelSubscription(Message):
    """The order to cancel; `reason` is stored as given. A refund is made only where the cancel takes effect now."""

    at: When = When.PERIOD_END
    reason: str | None = None
    refund: RefundAtCancel = RefundAtCancel.NONE


class UndoCancel(Message):
    """Take a cancel at period end back."""


class PauseSubscription(Message):
    """Stop charging, now or at the end of the period, until `resumes_at` or until somebody resumes.

    `resume_anchor` is the billing day with which it goes on by itself.
    """

    at: When = When.PERIOD_END
    resumes_at: datetime | None = None
    resume_anchor: ResumeAnchor = ResumeAnchor.NEW
    reason: str | None = None


class AnswerConsent(ConsentAnswer):
    """The buyer's explicit answer to a question that was asked."""


class ChangePlan(ItemsChange):
    """Change plan, quantity or coupon: now, or with the next period."""


class Decide(DecisionTaken):
    """A person's decision about one thing that stands parked."""


class ResumeSubscription(Message):
    """Go on, or take a pause at period end back.

    `consent` is the buyer's act of resuming, where what is charged with it needs their consent.
    """

    anchor: ResumeAnchor = ResumeAnchor.NEW
    consent: ConsentAnswer | None = None


class CancelChange(Message):
    """Forget the pending change."""


class ChangeTrial(Message):
    """End the trial at another instant; None ends it now.

    `consent` is the buyer's act of ending it now, where the plan asks for it.
    """

    ends_at: datetime | None = None
    consent: ConsentAnswer | None = None


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
