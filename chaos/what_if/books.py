"""The money of one life, line by line: what was charged under which order number, when, and what went back."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.records import ChargeKind, RefundState, SubscriptionRecord
from billing.domain.refund_mark import mark_of
from billing.domain.refund_messages import RefundSettled
from billing.domain.states import ENDED, CycleState
from billing.domain.verdict import returned_amount
from chaos.machine.ledger import Ordered
from chaos.what_if.evidence import Evidence
from chaos.what_if.ledger import LedgerOfALife
from chaos.what_if.parting import TOGETHER
from chaos.what_if.recording import REFUND, Recording
from chaos.what_if.running import AFTER, Today

_PAID = ("paid", "cancelled")
_PAID_BY = {
    CycleState.PAID: "paid",
    CycleState.LATE_PAID: "paid late",
    CycleState.REOPENED: "paid, and given back elsewhere",
    CycleState.REFUNDED: "paid, and refunded",
    CycleState.MISMATCH: "paid, and not as ordered",
}
_OPEN = (CycleState.DECLINED, CycleState.UNKNOWN, CycleState.MISMATCH)
_PLANNED = "planned"

AtPortOne = tuple[list[PaymentFact], ScheduleFact | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One order number.

    Args:
        period: that it pays for, in words.
        merchant_uid: the order number.
        amount: what was ordered, or, once paid, what was paid.
        at: when it was paid, or else is due; None where nobody knows.
        outcome: what it comes to, as far as it is money.
        ledger: the ledger's own word for it.
        charged: what was paid under it, in minor units.
        returned: what of that went back, in minor units.
        declined: when it was declined.
    """

    period: str
    merchant_uid: str
    amount: Money
    at: datetime | None
    outcome: str
    ledger: str = ""
    charged: int = 0
    returned: int = 0
    declined: tuple[datetime, ...] = ()

    def is_as(self, other: "Line") -> bool:
        """Whether the money is the same, to the instant as far as that is the same day's work."""
        mine = (self.merchant_uid, self.amount, self.outcome, self.charged, self.returned)
        theirs = (other.merchant_uid, other.amount, other.outcome, other.charged, other.returned)
        return mine == theirs and _together((self.at, *self.declined), (other.at, *other.declined))


def _together(mine: Sequence[datetime | None], theirs: Sequence[datetime | None]) -> bool:
    """Whether these are the same instants, one by one."""
    return len(mine) == len(theirs) and all(
        one == other or (one is not None and other is not None and abs(one - other) <= TOGETHER)
        for one, other in zip(mine, theirs, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Books:
    """One life's money: its lines by order number, how the subscription stands, and what stands parked."""

    lines: Mapping[str, Line]
    status: str
    parked: frozenset[str]


def recorded_books(recording: Recording) -> Books:
    """What the recording says."""
    ledger, evidence, refunds = LedgerOfALife(), Evidence(recording), list[tuple[str, RefundSettled]]()
    for call in recording.calls:
        ledger.keep(call)
        if call.name == REFUND and isinstance(call.result, RefundSettled):
            refunds.append((call.args[0].merchant_uid, call.result))
    now = recording.end + AFTER
    made = {number: len(evidence.changes[number]) for number in {*evidence.orders(), *ledger.charges}}
    shown = {
        each: (evidence.payments(each, count, now), evidence.schedule(each, count, now)) for each, count in made.items()
    }
    return _books(ledger, shown, refunds, _own_marks(recording))


def todays_books(recording: Recording, today: Today) -> Books:
    """What today's code made of it."""
    return _books(today.ledger, today.at_portone, today.refunds, _own_marks(recording))


def _own_marks(recording: Recording) -> set[str]:
    return {call.args[0].refund_id for call in recording.calls if call.name == REFUND}


def _books(
    ledger: LedgerOfALife,
    shown: Mapping[str, AtPortOne],
    refunds: Sequence[tuple[str, RefundSettled]],
    marks: Collection[str],
) -> Books:
    record, given_back = ledger.subscription(), Counter[str]()
    own = {*marks, *(settled.refund_id for _, settled in refunds)}
    for number, settled in refunds:
        if settled.state is RefundState.REFUNDED and settled.amount is not None:
            given_back[number] += settled.amount.amount
    lines = (
        _line(number, ledger, payments, schedule, given_back[number] + _given_elsewhere(number, ledger, payments, own))
        for number, (payments, schedule) in shown.items()
    )
    parked = frozenset(f"{each.kind.value} {each.merchant_uid or ''}".strip() for each in ledger.open_parked())
    return Books(
        lines={line.merchant_uid: line for line in lines if line is not None},
        status=record.status.value if record is not None else "not begun",
        parked=parked,
    )


def _given_elsewhere(number: str, ledger: LedgerOfALife, payments: list[PaymentFact], own: Collection[str]) -> int:
    """What went back of an order, and not by a refund of the run itself: those are known by their marks."""
    newest: dict[str, PaymentFact] = {}
    for row in (*payments, *(row for row in ledger.payments.values() if row.merchant_uid == number)):
        if row.imp_uid not in newest or row.cancelled_amount > newest[row.imp_uid].cancelled_amount:
            newest[row.imp_uid] = row
    mine = sum(each.amount for row in newest.values() for each in row.cancellations if mark_of(each.reason) in own)
    return sum(map(returned_amount, newest.values())) - mine


def _line(
    number: str, ledger: LedgerOfALife, payments: list[PaymentFact], schedule: ScheduleFact | None, returned: int
) -> Line | None:
    ordered = ledger.charges.get(number)
    if ordered is None and schedule is None and not payments:
        return None
    paid = [row for row in payments if row.status in _PAID]
    stands = schedule if schedule is not None and schedule.status == "scheduled" else None
    record = ledger.subscription()
    outcome = _outcome(number, ordered, paid, stands, record)
    return Line(
        period=_period(number, ordered),
        merchant_uid=number,
        amount=_amount(ordered, paid, schedule),
        at=_at(number, outcome, paid, stands, record),
        outcome=outcome,
        ledger=ordered.state.value if ordered is not None else "nothing",
        charged=sum(row.amount.amount for row in paid),
        returned=returned,
        declined=tuple(sorted(row.failed_at for row in payments if row.failed_at is not None and row not in paid)),
    )


def _period(number: str, ordered: Ordered | None) -> str:
    cycle = ordered.intent.cycle if ordered is not None else None
    if ordered is not None and ordered.intent.kind is ChargeKind.CHANGE:
        return f"change in {cycle}" if cycle is not None else "change"
    parsed = parse_cycle_merchant_uid(number)
    cycle = parsed[1] if cycle is None and parsed is not None else cycle
    return f"period {cycle}" if cycle is not None else "other order"


def _amount(ordered: Ordered | None, paid: list[PaymentFact], schedule: ScheduleFact | None) -> Money:
    if paid:
        return Money(sum(row.amount.amount for row in paid), paid[0].amount.currency)
    if ordered is not None:
        return ordered.intent.amount
    return schedule.amount if schedule is not None else Money(0)


def _at(
    number: str,
    outcome: str,
    paid: list[PaymentFact],
    stands: ScheduleFact | None,
    record: SubscriptionRecord | None,
) -> datetime | None:
    if paid:
        return paid[0].paid_at
    if stands is not None:
        return stands.schedule_at
    is_next = record is not None and record.merchant_uid == number and outcome in (_PLANNED, CycleState.DECLINED)
    return record.next_charge_at if record is not None and is_next else None


def _outcome(
    number: str,
    ordered: Ordered | None,
    paid: list[PaymentFact],
    stands: ScheduleFact | None,
    record: SubscriptionRecord | None,
) -> str:
    """What an order comes to, as far as it is money: ways of not being charged are one and the same."""
    state = ordered.state if ordered is not None else None
    if paid:
        known = _PAID_BY.get(state) if state is not None else None
        return known or f"paid at PortOne, and the ledger says {state or 'nothing'}"
    if stands is not None:
        return "scheduled at PortOne"
    if state in _OPEN:
        return state.value
    living = record is not None and record.status not in ENDED and record.next_charge_at is not None
    return _PLANNED if living and record is not None and record.merchant_uid == number else "not charged"
