"""Attempts and keys: a card is not hammered, and only the key that a subscription holds is charged for it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from billing.domain.audit.books import Books, Period
from billing.domain.audit.invariant import Leeways, Violation
from billing.domain.dunning import MAX_ATTEMPTS, WINDOW_DAYS
from billing.domain.facts import PaymentFact
from billing.domain.verdict import net_amount

_WINDOW = timedelta(days=WINDOW_DAYS)


def cards_are_not_hammered(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """A card is tried no more often than its scheme allows, no more than its policy says, and never after it paid."""
    failed: dict[str, list[datetime]] = defaultdict(list)
    by_period: dict[Period, list[PaymentFact]] = defaultdict(list)
    for row in books.their_payments.values():
        period = books.period_of(row.merchant_uid)
        if period is None:
            continue
        by_period[period].append(row)
        if row.status == "failed" and row.failed_at is not None and row.customer_uid is not None:
            failed[row.customer_uid].append(row.failed_at)
    for key, instants in failed.items():
        yield from _too_many(key, sorted(instants))
    for period, rows in by_period.items():
        yield from _after_it_was_paid(books, leeways, period, rows)
        yield from _beyond_the_policy(books, period, rows)


def _too_many(key: str, instants: list[datetime]) -> Iterator[Violation]:
    for last, at in enumerate(instants):
        first = bisect_left(instants, at - _WINDOW)
        if last - first + 1 > MAX_ATTEMPTS:
            yield Violation(
                sentence=f"key {key} was declined {last - first + 1} times in {WINDOW_DAYS} days until {at:%Y-%m-%d}",
                customer_uid=key,
            )
            return


def _after_it_was_paid(books: Books, leeways: Leeways, period: Period, rows: list[PaymentFact]) -> Iterator[Violation]:
    paid_at = books.paid_instants.get(period)
    for row in rows:
        if paid_at is not None and row.failed_at is not None and row.failed_at > paid_at + leeways.apart:
            yield _about(row, period, f"it was tried at {row.failed_at:%Y-%m-%d %H:%M:%S} and had been paid before")


def _beyond_the_policy(books: Books, period: Period, rows: list[PaymentFact]) -> Iterator[Violation]:
    """Attempts that nobody asked for by hand, counted only where it is known what was asked for by hand."""
    record = books.lives.get(period[0])
    policy = record.life.dunning_policy if record is not None else None
    if books.journal is None or record is None or policy is None:
        return
    by_hand = sum(
        each.customer_uid == record.customer_uid and each.name in {"retry", "payment-method", "decide", "resume"}
        for each in books.journal.operations
    )
    declined = [row for row in rows if row.status == "failed"]
    if len(declined) > 1 + len(policy.after_days) + by_hand:
        yield _about(declined[-1], period, f"it was declined {len(declined)} times, {by_hand} of them by hand at most")


def only_the_held_key_is_charged(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """An order is charged to the key that it was ordered from, and a deleted key is charged, and scheduled, no more."""
    for charge in books.ledger.charges:
        row = books.their_payments.get(charge.imp_uid or "")
        differs = row is not None and charge.customer_uid is not None and row.customer_uid != charge.customer_uid
        if row is not None and differs and net_amount(row) and charge.merchant_uid not in books.decided_orders:
            yield _about(
                row, charge.period, f"key {row.customer_uid} paid, and it was ordered from {charge.customer_uid}"
            )
    deleted = {key.customer_uid: key for key in books.ledger.keys if key.deleted}
    for row in books.held():
        key = deleted.get(row.customer_uid or "")
        if key is None or key.deleted_at is None or row.paid_at is None:
            continue
        if row.paid_at > key.deleted_at + leeways.apart:
            yield _about(row, books.period_of(row.merchant_uid), f"key {key.customer_uid} had been deleted before")
    for schedule in books.provider.schedules if books.provider else ():
        if schedule.status == "scheduled" and schedule.customer_uid in deleted and books.is_ours(schedule.merchant_uid):
            yield Violation(
                sentence=f"order {schedule.merchant_uid} stands on key {schedule.customer_uid}, which was deleted",
                customer_uid=schedule.customer_uid,
                merchant_uids=(schedule.merchant_uid,),
            )


def _about(row: PaymentFact, period: Period | None, why: str) -> Violation:
    return Violation(
        sentence=f"{row.imp_uid} of order {row.merchant_uid}: {why}",
        customer_uid=row.customer_uid,
        subscription_id=period[0] if period else None,
        cycle=period[1] if period else None,
        merchant_uids=(row.merchant_uid,),
        imp_uids=(row.imp_uid,),
    )
