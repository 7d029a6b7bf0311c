"""What a running period is paid with, what of that is still paid, and what a refund, a pause or an end makes of it.

Pure: the charge, the preview and the model test reckon by the same functions. The rules:

- A period is paid with orders and with credit. What goes back of an order takes credit first, then the days that are
  left, the last of them first, and only then days that were used: a refund is never given a second time.
- A paused day is no used day. A paid day is never lost: it follows the pause, or it becomes credit.
- What was paid and is neither used nor gone back is owed when a subscription ends (`Books.owed`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction

from billing.domain.bills import Holding
from billing.domain.calendar import days_later, time_zone
from billing.domain.shares import day_of, share

_LEAST_OF_A_PERIOD = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class PaidWith:
    """One order whose money pays for the running period or stands as credit; amounts in minor units.

    Args:
        merchant_uid: the order number.
        imp_uid: of its payment.
        amount: what of the payment is in the books: neither used up in an earlier period nor gone back.
        returned: what PortOne has given back of the payment in all, as far as it is booked here.
    """

    merchant_uid: str
    imp_uid: str | None
    amount: int
    returned: int = 0


@dataclass(frozen=True, slots=True)
class Books:
    """The running period of one subscription; amounts in minor units.

    Args:
        balance: negative is credit, positive is owed by the customer.
        given_back: what of the days that are left is not paid any more, from the last day on: it went back, or it
            became credit.
        orders: whose money is in the books, oldest first.
        paid_by: what the period is paid for; None while nothing was paid for.
        start: UTC, of the whole period, of which each day is worth its share of the price.
        end: UTC.
        paused_at: UTC, since when its days stand still; None while they pass.
    """

    balance: int = 0
    given_back: int = 0
    orders: tuple[PaidWith, ...] = ()
    paid_by: Holding | None = None
    start: datetime | None = None
    end: datetime | None = None
    paused_at: datetime | None = None

    # ------------------------------------------------------------ what is left

    def day(self, at: datetime) -> tuple[int, int]:
        """(days used up at `at`, days of the whole period); the day of `at` counts as not used, a paused one too."""
        if self.paid_by is None or self.start is None or self.end is None:
            return 0, 1
        now = min(at, self.paused_at) if self.paused_at is not None else at
        return day_of(self.start, self.end, min(max(now, self.start), self.end), self.paid_by.terms.zone)

    def rest(self, at: datetime) -> int:
        """What the days that are not used up at `at` are worth at the price they were sold for."""
        if self.paid_by is None or self.start is None or self.end is None:
            return 0
        day, days = self.day(at)
        return share(self.paid_by.value().amount, day, days, days)

    def still_paid(self, at: datetime) -> int:
        """What of these days is paid and did not go back: all that a change, a pause or an end may credit."""
        return max(0, self.rest(at) - self.given_back)

    def owed(self, at: datetime) -> int:
        """What was paid and is not used, credit included: what an end at `at` owes the customer; 0 or more."""
        return max(0, self.still_paid(at) - self.balance)

    @property
    def held(self) -> int:
        """What the orders hold together: the most that can go back through them."""
        return sum(each.amount for each in self.orders)

    def part_left(self, at: datetime) -> Fraction:
        """The part of the period that is not used up at `at`, as a term counts it."""
        day, days = self.day(at)
        return Fraction(days - day, days) if self.paid_by is not None else Fraction(0)

    # ------------------------------------------------------------ what goes back

    def went_back(self, merchant_uid: str, imp_uid: str | None, returned: int) -> "Books":
        """PortOne has given back `returned` of a payment in all; what of it is new takes credit first, then days.

        What goes back of an order that is not in these books, or beyond what is, is of days that were used before.
        """
        for n, order in enumerate(self.orders):
            if order.merchant_uid == merchant_uid and imp_uid in (None, order.imp_uid):
                part = min(max(0, returned - order.returned), order.amount)
                credit = min(part, max(0, -self.balance))
                after = replace(order, amount=order.amount - part, returned=max(returned, order.returned))
                return replace(
                    self,
                    balance=self.balance + credit,
                    given_back=self.given_back + part - credit,
                    orders=(*self.orders[:n], after, *self.orders[n + 1 :]),
                )
        return self

    def through(self, amount: int) -> Iterator[tuple[PaidWith, int]]:
        """The orders that `amount` goes back through, the newest first, and what of it through each."""
        for order in reversed(self.orders):
            part = min(order.amount, amount)
            if part > 0:
                amount -= part
                yield order, part

    def settled(self, at: datetime) -> "Books":
        """The rest that is still paid is credit from `at` on: what refunds of an end use up, so that it nets to 0."""
        rest = self.still_paid(at)
        return replace(self, balance=self.balance - rest, given_back=self.given_back + rest)

    # ------------------------------------------------------------ going on

    def begun(self, paid_by: Holding, worth: int, balance: int, billed: int, paid: PaidWith | None) -> "Books":
        """A period that was billed begins; the books of the one before are closed.

        Its credit stays with the newest of the old orders. What was billed and did not come is not paid: a payment
        that a person took as it was, say. Where it lies is the calendar's to say.

        Args:
            paid_by: what it is paid for.
            worth: of the days that were billed.
            balance: after the bill.
            billed: the amount of the bill.
            paid: the order that paid it, with what was paid; None where nothing was charged.
        """
        needed = max(0, worth - balance)
        orders = _newest(self.orders, max(0, needed - billed))
        came = 0
        if paid is not None:
            came = min(paid.amount, needed)
            orders = (*orders, replace(paid, amount=came))
        short = max(0, billed - paid.amount) if paid is not None else 0
        return Books(balance, short, orders, paid_by)

    def changed(self, paid_by: Holding, balance: int, paid: PaidWith | None, *, prorated: bool) -> "Books":
        """What is held changed within the period, and the difference is paid or in `balance`.

        With `prorated` the days that are left are paid anew, those too that had gone back.
        """
        orders = self.orders if paid is None else (*self.orders, paid)
        given_back = 0 if prorated else self.given_back
        return replace(self, paid_by=paid_by, balance=balance, orders=orders, given_back=given_back)

    # ------------------------------------------------------------ after a pause

    def gives_days(self, at: datetime) -> bool:
        """Whether the rest of a paused period is given as the days it is; what went back of it is not given again.

        Otherwise what is still paid of it counts toward the period with which the subscription goes on. What went back
        of days that were used is nothing of the rest.
        """
        return self.still_paid(at) == self.rest(at)

    def moved(self, at: datetime) -> "Books":
        """It goes on at `at`, and the days that were left follow: the whole period moves by the days of the pause."""
        if self.paused_at is None or self.start is None or self.end is None:
            return replace(self, paused_at=None)
        day, days = self.day(self.paused_at)
        if self.paid_by is None or day == days:
            # Of its last day only hours are left.
            by = at - self.paused_at
            return replace(self, start=self.start + by, end=self.end + by, paused_at=None)
        zone = self.paid_by.terms.zone
        paused = (_day(at, zone) - _day(self.paused_at, zone)).days
        start, end = (days_later(each, paused, zone) for each in (self.start, self.end))
        return replace(self, start=start, end=end, paused_at=None)

    def kept(self, at: datetime) -> "Books":
        """It goes on at `at` within the period, which stays where it is: the days that stood still become credit."""
        on = replace(self, paused_at=None)
        return replace(on, balance=self.balance - (self.still_paid(at) - on.still_paid(at)))


def another_begins(term: int | None, paid: int, not_given: Fraction) -> bool:
    """Whether a further whole period belongs to a fixed term.

    The term counts what was paid and given, by parts of a period: another begins while at least half of one is left.

    Args:
        term: in periods; None for no end.
        paid: periods that were begun.
        not_given: what of them was not given, in periods: the days that became credit or were not charged.
    """
    return term is None or term - (paid - not_given) >= _LEAST_OF_A_PERIOD


def _newest(orders: Sequence[PaidWith], amount: int) -> tuple[PaidWith, ...]:
    """The orders that hold the last `amount` of them all: what is used up is used from the oldest on."""
    kept: list[PaidWith] = []
    for order in reversed(orders):
        part = min(order.amount, amount)
        if part > 0:
            amount -= part
            kept.insert(0, replace(order, amount=part))
    return tuple(kept)


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(time_zone(zone)).date()
