"""Everything that is known of one subscriber, as plain rows: what the invariants look at, whoever read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """A charge that was approved at PortOne, refunded or not."""

    imp_uid: str
    merchant_uid: str
    key: str
    amount: int
    refunded: int
    paid_at: datetime
    by_hand: bool = False
    """A person made it in the console, or moved it: it keeps to no day of ours."""

    @property
    def held(self) -> int:
        """What was not given back."""
        return self.amount - self.refunded


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as the ledger has it; `period` is None for what belongs to none."""

    merchant_uid: str
    kind: str
    key: str
    life: str | None
    period: int | None
    amount: int
    state: str
    imp_uid: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """A period as it ought to be, by the harness's own calendar: when, and how much."""

    life: str
    period: int
    at: datetime
    amount: int


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a subscriber: `ended_at` as it was confirmed to the caller, or as the ledger says."""

    life: str
    status: str
    open_period: int | None
    ended_at: datetime | None
    may_end: bool = True
    """Whether somebody asked for its end, or may have."""
    left_key: tuple[tuple[str, datetime], ...] = ()
    """Keys that were replaced, and when that was confirmed."""


@dataclass(frozen=True, slots=True)
class ToldOfCharge:
    """What a command's answer said about the charge that it met."""

    at: datetime
    command: str
    charge: str
    merchant_uid: str
    imp_uid: str | None = None
    void_from: datetime | None = None
    """From then on a later command has planned that order anew."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a list that a person reads says: of an order, or, without one, of the subscriber."""

    where: str
    kind: str
    merchant_uid: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """The history of a workflow id, all of its runs together."""

    workflow_id: str
    events: int
    days: float
    failing_attempt: int
    commands: int = 0
    faults: int = 0
    for_good: int = 0
    """How many of the faults are never over by themselves: each is met by a whole ladder of sendings and looks."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One command: whether it was answered, and whether something was broken at that time."""

    does: str
    status: int | None
    in_trouble: bool


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is known of one subscriber, from all books."""

    customer_uid: str
    now: datetime
    payments: Sequence[Payment] = ()
    charges: Sequence[Charge] = ()
    due: Sequence[Due] = ()
    lives: Sequence[Life] = ()
    told: Sequence[ToldOfCharge] = ()
    named: Sequence[Named] = ()
    foreign: Sequence[Named] = ()
    """What was announced as done by somebody else."""
    runs: Sequence[Run] = ()
    asked: Sequence[Asked] = ()
    touched: frozenset[str] = frozenset()
    """Orders on which a person acted in PortOne's console."""

    def is_named(self, merchant_uid: str) -> bool:
        """Whether a list names this order."""
        return any(each.merchant_uid == merchant_uid for each in self.named)

    def numbers_of(self, life: str, period: int) -> set[str]:
        """Every order number of a period."""
        return {row.merchant_uid for row in self.charges if (row.life, row.period) == (life, period)}

    def charge_of(self, merchant_uid: str) -> Charge | None:
        """The ledger's row of an order number."""
        return next((row for row in self.charges if row.merchant_uid == merchant_uid), None)
