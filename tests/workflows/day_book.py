"""An independent book of one life, kept day by day on paper: what each day was sold for, and what of it went back.

It knows nothing of the code under test: every price, credit and charge is reckoned here again, by adding days up.
Credit is the customer's when positive and a debt when negative.
"""

from fractions import Fraction
from itertools import pairwise


def days_of(price, days):
    """The worth of each day of a period, so that they add up to its price."""
    bounds = [price * n // days for n in range(days + 1)]
    return [after - before for before, after in pairwise(bounds)]


def price_of(plan, quantity, coupon):
    gross = plan.price.amount * quantity
    return gross - discount_of(coupon, gross)


def discount_of(coupon, gross):
    if coupon is None:
        return 0
    return min(gross, coupon.amount_off.amount) if coupon.amount_off else gross * coupon.percent_off // 100


def goes_on(coupon, used):
    """Whether a coupon still counts after so many periods."""
    last = {"once": 1, "repeating": coupon.duration_cycles, "forever": None}[coupon.duration.value]
    return last is None or used < last


class DayBook:
    def __init__(self, least=0):
        self.least = least
        self.paid_in = self.paid_back = 0
        self.credit = self.past = self.forfeited = 0
        self.sold, self.back, self.used = [], [], 0
        self.purse = []
        self.given = Fraction(0)
        self.price = 0

    # ------------------------------------------------------------ what stands in the book

    def net(self, first=0, last=None):
        return sum(self.sold[first:last]) - sum(self.back[first:last])

    @property
    def left(self):
        """What the days that are not used are still paid with."""
        return self.net(self.used)

    @property
    def touched(self):
        """Whether something of the days that are left went back."""
        return any(self.back[self.used :])

    def adds_up(self):
        kept = self.paid_in - self.paid_back
        assert kept == self.past + self.net() + self.credit + self.forfeited, "money is made or lost"

    # ------------------------------------------------------------ paying

    def due(self, amount, price):
        """What is charged of an amount: nothing below what the PG takes, which a credit or a few days may leave."""
        amount = max(0, amount)
        return 0 if amount < self.least <= price else amount

    def pay(self, charged, number):
        self.paid_in += charged
        if charged:
            self.purse.append([number, charged])

    def close(self):
        """The days of the period that ran are history."""
        self.past += self.net()
        self.sold, self.back, self.used = [], [], 0

    def begin(self, price, days, number, entered=0):
        """A period of so many days, entered on one of them; answers what it is charged."""
        self.close()
        sold = [0] * entered + days_of(price, days)[entered:]
        charged = self.due(sum(sold) - self.credit, price)
        self.empty_the_purse(max(0, self.credit))
        self.credit += charged - sum(sold)
        self.sold, self.back, self.used, self.price = sold, [0] * days, entered, price
        self.pay(charged, number)
        self.pay_debts(sum(sold))
        self.given += Fraction(days - entered, days)
        return charged

    def empty_the_purse(self, keep):
        """The money that is used up leaves the purse, the oldest first; what is credit stays in it."""
        kept = []
        for number, won in reversed(self.purse):
            if keep > 0:
                kept.insert(0, [number, min(won, keep)])
                keep -= min(won, keep)
        self.purse = kept

    def pay_debts(self, worth):
        """What was owed from before is paid for days that are used: it cannot be of these days."""
        over = sum(won for _, won in self.purse) - (worth + self.credit)
        if over > 0 and self.purse:
            self.purse[-1][1] -= over
            if not self.purse[-1][1]:
                self.purse.pop()

    # ------------------------------------------------------------ changing

    def reprice(self, price, mode, number):
        """The days that are left at another price; answers what is charged."""
        if mode == "none":
            return 0
        days = len(self.sold)
        sold = days_of(price, days)[self.used :]
        difference, charged = sum(sold) - self.left, 0
        if mode == "prorate" and difference > 0:
            charged = self.due(difference - self.credit, price)
        self.credit += charged - difference
        # What went back of these days is made good by paying them anew; what they were sold for before is past.
        self.sold[self.used :], self.back[self.used :] = sold, [0] * len(sold)
        self.price = price
        self.pay(charged, number)
        return charged

    def replace(self, price, days, mode, number):
        """A period of another calendar begins now; answers what is charged."""
        left = self.left
        self.sold[self.used :], self.back[self.used :] = [], []
        if mode == "none":
            self.forfeited += left
            left = 0
        before = self.credit
        self.close()
        charged = self.due(price - before - (left if mode == "prorate" else 0), price)
        self.credit = before + left + charged - price
        self.sold, self.back, self.used, self.price = days_of(price, days), [0] * days, 0, price
        self.empty_the_purse(max(0, price + self.credit - charged))
        self.pay(charged, number)
        self.pay_debts(price)
        self.given += 1
        return charged

    # ------------------------------------------------------------ going back

    def refund(self, number, amount):
        """Money goes back: credit first, then the days that are left from the last one on, then used ones."""
        self.paid_back += amount
        entry = next((each for each in self.purse if each[0] == number), None)
        part = min(amount, entry[1]) if entry else 0
        self.past -= amount - part
        if entry:
            entry[1] -= part
        of_credit = min(part, max(0, self.credit))
        self.credit -= of_credit
        part -= of_credit
        for n in reversed(range(len(self.sold))):
            some = min(part, self.sold[n] - self.back[n])
            self.back[n] += some
            part -= some
        self.past -= part

    # ------------------------------------------------------------ pauses

    def stand_still(self, until):
        """Days stood still and are not given: they become credit, and the period goes on at `until`."""
        self.credit += self.net(self.used, until)
        self.given -= Fraction(until - self.used, len(self.sold))
        self.sold[self.used : until] = self.back[self.used : until] = [0] * (until - self.used)
        self.used = until

    def cut(self):
        """What is left of the period becomes credit."""
        if self.sold:
            self.given -= Fraction(len(self.sold) - self.used, len(self.sold))
        self.credit += self.left
        self.sold[self.used :] = self.back[self.used :] = [0] * (len(self.sold) - self.used)

    def another_begins(self, term):
        return term is None or term - self.given >= Fraction(1, 2)
