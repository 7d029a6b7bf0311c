"""What a subscription is notified of: reasons to look, never facts."""

from billing.domain.message import Message


class PaymentReported(Message):
    """The bell a webhook rings: ids only, a reason to look, never a fact."""

    imp_uid: str
    merchant_uid: str
    status: str = ""
    cancellation_id: str = ""


class LookAgain(Message):
    """The bell that reconciliation rings where there is no payment to report: a reason to look, never a fact.

    `merchant_uid` is the order whose schedule or outcome differs, "" when it is the billing key.
    """

    merchant_uid: str = ""
    reason: str = ""
