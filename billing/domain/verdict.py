"""The only judge of whether a period is paid.

A webhook is a reason to look; an answer is a hint; what PortOne's look-ups say is weighed here, in one pure function.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.money import Money


@dataclass(frozen=True, slots=True)
class Expected:
    """What was ordered; `customer_uid` is None where no billing key is charged."""

    merchant_uid: str
    amount: Money
    customer_uid: str | None = None


class Finding(StrEnum):
    """What the look-ups prove."""

    PAID = "paid"
    DECLINED = "declined"
    PENDING = "pending"
    REVOKED = "revoked"
    ABSENT = "absent"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding, the row it rests on, and the reason in words a person can act on."""

    finding: Finding
    payment: PaymentFact | None = None
    reason: str | None = None
    mismatches: tuple[str, ...] = ()


def judge(
    expected: Expected,
    payments: Sequence[PaymentFact],
    schedule: ScheduleFact | None = None,
    reported: PaymentFact | None = None,
    known_failures: Collection[str] = (),
) -> Verdict:
    """Weigh every row PortOne has for an order number against what was ordered.

    Args:
        expected: What was ordered.
        payments: All rows of GET /payments/findAll/{merchant_uid}, in any order.
        schedule: The row of GET /subscribe/payments/schedule/{merchant_uid}, when it was looked up and is there.
        reported: The row of the imp_uid that a webhook named, when it was looked up and is there.
        known_failures: The imp_uids already booked as declined, which say nothing new.
    """
    if reported is not None and reported.merchant_uid != expected.merchant_uid:
        return Verdict(Finding.MISMATCH, reported, "the reported payment is of another order", ("merchant_uid",))
    rows = {row.imp_uid: row for row in payments}
    if reported is not None:
        rows.setdefault(reported.imp_uid, reported)
    return (
        _of_paid_rows(expected, [row for row in rows.values() if row.status == "paid"])
        or _of_cancelled_rows([row for row in rows.values() if row.status == "cancelled"])
        or _of_failed_rows([row for row in rows.values() if row.status == "failed"], schedule, known_failures)
        or _of_open_rows(list(rows.values()), schedule)
    )


def _of_paid_rows(expected: Expected, paid: Sequence[PaymentFact]) -> Verdict | None:
    if not paid:
        return None
    if len(paid) > 1:
        ids = ", ".join(sorted(row.imp_uid for row in paid))
        return Verdict(Finding.MISMATCH, paid[0], f"paid more than once: {ids}", ("count",))
    wrong = _differences(expected, paid[0])
    if wrong:
        return Verdict(Finding.MISMATCH, paid[0], f"paid, but not as ordered: {', '.join(wrong)}", wrong)
    return Verdict(Finding.PAID, paid[0])


def _of_cancelled_rows(cancelled: Sequence[PaymentFact]) -> Verdict | None:
    if not cancelled:
        return None
    return Verdict(Finding.MISMATCH, cancelled[0], "paid and refunded elsewhere", ("status",))


def _of_failed_rows(
    failed: Sequence[PaymentFact], schedule: ScheduleFact | None, known_failures: Collection[str]
) -> Verdict | None:
    fresh = [row for row in failed if row.imp_uid not in known_failures]
    if fresh:
        newest = max(fresh, key=lambda row: row.failed_at.timestamp() if row.failed_at else 0.0)
        return Verdict(Finding.DECLINED, newest, newest.fail_reason)
    if schedule is None or schedule.status != "executed" or schedule.payment_status != "failed":
        return None
    if schedule.imp_uid is not None and schedule.imp_uid in known_failures:
        return None
    return Verdict(Finding.DECLINED, None, schedule.fail_reason)


def _of_open_rows(rows: Sequence[PaymentFact], schedule: ScheduleFact | None) -> Verdict:
    if schedule is not None and schedule.status == "revoked":
        return Verdict(Finding.REVOKED, None, "the schedule is revoked")
    if schedule is not None and schedule.status == "scheduled":
        return Verdict(Finding.PENDING, None, "PortOne has not run the schedule yet")
    if any(row.status not in {"paid", "cancelled", "failed"} for row in rows):
        return Verdict(Finding.PENDING, None, "PortOne has not finished the payment")
    return Verdict(Finding.ABSENT, None, "PortOne knows of no new payment")


def _differences(expected: Expected, row: PaymentFact) -> tuple[str, ...]:
    pairs = (
        ("merchant_uid", expected.merchant_uid, row.merchant_uid),
        ("amount", expected.amount.amount, row.amount.amount),
        ("currency", expected.amount.currency, row.amount.currency),
    )
    wrong = [name for name, ordered, found in pairs if ordered != found]
    if expected.customer_uid is not None and row.customer_uid != expected.customer_uid:
        wrong.append("customer_uid")
    if row.cancelled_amount:
        wrong.append("cancelled_amount")
    return tuple(wrong)
