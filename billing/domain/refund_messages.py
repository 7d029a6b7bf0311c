"""What a refund is begun with, and how it ended."""

from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.records import RefundState


class StartRefund(Message):
    """Refund `amount` of a paid row of `merchant_uid`; None refunds all that is left.

    Without an `imp_uid` the row that the charge is booked with is refunded. `tax_free` and `vat_amount` are as the
    charge was split, unless given. `customer_uid` is the one that the subscription was started under; the ledger knows
    it where it is not given.
    """

    refund_id: str
    merchant_uid: str
    amount: Money | None = None
    reason: str | None = None
    tax_free: int | None = None
    vat_amount: int | None = None
    customer_uid: str | None = None
    subscription_id: str | None = None
    imp_uid: str | None = None
    requester: str | None = None


class RefundSettled(Message):
    """How a refund ended; `remaining` is what can still be refunded, in minor units."""

    refund_id: str
    state: RefundState
    amount: Money | None = None
    remaining: int | None = None
    code: str | None = None
    message: str | None = None
