"""What PortOne gave back of the orders that pay for the running period, followed by the books of the subscription.

PortOne's own count of a payment is what is believed, so it does not matter who refunded, where, or how often it is
told: what is booked already is not booked again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from billing.domain.books import Books, PaidWith
from billing.domain.both_sides import money_returned
from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.subscription.records import PaidOrder
from workflows import portone

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun


def books_of(run: "SubscriptionRun") -> Books:
    """The books of the running period."""
    state = run.state
    return Books(
        balance=state.balance,
        given_back=state.given_back,
        orders=tuple(paid_with(each) for each in state.period_orders),
        paid_by=state.paid_by,
        start=state.counts_from or state.period_start,
        end=state.period_end,
        paused_at=state.paused_at,
    )


def paid_with(order: PaidOrder) -> PaidWith:
    """An order of the state as the books have it."""
    return PaidWith(order.merchant_uid, order.imp_uid, order.amount.amount, order.returned)


def keep(run: "SubscriptionRun", books: Books) -> None:
    """Carry on the money of the books; where the period lies is the caller's to say."""
    state, currency = run.state, run.plan.price.currency
    state.balance, state.given_back, state.paid_by = books.balance, books.given_back, books.paid_by
    state.period_orders = [
        PaidOrder(
            merchant_uid=each.merchant_uid,
            imp_uid=each.imp_uid,
            amount=Money(each.amount, currency),
            returned=each.returned,
        )
        for each in books.orders
    ]


def note(run: "SubscriptionRun", rows: Sequence[PaymentFact]) -> bool:
    """Book what PortOne has given back of the running period's orders; whether something of it was new."""
    before = books = books_of(run)
    for row in rows:
        books = books.went_back(row.merchant_uid, row.imp_uid, money_returned(row))
    if books == before:
        return False
    keep(run, books)
    return True


async def book(run: "SubscriptionRun", rows: Sequence[PaymentFact]) -> None:
    """Write down what of rows that were looked up went back, where the books did not know it."""
    before = run.state.balance
    if note(run, rows):
        run.state.credit_went_back = run.state.credit_went_back or run.state.balance != before
        await run.write("what went back is booked")


async def follow(run: "SubscriptionRun") -> None:
    """Look up what is left of the orders that the books count on, before money is reckoned by them."""
    rows: list[PaymentFact] = []
    for number in dict.fromkeys(order.merchant_uid for order in run.state.period_orders):
        rows += await portone.find_payments(number, f"what is left of {number}")
    note(run, rows)


def gave_back(run: "SubscriptionRun", order: PaidWith, amount: int) -> None:
    """A refund of ours took effect: booked as PortOne counts it."""
    keep(run, books_of(run).went_back(order.merchant_uid, order.imp_uid, order.returned + amount))
