"""The proof of a charge: the sentence that says why it is the only one, or what stands against that.

From all that is known of an order number and of its period. Pure: what is read, and where, is somebody else's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.domain.audit.books import Charge, Refund
from billing.domain.audit.periods import UNDECIDED
from billing.domain.both_sides import BOOKED
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.records import ChargeKind, RefundState, SubscriptionRecord
from billing.domain.states import CycleState
from billing.domain.verdict import net_amount, returned_amount


class ProofOutcome(StrEnum):
    """What is proven: PAID_ONCE, GIVEN_BACK and NOT_PAID are certain; OPEN is not yet; CONTRADICTED is wrong."""

    PAID_ONCE = "paid_once"
    GIVEN_BACK = "given_back"
    NOT_PAID = "not_paid"
    OPEN = "open"
    CONTRADICTED = "contradicted"
    NOT_OURS = "not_ours"


CERTAIN = frozenset({ProofOutcome.PAID_ONCE, ProofOutcome.GIVEN_BACK, ProofOutcome.NOT_PAID})
"""Outcomes that leave nothing to be found out."""


@dataclass(frozen=True, slots=True)
class OrderAtPortOne:
    """All that PortOne has of one order number."""

    payments: tuple[PaymentFact, ...] = ()
    schedule: ScheduleFact | None = None

    @property
    def holding(self) -> tuple[PaymentFact, ...]:
        """The payments by which PortOne holds money."""
        return tuple(row for row in self.payments if net_amount(row) > 0)

    @property
    def returned(self) -> tuple[PaymentFact, ...]:
        """The payments of which money went back."""
        return tuple(row for row in self.payments if returned_amount(row) > 0)

    @property
    def declined(self) -> tuple[PaymentFact, ...]:
        """The attempts that failed."""
        return tuple(row for row in self.payments if row.status == "failed")

    @property
    def unfinished(self) -> tuple[PaymentFact, ...]:
        """The payments that PortOne itself calls unfinished."""
        return tuple(row for row in self.payments if row.status not in {"paid", "cancelled", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofBooks:
    """What a proof rests on.

    Args:
        merchant_uid: the order number that is asked about.
        charge: the ledger's charge; None when nobody here ordered it.
        siblings: the ledger's charges of the same period under other order numbers.
        subscription: the life that it belongs to.
        refunds: of the order number.
        there: what PortOne has, of the order number and of every sibling.
        strangers: what the same key paid meanwhile under order numbers that nobody here knows; None where that was
            not asked.
    """

    merchant_uid: str
    charge: Charge | None = None
    siblings: tuple[Charge, ...] = ()
    subscription: SubscriptionRecord | None = None
    refunds: tuple[Refund, ...] = ()
    there: Mapping[str, OrderAtPortOne] = field(default_factory=dict)
    strangers: tuple[PaymentFact, ...] | None = None

    def at_portone(self, merchant_uid: str) -> OrderAtPortOne:
        """All that PortOne has of one of the order numbers."""
        return self.there.get(merchant_uid, OrderAtPortOne())


@dataclass(frozen=True, slots=True)
class Proof:
    """What is proven, and the sentences that say why, the decisive one first."""

    outcome: ProofOutcome
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it as one paragraph."""
        return " ".join(self.sentences)


def prove(books: ProofBooks) -> Proof:
    """What the books prove of the order number."""
    if books.charge is None:
        return Proof(ProofOutcome.NOT_OURS, (_nobody_ordered(books),))
    outcome, decisive = _decisive(books, books.charge)
    against = _against(books)
    if against:
        return Proof(ProofOutcome.CONTRADICTED, (*against, _belongs(books.charge, books.subscription), *_others(books)))
    strangers = () if books.strangers is None or outcome is not ProofOutcome.PAID_ONCE else (_no_strangers(books),)
    return Proof(outcome, (decisive, _belongs(books.charge, books.subscription), *_others(books), *strangers))


# ---------------------------------------------------------------- what was ordered


def _nobody_ordered(books: ProofBooks) -> str:
    rows = books.at_portone(books.merchant_uid).payments
    has = "PortOne has no payment of it" if not rows else f"PortOne has {len(rows)} of it: {_rows(rows)}"
    parsed = parse_cycle_merchant_uid(books.merchant_uid)
    if parsed is not None and books.subscription is not None:
        return f"{books.merchant_uid} is a number of period {parsed[1]} of {parsed[0]}, never opened here; {has}."
    return f"Nobody here ordered {books.merchant_uid}; {has}."


def _belongs(charge: Charge, record: SubscriptionRecord | None) -> str:
    whose = f" of {record.customer_uid}" if record is not None else ""
    number = charge.merchant_uid
    if charge.kind is ChargeKind.KEY_IN:
        return f"{number} is a one-time payment of {charge.amount}."
    if charge.kind is ChargeKind.CHANGE:
        return f"{number} is what a change of plan charged, {charge.amount}, in life {charge.subscription_id}{whose}."
    period = f"period {charge.cycle} of life {charge.subscription_id}{whose}"
    return f"{number} belongs to {period}, ordered for {charge.amount}."


# ---------------------------------------------------------------- what became of it


def _decisive(books: ProofBooks, charge: Charge) -> tuple[ProofOutcome, str]:
    there = books.at_portone(charge.merchant_uid)
    if there.holding:
        row = there.holding[0]
        partly = Money(row.cancelled_amount, row.amount.currency)
        back = f", and {partly} of it went back" if row.cancelled_amount else ""
        one = f"{row.imp_uid}, {row.amount}, paid {_at(row.paid_at)}{back}"
        by = f"PortOne holds the money of exactly one payment: {one}."
        if charge.state in UNDECIDED:
            return ProofOutcome.OPEN, f"{by} The ledger has not booked it yet: it is {charge.state} here."
        return ProofOutcome.PAID_ONCE, by
    if there.returned:
        row = there.returned[0]
        how = ", ".join(each.refund_id for each in books.refunds if each.state is RefundState.REFUNDED)
        went = f"by {how}" if how else "and not from here"
        return (
            ProofOutcome.GIVEN_BACK,
            f"{row.imp_uid} took {row.amount} {_at(row.paid_at)}, and all went back, {went}.",
        )
    if _is_open(charge, there):
        return ProofOutcome.OPEN, f"Nobody knows yet: {_why_empty(charge, there)}."
    return ProofOutcome.NOT_PAID, f"Nothing was paid: {_why_empty(charge, there)}."


def _is_open(charge: Charge, there: OrderAtPortOne) -> bool:
    """Whether the order may still turn out to be paid, by a call that was sent or by a schedule that stands."""
    if there.unfinished or charge.state in {CycleState.UNKNOWN, CycleState.VERIFYING}:
        return True
    stands = there.schedule is not None and there.schedule.status == "scheduled"
    return charge.state in UNDECIDED and (charge.sends > 0 or stands)


def _why_empty(charge: Charge, there: OrderAtPortOne) -> str:
    """Why an order holds no money, as one clause."""
    if there.returned:
        return "what was paid went back"
    if there.unfinished:
        return f"PortOne calls {there.unfinished[0].imp_uid} {there.unfinished[0].status}"
    if there.declined:
        instants = [row.failed_at for row in there.declined if row.failed_at is not None]
        return f"declined {_times(len(there.declined))}, the last time {_at(max(instants, default=None))}"
    if there.schedule is not None:
        stands = {"scheduled": f"scheduled {_at(there.schedule.schedule_at)}", "revoked": "its schedule is revoked"}
        return stands.get(there.schedule.status, f"its schedule is {there.schedule.status}, and shows no payment")
    if charge.sends > 0:
        return f"sent {_times(charge.sends)}, the last time {_at(charge.sent_at)}, and PortOne has no payment"
    return "never sent"


# ---------------------------------------------------------------- why it is the only one


def _others(books: ProofBooks) -> tuple[str, ...]:
    if books.charge is None or books.charge.period is None:
        return ()
    if not books.siblings:
        return ("That period has no other order number.",)
    found = [(each, books.at_portone(each.merchant_uid)) for each in books.siblings]
    clauses = [f"{each.merchant_uid} {_holds(there) or _why_empty(each, there)}" for each, there in found]
    if any(there.holding for _, there in found):
        return (f"The other order numbers of that period: {'; '.join(clauses)}.",)
    return (f"No other order number of that period holds money: {'; '.join(clauses)}.",)


def _holds(there: OrderAtPortOne) -> str:
    return f"holds {_rows(there.holding)}" if there.holding else ""


def _no_strangers(books: ProofBooks) -> str:
    rows = books.strangers or ()
    if not rows:
        return "Nobody else has charged the same key since."
    return f"Under order numbers that nobody here knows, the same key has paid since: {_rows(rows)}."


def _against(books: ProofBooks) -> tuple[str, ...]:
    """What stands against there being one charge, and against both sides telling the same of it."""
    charge = books.charge
    if charge is None:
        return ()
    there = books.at_portone(charge.merchant_uid)
    found = []
    if len(there.holding) > 1:
        found.append(f"PortOne holds money of {len(there.holding)} payments for it: {_rows(there.holding)}.")
    twins = [each.merchant_uid for each in books.siblings if books.at_portone(each.merchant_uid).holding]
    if there.holding and twins:
        found.append(f"The same period holds money under {len(twins)} other order numbers: {', '.join(twins)}.")
    if len(there.holding) == 1:
        found += _held_otherwise(books, charge, there.holding[0])
    if not there.holding and charge.state in BOOKED:
        found.append(f"The ledger says {charge.state}, by {charge.imp_uid}, and PortOne holds no money of it.")
    return tuple(found)


def _held_otherwise(books: ProofBooks, charge: Charge, row: PaymentFact) -> list[str]:
    found = []
    if charge.state not in BOOKED and charge.state not in UNDECIDED:
        found.append(f"PortOne holds {row.amount} by {row.imp_uid}, and the ledger says {charge.state}.")
    if charge.state in BOOKED and charge.imp_uid != row.imp_uid:
        found.append(f"PortOne holds money by {row.imp_uid}, and the ledger has booked {charge.imp_uid}.")
    if row.amount != charge.amount:
        found.append(f"{row.amount} were taken, and {charge.amount} were ordered.")
    same = [each for each in books.strangers or () if each.amount == row.amount]
    if same and charge.period is not None:
        found.append(f"The same key paid the same amount for somebody else's order: {_rows(same)}.")
    return found


# ---------------------------------------------------------------- words


def _rows(rows: tuple[PaymentFact, ...] | list[PaymentFact]) -> str:
    return ", ".join(
        f"{row.imp_uid} ({row.merchant_uid}, {row.amount}, {row.status} {_at(row.paid_at or row.failed_at)})"
        for row in rows
    )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _at(instant: datetime | None) -> str:
    return f"at {instant:%Y-%m-%d %H:%M:%S} UTC" if instant is not None else "at an instant that PortOne does not say"
