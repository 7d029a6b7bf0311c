"""Taking over a billing key that something else charges: what stands on it, and what a start makes of that; pure.

Foreign is what PortOne has for a key and what no order of ours in the ledger stands for: an old loop's schedules, its
payments, and the charge that some PGs make when they issue a key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.domain.calendar import Anchor, Interval, cycle_due
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.instants import require_utc
from billing.domain.merchant_uid import is_valid_merchant_uid
from billing.domain.money import Money
from billing.domain.verdict import Expected, is_as_ordered, net_amount

AT_ISSUE = "issue"
"""PortOne's `customer_uid_usage` of a payment that a PG took when it issued the key (facts.md 2.8)."""


class TakeOver(StrEnum):
    """What a start makes of the schedules that somebody else left on its key.

    REFUSE: the start is refused. REVOKE: each is taken back first. ADOPT: the earliest that is as the plan costs
    becomes the first period, and the others are taken back.
    """

    REFUSE = "refuse"
    REVOKE = "revoke"
    ADOPT = "adopt"


class AtEnd(StrEnum):
    """What becomes of schedules of somebody else when a subscription on their key ends."""

    PARK = "park"
    REVOKE = "revoke"


class TakeOverRefusal(StrEnum):
    """Why a start on a key was refused because of what stands there: stable codes of the API."""

    SCHEDULED = "key_scheduled_elsewhere"
    CHARGED = "key_charged_elsewhere"
    AT_ISSUE = "charged_at_issue"
    NOT_SHOWN = "charge_at_issue_not_found"
    NOTHING_FITS = "nothing_to_adopt"
    NOT_REVOKED = "schedule_not_revoked"
    RAN_MEANWHILE = "charged_meanwhile"


REFUSALS: dict[TakeOverRefusal, str] = {
    TakeOverRefusal.SCHEDULED: "somebody else's charges are scheduled on this billing key",
    TakeOverRefusal.CHARGED: "this billing key was charged by somebody else within the period that would begin now",
    TakeOverRefusal.AT_ISSUE: "the PG charged this billing key when it was issued, and not what the plan costs",
    TakeOverRefusal.NOT_SHOWN: "the PG charges a billing key when it is issued, and PortOne shows no such payment yet",
    TakeOverRefusal.NOTHING_FITS: "nothing that stands on this billing key is as the plan costs",
    TakeOverRefusal.NOT_REVOKED: "a charge of somebody else on this billing key could not be proven taken back",
    TakeOverRefusal.RAN_MEANWHILE: "a charge of somebody else ran while it was being taken back",
}
"""Each refusal in words; what stands there is told after it."""


@dataclass(frozen=True, slots=True)
class KeyPayment:
    """A payment made with a key, and PortOne's word for how the key was used: `issue`, `payment`, ... or None."""

    payment: PaymentFact
    usage: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """One charge of somebody else on a key, as it is told.

    Args:
        merchant_uid: its order number.
        state: `scheduled`, `revoked` (it was, and was taken back), `executed` (it ran, nothing is known to be paid),
            or `paid`.
        amount: that it takes, or took.
        at: UTC, when it is to run, or was paid; None where PortOne does not say.
        imp_uid: PortOne's payment, where there is one.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    merchant_uid: str
    state: str
    amount: Money
    at: datetime | None = None
    imp_uid: str | None = None

    def __post_init__(self) -> None:
        require_utc("at", self.at)

    def __str__(self) -> str:
        at = f" {self.at:%Y-%m-%d %H:%M} UTC" if self.at is not None else ""
        return f"{self.merchant_uid}: {self.amount} {self.state}{at}"


def of_schedule(row: ScheduleFact, state: str | None = None) -> Standing:
    """A schedule as it is told."""
    return Standing(row.merchant_uid, state or row.status, row.amount, row.schedule_at, row.imp_uid)


def of_payment(payment: PaymentFact) -> Standing:
    """A payment as it is told, with what is still held of it."""
    held = Money(net_amount(payment), payment.amount.currency)
    return Standing(payment.merchant_uid, "paid", held, payment.paid_at, payment.imp_uid)


def in_words(why: str, standing: Sequence[Standing]) -> str:
    """A reason with all that stands there: order numbers, amounts, dates."""
    return f"{why}: {'; '.join(str(each) for each in standing)}" if standing else why


def covers(payment: PaymentFact, interval: Interval, zone: str, now: datetime) -> bool:
    """Whether the period that a payment would have paid for still runs, and PortOne still holds money by it."""
    if payment.paid_at is None or net_amount(payment) <= 0:
        return False
    return cycle_due(Anchor.at(payment.paid_at, zone), interval, 2) > now


@dataclass(frozen=True, slots=True)
class Terms:
    """What a start would charge, and how it was told to deal with what stands on its key.

    Args:
        take_over: the caller's word.
        amount: of the first period.
        prices: what a period may cost who paid for it before: the first one, a whole one, with a discount and without.
        customer_uid: the key.
        charges_now: whether the first period is charged at the start, not after a trial or a time paid elsewhere.
    """

    take_over: TakeOver
    amount: Money
    prices: frozenset[Money]
    customer_uid: str
    charges_now: bool


@dataclass(frozen=True, slots=True)
class Way:
    """How a start goes on: refused, or these are taken back, and what pays, or will pay, the first period."""

    refusal: TakeOverRefusal | None = None
    revoke: tuple[ScheduleFact, ...] = ()
    pays: PaymentFact | None = None
    follows: ScheduleFact | None = None


def choose(terms: Terms, schedules: Sequence[ScheduleFact], payments: Sequence[KeyPayment]) -> Way:
    """What a start makes of what is foreign on its key; `payments` are those whose period still runs.

    What a PG charged when it issued the key is the first period, whatever the caller said, and nothing else can be.
    A payment of what a period costs, whole or up to the billing day, discounted or not, pays the running period:
    nothing is charged beside it.
    """
    recent = payments if terms.charges_now else ()
    at_issue = [each.payment for each in recent if each.usage == AT_ISSUE]
    others = [each.payment for each in recent if each.usage != AT_ISSUE]
    paid = any((each.amount in terms.prices and each.customer_uid == terms.customer_uid) for each in others)
    if at_issue and not (len(at_issue) == 1 and _fits(terms, at_issue[0])):
        return Way(TakeOverRefusal.AT_ISSUE)
    pays = at_issue[0] if at_issue else None
    match terms.take_over:
        case TakeOver.REFUSE:
            if schedules:
                return Way(TakeOverRefusal.SCHEDULED)
            return Way(TakeOverRefusal.CHARGED) if others else Way(pays=pays)
        case TakeOver.REVOKE:
            return Way(TakeOverRefusal.CHARGED) if paid else Way(revoke=tuple(schedules), pays=pays)
        case TakeOver.ADOPT:
            return _adopt(terms, schedules, pays, others)


def _adopt(
    terms: Terms, schedules: Sequence[ScheduleFact], pays: PaymentFact | None, others: Sequence[PaymentFact]
) -> Way:
    paying = [*([pays] if pays is not None else []), *(each for each in others if _fits(terms, each))]
    if len(paying) > 1:
        return Way(TakeOverRefusal.CHARGED)
    if paying:
        return Way(revoke=tuple(schedules), pays=paying[0])
    fitting = sorted((row for row in schedules if _will_fit(terms, row)), key=lambda row: row.schedule_at)
    if fitting:
        return Way(revoke=tuple(row for row in schedules if row is not fitting[0]), follows=fitting[0])
    return Way(TakeOverRefusal.NOTHING_FITS) if schedules or others else Way()


def _fits(terms: Terms, payment: PaymentFact) -> bool:
    expected = Expected(payment.merchant_uid, terms.amount, terms.customer_uid)
    return is_as_ordered(expected, payment) and is_valid_merchant_uid(payment.merchant_uid)


def _will_fit(terms: Terms, row: ScheduleFact) -> bool:
    as_ordered = (row.amount, row.customer_uid) == (terms.amount, terms.customer_uid)
    return as_ordered and is_valid_merchant_uid(row.merchant_uid)
