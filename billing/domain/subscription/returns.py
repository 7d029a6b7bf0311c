"""What PortOne gave back of the orders that pay for the running period, followed by the books of the subscription.

PortOne's own count of a payment is what is believed, so it does not matter who refunded, where, or how often it is
told: what is recorded already is not recorded again.
"""

from collections.abc import Sequence
from datetime import datetime

from billing.domain.books import PaidWith
from billing.domain.facts import PaymentFact
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import returned_amount


def note(subscription: Subscription, rows: Sequence[PaymentFact]) -> bool:
    """Follow what PortOne has given back of the running period's orders; whether something of it was new."""
    before = books = subscription.terms.books()
    for row in rows:
        books = books.went_back(row.merchant_uid, row.imp_uid, returned_amount(row))
    if books == before:
        return False
    subscription.keep(books)
    return True


def record(subscription: Subscription, recording: Recording, now: datetime, rows: Sequence[PaymentFact]) -> None:
    """Record what went back of rows that were looked up, where the books did not know it."""
    paid = subscription.state.paid
    before = paid.balance
    if note(subscription, rows):
        if paid.balance != before:
            paid.note_credit_gone()
        recording.write("what went back is recorded", now)


def gave_back(subscription: Subscription, order: PaidWith, amount: int) -> None:
    """A refund of ours took effect: recorded as PortOne counts it."""
    books = subscription.terms.books()
    subscription.keep(books.went_back(order.merchant_uid, order.imp_uid, order.returned + amount))
