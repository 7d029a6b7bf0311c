"""What a change in the middle of a period costs, and what of a payment comes back: by calendar day of the plan's zone.

Every amount is a difference of `share`s whose bounds are rounded by themselves, so a second and a third change inside
one period are right to the won: what was charged, less the credit that is left, is what the days cost.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.domain.bills import Bill, BillLine, Holding, bill_of, period_lines
from billing.domain.calendar import Anchor, cycle_due
from billing.domain.money import Money
from billing.domain.shares import day_of, share

__all__ = ["ChangeQuote", "ProrationMode", "change_now", "refund_parts", "share", "unused"]


class ProrationMode(StrEnum):
    """What becomes of the difference between the old and the new price for the days that are left."""

    PRORATE = "prorate"
    NEXT_PERIOD = "next_period"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ChangeQuote:
    """What a change costs, for the preview and for the charge alike.

    Args:
        due_now: the bill of the change, None when the change itself bills nothing; its amount may be 0 (the credit
            covers it). The change applies only if this is paid.
        balance: after the change and `due_now`, in minor units: negative is credit, positive is owed.
        new_period: whether a period of the new interval begins with the change.
        period_start: UTC, of the whole period that now runs.
        period_end: UTC.
        paid_by: what the days that are left are paid for. It is the `old` of the next change within this period: after
            a change with mode `none` these days are still paid at the old price, and crediting them at the new one
            would give away money that never came.
        coupon_used: whether the change uses up one of the new coupon's cycles.
        prorated: whether the days that are left are paid anew, at once or with the next bill.
    """

    due_now: Bill | None = field(default=None, kw_only=True)
    balance: int
    new_period: bool
    period_start: datetime
    period_end: datetime
    paid_by: Holding
    coupon_used: bool
    prorated: bool = True


def change_now(  # noqa: PLR0917 - the order of a sentence: this instead of that, in the period, at, how
    old: Holding,
    new: Holding,
    period_start: datetime,
    period_end: datetime,
    at: datetime,
    mode: ProrationMode,
    balance: int = 0,
    least: int = 0,
    given_back: int = 0,
) -> ChangeQuote:
    """What it costs to hold `new` instead of `old` from the calendar day of `at` on.

    With the same interval and zone the period stays. Otherwise a new period begins at `at` and its bill is due; the
    days of the old one that are not used up are credited to it (`prorate`), to the balance behind it (`next_period`),
    or not at all (`none`). Not for a trial, whose days nobody paid for: there the new terms simply take their place.

    Args:
        old: what the period is paid for, the `paid_by` of the last change in it; a whole period's worth, also when
            only its last days were billed (`partial_bill`).
        new: with the coupon that applies to it.
        period_start: UTC, of the whole period.
        period_end: UTC.
        at: UTC, within the period.
        mode: of the difference.
        balance: before the change, in minor units: negative is credit, positive is owed.
        least: that one charge may take, as `bill_of`.
        given_back: what of the days that are left went back: only what is still paid is credited.

    Raises:
        ValueError: another currency, `at` outside the period, or an instant that is not UTC.
    """
    one, other = old.terms, new.terms
    if one.price.currency != other.price.currency:
        raise ValueError(f"a change keeps its currency: {one.price.currency} to {other.price.currency} is refused")
    day, days = day_of(period_start, period_end, at, one.zone)
    credit = _credit_line(old, day, days, given_back)
    if (one.interval, one.zone) != (other.interval, other.zone):
        return _into_a_new_period(new, credit, at, mode, balance, least)
    lines = (_rest_line(new, day, days, 1), credit)
    difference = sum(line.amount for line in lines)
    coupon_used = mode is not ProrationMode.NONE and _uses_its_coupon(old, new)
    due_now = None
    if mode is ProrationMode.PRORATE and difference > 0:
        due_now = bill_of(new, balance, lines, coupon_used=coupon_used, least=least)
        balance = due_now.carried
    elif mode is not ProrationMode.NONE:
        balance += difference
    return ChangeQuote(
        due_now=due_now,
        balance=balance,
        new_period=False,
        period_start=period_start,
        period_end=period_end,
        paid_by=old if mode is ProrationMode.NONE else new,
        coupon_used=coupon_used,
        prorated=mode is not ProrationMode.NONE,
    )


def _into_a_new_period(
    new: Holding, credit: BillLine, at: datetime, mode: ProrationMode, balance: int, least: int
) -> ChangeQuote:
    lines = period_lines(new)
    if mode is ProrationMode.PRORATE and credit.amount:
        lines = (*lines, credit)
    bill = bill_of(new, balance, lines, least=least)
    start = at.replace(microsecond=0)
    return ChangeQuote(
        due_now=bill,
        balance=bill.carried + (credit.amount if mode is ProrationMode.NEXT_PERIOD else 0),
        new_period=True,
        period_start=start,
        period_end=cycle_due(Anchor.at(start, new.terms.zone), new.terms.interval, 2),
        paid_by=new,
        coupon_used=bill.coupon_used,
    )


def _uses_its_coupon(old: Holding, new: Holding) -> bool:
    """Whether the period uses up one of the new coupon's cycles with this change, and did not before."""
    return new.discounted and not (new.coupon == old.coupon and old.discounted)


def _credit_line(old: Holding, day: int, days: int, given_back: int) -> BillLine:
    line = _rest_line(old, day, days, -1)
    still_paid = max(0, -line.amount - given_back)
    return line if still_paid == -line.amount else BillLine(f"{line.text}, less what went back", -still_paid)


def _rest_line(holding: Holding, day: int, days: int, sign: int) -> BillLine:
    left = f"{days - day} of {days} days"
    text = f"{holding}, {left}" if sign > 0 else f"not used: {holding}, {left}"
    return BillLine(text, sign * share(holding.value().amount, day, days, days))


def unused(
    paid: Holding | Money, period_start: datetime, period_end: datetime, at: datetime, zone: str = "Asia/Seoul"
) -> Money:
    """The share of the days of a period that are not used up at `at`: what a prorated refund gives back.

    The calendar day of `at` counts as not used yet, as in `change_now`.

    Args:
        paid: what the period is paid for, or the amount that it was paid with.
        period_start: UTC.
        period_end: UTC.
        at: UTC, within the period.
        zone: whose days are counted, for an amount; a holding brings its own.

    Raises:
        ValueError: `at` outside the period, an instant that is not UTC, or an unknown zone.
    """
    amount, zone = (paid.value(), paid.terms.zone) if isinstance(paid, Holding) else (paid, zone)
    day, days = day_of(period_start, period_end, at, zone)
    return Money(share(amount.amount, day, days, days), amount.currency)


def refund_parts(
    amount: int,
    tax_free: int,
    vat_amount: int | None,
    refunded_before: tuple[int, int, int | None],
    refund_amount: int,
) -> tuple[int, int | None]:
    """The tax-free part and the VAT of one more partial refund, so that all refunds add up to the charge's own parts.

    Each part follows the refunded share of the charge, as near as whole minor units allow, and the refund that gives
    the last of the amount back gives the last of both parts back.

    Args:
        amount: of the charge, in minor units.
        tax_free: of the charge.
        vat_amount: of the charge; None left it to the PG, and does so again.
        refunded_before: amount, tax-free part and VAT of all earlier refunds together.
        refund_amount: of this refund, 1 or more.

    Raises:
        ValueError: a refund of 0 or less (PortOne would read 0 as everything), more than is left, or parts that do
            not fit their amount.
    """
    before, tax_before, vat_before = refunded_before[0], refunded_before[1], refunded_before[2] or 0
    left, tax_left, vat_left = amount - before, tax_free - tax_before, (vat_amount or 0) - vat_before
    if not 1 <= refund_amount <= left:
        raise ValueError(f"a refund is 1 to the {left} that are left, got {refund_amount}")
    rest_left = left - tax_left - vat_left
    if min(before, tax_before, vat_before, tax_left, vat_left, rest_left) < 0:
        raise ValueError("tax_free and vat_amount do not fit into the amount and what was refunded before")
    refunded = before + refund_amount
    # Held between what must go back now, since the rest cannot take it, and what is left of the part.
    tax = _between(refund_amount - vat_left - rest_left, tax_free * refunded // amount - tax_before, tax_left)
    tax = min(tax, refund_amount)
    still = refund_amount - tax
    vat = _between(still - rest_left, (vat_amount or 0) * refunded // amount - vat_before, min(vat_left, still))
    return tax, None if vat_amount is None else vat


def _between(low: int, wanted: int, high: int) -> int:
    return max(0, low, min(wanted, high))
