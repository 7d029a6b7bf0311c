"""What was paid: how many periods, what the running one is paid with, and what is carried into the next bill."""

from fractions import Fraction

from pydantic import BaseModel

from billing.domain.bills import Holding
from billing.domain.books import Books, another_begins
from billing.domain.money import Money
from billing.domain.subscription.layout import PeriodsBefore
from billing.domain.subscription.orders import PaidOrder


class Paid(BaseModel):
    """What was paid.

    `by` is what the running period is paid for: what a change in the middle of it is reckoned against. `given_back` is
    what of its days, from the last one on, is not paid any more, in minor units. `balance` is carried into the next
    bill, in minor units; negative is credit. `not_given` is what of the paid `cycles` was not given, in periods, as a
    fraction in words ("10/31"). `credit_went_back` says that the next bill counted on credit that went back.
    `changes` counts the plan changes that were charged.
    """

    cycles: int = 0
    last_imp_uid: str | None = None
    last_price: Money | None = None
    by: Holding | None = None
    balance: int = 0
    orders: list[PaidOrder] = []
    given_back: int = 0
    not_given: str = "0"
    credit_went_back: bool = False
    changes: int = 0

    def another_begins(self, term: int | None, paid: int | None = None) -> bool:
        """Whether a further period belongs to a fixed term after those that were paid, or after `paid` of them."""
        return another_begins(term, self.cycles if paid is None else paid, Fraction(self.not_given))

    def keep(self, books: Books, currency: str) -> None:
        """Carry on the money of the books."""
        self.balance, self.given_back, self.by = books.balance, books.given_back, books.paid_by
        self.orders = [
            PaidOrder(
                merchant_uid=each.merchant_uid,
                imp_uid=each.imp_uid,
                amount=Money(each.amount, currency),
                returned=each.returned,
            )
            for each in books.orders
        ]

    def count_period(self, price: Money) -> None:
        """One more period is paid for, or costs nothing; `price` is that of a whole one."""
        self.cycles += 1
        self.last_price = price

    def paid_with(self, imp_uid: str | None) -> None:
        """The payment of the period that was paid last."""
        self.last_imp_uid = imp_uid

    def is_paid_for(self, by: Holding) -> None:
        """The running period is paid for this, elsewhere."""
        self.by, self.last_price = by, by.value()

    def changed(self, by: Holding, balance: int) -> None:
        """The running period is paid for something else, and this is carried."""
        self.by, self.balance, self.last_price = by, balance, by.value()

    def next_change(self) -> int:
        """The number of the next plan change that is charged."""
        self.changes += 1
        return self.changes

    def credit(self, amount: int) -> None:
        """So much counts toward the next bills, in minor units."""
        self.balance -= amount

    def not_given_more(self, periods: Fraction) -> None:
        """So much of what was paid was not given, in periods."""
        self.not_given = str(Fraction(self.not_given) + periods)

    def not_given_is(self, periods: Fraction) -> None:
        """What of what was paid was not given, in periods."""
        self.not_given = str(periods)

    def note_credit_gone(self) -> None:
        """Credit that the next bill counted on went back."""
        self.credit_went_back = True

    def credit_is_followed(self) -> None:
        """The open charge follows what is carried now."""
        self.credit_went_back = False

    def put_back(self, before: PeriodsBefore) -> None:
        """A charge came to nothing: what was paid is paid."""
        self.balance, self.given_back, self.not_given = before.balance, before.given_back, before.not_given
        self.orders = list(before.orders)
