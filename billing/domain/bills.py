"""What one period costs somebody: the same pure function is the preview and the charge, so they cannot disagree."""

from dataclasses import dataclass, field

from billing.domain.coupons import Coupon
from billing.domain.money import MAX_AMOUNT, Money
from billing.domain.plans import PlanTerms
from billing.domain.shares import share


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill: words for people, and minor units; a discount or a credit is negative."""

    text: str
    amount: int


@dataclass(frozen=True, slots=True)
class Bill:
    """What is charged once, and why; nothing is lost: the lines add up to `amount + carried`.

    Args:
        amount: to be charged, 0 to MAX_AMOUNT; 0 is nothing to charge, and no call.
        tax_free: the part of the amount without VAT, in minor units.
        vat_amount: in minor units; None leaves it to the PG.
        lines: price, discount and balance carried in.
        coupon_used: whether this bill uses up one of the coupon's cycles.
        carried: the balance after this bill, in minor units: negative is credit that is left for the next bill,
            positive is what goes beyond the most that one charge may take, or is too little for one.

    Raises:
        ValueError: an amount outside its range, parts that do not fit into it, or lines that do not add up.
    """

    amount: Money
    tax_free: int
    vat_amount: int | None = field(default=None, kw_only=True)
    lines: tuple[BillLine, ...]
    coupon_used: bool
    carried: int

    def __post_init__(self) -> None:
        amount, vat = self.amount.amount, self.vat_amount or 0
        if not 0 <= amount <= MAX_AMOUNT:
            raise ValueError(f"amount must be 0 to {MAX_AMOUNT}, got {amount}")
        if self.tax_free < 0 or vat < 0 or self.tax_free + vat > amount:
            raise ValueError(f"tax_free {self.tax_free} and vat_amount {vat} do not fit into {amount}")
        if sum(line.amount for line in self.lines) != amount + self.carried:
            raise ValueError(f"the lines do not add up to {amount} and {self.carried} carried on")


@dataclass(frozen=True, slots=True)
class Holding:
    """What somebody holds for one period.

    Args:
        terms: of the plan; its price is of one piece.
        quantity: 1 or more.
        coupon: of this period, already decided to apply; None for none.

    Raises:
        ValueError: a quantity under 1, a price beyond what one charge may take, or a coupon in another currency.
    """

    terms: PlanTerms
    quantity: int = 1
    coupon: Coupon | None = None

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise ValueError(f"quantity must be 1 or more, got {self.quantity}")
        if self.gross().amount > MAX_AMOUNT:
            raise ValueError(f"quantity {self.quantity} makes {self.gross()}, more than one charge may take")
        self.value()

    def gross(self) -> Money:
        """The price of one whole period before the coupon."""
        return Money(self.terms.price.amount * self.quantity, self.terms.price.currency)

    def value(self) -> Money:
        """The net price of one whole period."""
        gross = self.gross()
        return gross - self.coupon.discount(gross) if self.coupon else gross

    @property
    def discounted(self) -> bool:
        """Whether the coupon takes something off: one that meets a price of 0 is not used up by it."""
        return self.coupon is not None and self.coupon.discount(self.gross()).amount > 0

    def __str__(self) -> str:
        return self.terms.name if self.quantity == 1 else f"{self.terms.name} × {self.quantity}"


def period_bill(holding: Holding, balance: int = 0, least: int = 0) -> Bill:
    """The bill of one whole period.

    Args:
        holding: of that period.
        balance: carried in, in minor units: negative is a credit owed to the customer, positive is owed by them.
        least: as `bill_of`.
    """
    return bill_of(holding, balance, period_lines(holding), least=least)


def partial_bill(holding: Holding, from_day: int, days: int, balance: int = 0, least: int = 0) -> Bill:
    """The bill of the rest of a period, from `from_day` (counted from 0) to the end of its `days`.

    Raises:
        ValueError: `from_day` is not within the days.
    """
    title = f"{holding}, {days - from_day} of {days} days"
    return bill_of(holding, balance, _lines(holding, title, from_day, days), least=least)


def period_lines(holding: Holding) -> tuple[BillLine, ...]:
    """The lines of one whole period: its price and, with a coupon, what comes off."""
    return _lines(holding, str(holding), 0, 1)


def bill_of(
    holding: Holding,
    balance: int,
    lines: tuple[BillLine, ...],
    *,
    coupon_used: bool | None = None,
    least: int = 0,
) -> Bill:
    """The bill of `lines` and the balance carried in; its VAT parts are those of the holding's price, to scale.

    A credit lowers the taxed and the tax-free part alike.

    Args:
        holding: whose price and currency the bill is in.
        balance: carried in.
        lines: of this bill.
        coupon_used: by default whether a coupon takes something off.
        least: that one charge may take: less than that, which a credit or a few days may leave of a higher price, would
            be refused by the PG, so it is carried into the next bill.
    """
    if balance:
        lines = (*lines, BillLine("credit from before" if balance < 0 else "owed from before", balance))
    total = sum(line.amount for line in lines)
    amount = min(max(total, 0), MAX_AMOUNT)
    if amount < least <= holding.value().amount:
        amount = 0
    terms = holding.terms
    return Bill(
        amount=Money(amount, terms.price.currency),
        tax_free=_scaled(terms.tax_free, amount, terms),
        vat_amount=None if terms.vat_amount is None else _scaled(terms.vat_amount, amount, terms),
        lines=lines,
        coupon_used=holding.discounted if coupon_used is None else coupon_used,
        carried=total - amount,
    )


def _lines(holding: Holding, title: str, from_day: int, days: int) -> tuple[BillLine, ...]:
    gross = share(holding.gross().amount, from_day, days, days)
    line = BillLine(title, gross)
    if holding.coupon is None:
        return (line,)
    net = share(holding.value().amount, from_day, days, days)
    return (line, BillLine(f"coupon {holding.coupon.name}", net - gross))


def _scaled(part: int, amount: int, terms: PlanTerms) -> int:
    """The part of the price, of `amount` instead; rounded down, so that the parts never exceed the amount."""
    return part * amount // terms.price.amount if terms.price.amount else 0
