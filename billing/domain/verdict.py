"""The one judge of payments: whether an order is paid, as ordered, and how much of it is still held.

A webhook is never evidence. What is judged are rows that were looked up (design section 3, *verifying*).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.money import Money

_NOTHING_NEW = "PortOne knows of no new payment"
_FIRST = datetime.min.replace(tzinfo=UTC)
# The order in which one row can change: an older look-up of it is outdated by a later one, never the reverse.
_AGE = {"ready": 0, "failed": 1, "paid": 2, "cancelled": 3}


class Finding(StrEnum):
    """What the rows prove.

    Only PAID may be booked as paid. PENDING: PortOne will act, or is acting, by itself; wait. REVOKED: it never will,
    unless asked again. ABSENT: nothing new is known; after a quiet window that is proof of absence. MISMATCH: money
    moved, but not as agreed; a person must look.
    """

    PAID = "paid"
    DECLINED = "declined"
    PENDING = "pending"
    REVOKED = "revoked"
    ABSENT = "absent"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class Expected:
    """What was agreed: the order number, the exact amount, and the billing key (None: not compared)."""

    merchant_uid: str
    amount: Money
    customer_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding and what it rests on.

    Args:
        finding: what is proved.
        payment: the row that proves it, where one row does; a failure that only the schedule shows becomes a row.
        reason: for people; the PG's words of a decline.
        mismatches: the fields that differ (`merchant_uid`, `status`, `amount`, `currency`, `customer_uid`,
            `cancelled_amount`), `payments` for more than one row that holds money, `schedule` for a foreign schedule.
        schedule: the schedule row that was looked up with it, where one was.
        moved: every row of the order by which money moved, whichever of them proves the finding.
    """

    finding: Finding
    payment: PaymentFact | None = None
    reason: str | None = None
    mismatches: tuple[str, ...] = ()
    schedule: ScheduleFact | None = None
    moved: tuple[PaymentFact, ...] = ()

    @property
    def own_payment(self) -> PaymentFact | None:
        """The payment that proves it, where it is one of this order."""
        foreign = "merchant_uid" in self.mismatches and self.payment not in self.moved
        return None if foreign else self.payment

    @property
    def rows(self) -> tuple[PaymentFact, ...]:
        """What is written down of it: every row by which money moved, else the one that proves the finding.

        A row that names another order is evidence of nothing but a wrong answer: it is written under neither.
        """
        if self.moved or self.own_payment is None:
            return self.moved
        return (self.own_payment,)


def judge(
    expected: Expected,
    payments: Sequence[PaymentFact],
    schedule: ScheduleFact | None = None,
    reported: PaymentFact | None = None,
    known_failures: Collection[str] = (),
) -> Verdict:
    """What the rows prove about one order; certain about money first, then about what PortOne may still do.

    In this order: a reported paid row of another order, more than one row that holds money, one that differs, or
    money that went back: MISMATCH. One paid row, equal in amount, currency, merchant_uid and customer_uid: PAID.
    A row in progress, or of a status unknown here: PENDING, even beside a new failure, because it may still be
    approved. A failure not yet booked: DECLINED. Then the schedule: PENDING while PortOne will execute it or has not
    shown its payment yet, REVOKED. Else ABSENT.

    Args:
        expected: what was agreed.
        payments: every row that PortOne has for the order number.
        schedule: its schedule row; None when there is none or it was not looked up.
        reported: the row of the imp_uid that a webhook named; None when not looked up or not found. It counts as one
            of the rows, because the list by order number may lag behind.
        known_failures: imp_uids already booked as declined.
    """
    if reported is not None and reported.merchant_uid != expected.merchant_uid:
        if net_amount(reported):
            reason = f"the reported payment {reported.imp_uid} belongs to another order"
            return Verdict(Finding.MISMATCH, reported, reason, ("merchant_uid",))
        reported = None
    rows = _newest_of_each([*payments, *([reported] if reported is not None else [])])
    return (
        _about_money(expected, rows)
        or _about_attempts(expected, rows, known_failures)
        or _about_schedule(expected, schedule, known_failures)
    )


# ---------------------------------------------------------------- what is still held of a payment, and what went back


def net_amount(row: PaymentFact) -> int:
    """What PortOne holds by a payment, in minor units: what of it was not given back.

    PortOne calls a partly refunded payment `cancelled` too; one that is, without an amount, went back whole.
    """
    if 0 < row.cancelled_amount < row.amount.amount:
        return row.amount.amount - row.cancelled_amount
    return row.amount.amount if row.status == "paid" and row.cancelled_amount <= 0 else 0


def returned_amount(row: PaymentFact) -> int:
    """What went back to the customer, in minor units; without an amount a cancelled payment went back whole."""
    return row.cancelled_amount or (row.amount.amount if row.status == "cancelled" else 0)


def is_as_ordered(expected: Expected, row: PaymentFact) -> bool:
    """Whether a payment is what was agreed: paid, order, amount, currency and key, and nothing of it went back."""
    return not _differences(expected, row)


def the_one_to_keep(expected: Expected, rows: Sequence[PaymentFact]) -> PaymentFact | None:
    """The payment that counts where a person says paid: one as ordered, else the oldest that holds money.

    Where none holds any, the newest that was paid once; None where none was.
    """
    holding = sorted((row for row in rows if net_amount(row)), key=lambda row: (row.paid_at or _FIRST, row.imp_uid))
    exact = [row for row in holding if is_as_ordered(expected, row)]
    returned = [row for row in rows if row.status == "cancelled"]
    return next(iter([*exact, *holding, *returned[-1:]]), None)


def has_come_as_far(row: PaymentFact, status: str) -> bool:
    """Whether a row stands at this status, or has been there: a look that lags behind has not come as far."""
    return _AGE.get(row.status, 0) >= _AGE.get(status, 0)


# ---------------------------------------------------------------- the rows of one order together


def _newest_of_each(rows: Iterable[PaymentFact]) -> list[PaymentFact]:
    newest: dict[str, list[PaymentFact]] = {}
    for row in rows:
        seen = newest.setdefault(row.imp_uid, [])
        age = _AGE.get(row.status, 0)
        if not seen or age > _AGE.get(seen[0].status, 0):
            newest[row.imp_uid] = [row]
        elif age == _AGE.get(seen[0].status, 0) and row not in seen:
            seen.append(row)
    return [row for versions in newest.values() for row in versions]


def _differences(expected: Expected, row: PaymentFact) -> tuple[str, ...]:
    pairs = {
        "merchant_uid": (expected.merchant_uid, row.merchant_uid),
        "status": ("paid", row.status),
        "amount": (expected.amount.amount, row.amount.amount),
        "currency": (expected.amount.currency, row.amount.currency),
        "customer_uid": (expected.customer_uid or row.customer_uid, row.customer_uid),
        "cancelled_amount": (0, row.cancelled_amount),
    }
    return tuple(name for name, (wanted, found) in pairs.items() if wanted != found)


def _about_money(expected: Expected, rows: Sequence[PaymentFact]) -> Verdict | None:
    found = [row for row in rows if net_amount(row) or row.status in {"paid", "cancelled"}]
    holding = [row for row in found if net_amount(row)]
    moved = tuple(row for row in found if row.merchant_uid == expected.merchant_uid)
    if not found:
        return None
    if not holding:
        which = f": {_told(found)}" if len(found) > 1 else ""
        fields = ("status", *(() if moved else ("merchant_uid",)))
        return Verdict(Finding.MISMATCH, found[0], f"refunded elsewhere{which}", fields, moved=moved)
    differing = [row for row in holding if _differences(expected, row)]
    fields = tuple(dict.fromkeys(name for row in differing for name in _differences(expected, row)))
    if len({row.imp_uid for row in holding}) > 1:
        first = (differing or holding)[0]
        reason = f"paid more than once: {_told(found)}"
        return Verdict(Finding.MISMATCH, first, reason, ("payments", *fields), moved=moved)
    if differing:
        row = differing[0]
        back = Money(row.cancelled_amount, row.amount.currency)
        partly = f"partly refunded elsewhere ({back}), " if "cancelled_amount" in fields else ""
        others = [each for each in found if each.imp_uid != row.imp_uid]
        beside = f", beside {_told(others)}" if others else ""
        reason = f"{partly}differs in {', '.join(fields)}{beside}"
        return Verdict(Finding.MISMATCH, row, reason, fields, moved=moved)
    return Verdict(Finding.PAID, holding[0], moved=moved)


def _told(rows: Sequence[PaymentFact]) -> str:
    """Each payment, with what of it went back: another reason as soon as any of them changes."""
    return ", ".join({row.imp_uid: f"{row.imp_uid}{_back(row)}" for row in rows}.values())


def _back(row: PaymentFact) -> str:
    return f" ({Money(row.cancelled_amount, row.amount.currency)} went back)" if row.cancelled_amount else ""


def _about_attempts(expected: Expected, rows: Sequence[PaymentFact], known_failures: Collection[str]) -> Verdict | None:
    own = [row for row in rows if row.merchant_uid == expected.merchant_uid]
    in_progress = [row for row in own if row.status != "failed"]
    if in_progress:
        row = in_progress[0]
        return Verdict(Finding.PENDING, row, f"{row.imp_uid} is {row.status}")
    new = [row for row in own if row.imp_uid not in known_failures]
    if new:
        latest = max(new, key=lambda row: row.failed_at or _FIRST)
        return Verdict(Finding.DECLINED, latest, latest.fail_reason)
    return None


def _about_schedule(expected: Expected, schedule: ScheduleFact | None, known_failures: Collection[str]) -> Verdict:
    if schedule is None:
        return Verdict(Finding.ABSENT, None, _NOTHING_NEW)
    if schedule.merchant_uid != expected.merchant_uid:
        return Verdict(Finding.MISMATCH, None, "the schedule belongs to another order", ("schedule",))
    match schedule.status, schedule.payment_status:
        case "revoked", _:
            return Verdict(Finding.REVOKED, None, "the schedule is revoked")
        case "executed", "failed":
            return _about_failed_schedule(schedule, known_failures)
        case "executed", "cancelled":
            return Verdict(Finding.MISMATCH, None, "refunded elsewhere", ("status",))
        case _:
            return Verdict(Finding.PENDING, None, f"the schedule is {schedule.status}")


def _about_failed_schedule(schedule: ScheduleFact, known_failures: Collection[str]) -> Verdict:
    if schedule.imp_uid is None:
        # Such a failure cannot be told from one already booked: it is new only if none was.
        if known_failures:
            return Verdict(Finding.ABSENT, None, _NOTHING_NEW)
        return Verdict(Finding.DECLINED, None, schedule.fail_reason)
    if schedule.imp_uid in known_failures:
        return Verdict(Finding.ABSENT, None, _NOTHING_NEW)
    # The list may lag behind the schedule; the caller needs the imp_uid, to know this failure the next time.
    row = PaymentFact(
        imp_uid=schedule.imp_uid,
        merchant_uid=schedule.merchant_uid,
        status="failed",
        amount=schedule.amount,
        customer_uid=schedule.customer_uid,
        fail_reason=schedule.fail_reason,
    )
    return Verdict(Finding.DECLINED, row, schedule.fail_reason)
