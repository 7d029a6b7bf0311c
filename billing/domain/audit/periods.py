"""Periods: each has exactly one fate, in its turn and on its day, and none is due that no list shows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from billing.domain.audit.books import Books, Charge, ExpectedPeriod, Period
from billing.domain.audit.invariant import Leeways, Violation
from billing.domain.overdue import due_by
from billing.domain.records import SubscriptionRecord
from billing.domain.states import ENDED, CycleState

_C = CycleState

UNDECIDED = frozenset({_C.PLANNED, _C.GATED, _C.REGISTERING, _C.REGISTERED, _C.DUE, _C.VERIFYING, _C.UNKNOWN})
"""States of a charge whose outcome is still to come."""

PAYS = frozenset({_C.PAID, _C.LATE_PAID, _C.REOPENED, _C.MISMATCH})
"""States of a charge whose money pays for its period, or may."""


def nothing_due_is_unlisted(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """No subscription should have moved by now, and stands in no list that says why it did not."""
    for record in books.ledger.subscriptions:
        due, now = due_by(record), books.now_for(record)
        if due is None or now - due <= leeways.overdue or _stands_parked(books, record):
            continue
        yield _about(
            record,
            f"period {record.cycle} should have moved by {due:%Y-%m-%d %H:%M:%S}, and stands {record.cycle_state}",
        )


def every_period_has_one_fate(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """Every period that is over is paid once, or its charges stand in a state that says why not, or stand parked."""
    charged = _by_period(books.ledger.charges)
    for (life, cycle), charges in charged.items():
        paid = [each for each in charges if each.state in PAYS and each.state is not _C.MISMATCH]
        if len(paid) > 1:
            yield _of(charges, f"period {cycle} of {life} is booked as paid {len(paid)} times")
        record = books.lives.get(life)
        is_over = record is not None and (cycle < record.cycle or record.status in ENDED)
        listed = any(each.merchant_uid in books.parked_orders for each in charges)
        if is_over and not paid and not listed and all(each.state in UNDECIDED for each in charges):
            yield _of(charges, f"period {cycle} of {life} is over, and its charge is {charges[-1].state}")
    for expected in books.expected or ():
        yield from _meets(books, leeways, expected, charged.get((expected.subscription_id, expected.cycle), []))


def _meets(books: Books, leeways: Leeways, expected: ExpectedPeriod, charges: list[Charge]) -> Iterator[Violation]:
    record = books.lives.get(expected.subscription_id)
    life, cycle = expected.subscription_id, expected.cycle
    if record is None:
        yield Violation(sentence=f"{life} was started, and the ledger does not have it", subscription_id=life)
        return
    paid = [each for each in charges if each.state in PAYS]
    if expected.amount is None:
        if paid:
            yield _of(paid, f"period {cycle} of {life} is paid, and nothing was to be charged for it")
        return
    if books.now_for(record) - expected.due_at <= leeways.overdue:
        return
    # Behind a period that waits for a person nothing is ordered: it is that one which the list shows.
    waits = cycle > record.cycle and _stands_parked(books, record)
    if not charges and not waits:
        yield _about(record, f"period {cycle} was due at {expected.due_at:%Y-%m-%d %H:%M:%S}, and has no charge", cycle)
    for charge in paid:
        if charge.amount != expected.amount:
            yield _of([charge], f"period {cycle} of {life} was to take {expected.amount} and took {charge.amount}")


def periods_come_in_turn(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """Periods are paid in their order, none twice under two numbers, and on the day that was worked out apart."""
    lives: dict[str, list[Charge]] = defaultdict(list)
    for charge in books.ledger.charges:
        if charge.period is not None and charge.state is _C.PAID and charge.merchant_uid not in books.decided_orders:
            lives[charge.period[0]].append(charge)
    for life, charges in lives.items():
        in_turn = sorted(charges, key=lambda each: each.cycle or 0)
        for earlier, later in pairwise(in_turn):
            if earlier.paid_at is not None and later.paid_at is not None and later.paid_at < earlier.paid_at:
                yield _of([earlier, later], f"period {later.cycle} of {life} was paid before period {earlier.cycle}")
    for expected in books.expected or ():
        for charge in _by_period(books.ledger.charges).get((expected.subscription_id, expected.cycle), ()):
            if charge.due_at < expected.due_at - leeways.apart:
                yield _of(
                    [charge],
                    f"order {charge.merchant_uid} is due at {charge.due_at:%Y-%m-%d %H:%M:%S}, before its day, "
                    f"{expected.due_at:%Y-%m-%d %H:%M:%S}",
                )


def everything_rests_once_faults_end(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """A while after the last fault everything that is due has come to rest."""
    since = books.journal.quiet_since if books.journal else None
    if since is None:
        return
    for record in books.ledger.subscriptions:
        due, now = due_by(record), books.now_for(record)
        waited = due is not None and now - max(due, since) > leeways.recovery
        if waited and not _stands_parked(books, record):
            yield _about(record, f"period {record.cycle} has not come to rest {now - since} after the last fault")


# ---------------------------------------------------------------- parts


def _stands_parked(books: Books, record: SubscriptionRecord) -> bool:
    """Whether something of the open period waits for a person."""
    for item in books.ledger.parked:
        if item.closed_at is None and item.subscription_id == record.subscription_id:
            if item.merchant_uid == record.merchant_uid:
                return True
            if books.period_of(item.merchant_uid) == (record.subscription_id, record.cycle):
                return True
    return False


def _by_period(charges: Iterable[Charge]) -> dict[Period, list[Charge]]:
    found: dict[Period, list[Charge]] = defaultdict(list)
    for charge in charges:
        if charge.period is not None:
            found[charge.period].append(charge)
    return {period: sorted(each, key=lambda charge: charge.generation) for period, each in found.items()}


def _about(record: SubscriptionRecord, sentence: str, cycle: int | None = None) -> Violation:
    return Violation(
        sentence=f"{record.customer_uid}: {sentence}",
        customer_uid=record.customer_uid,
        subscription_id=record.subscription_id,
        cycle=cycle or record.cycle,
        merchant_uids=(record.merchant_uid,) if record.merchant_uid else (),
        workflow_id=record.workflow_id,
    )


def _of(charges: Iterable[Charge], sentence: str) -> Violation:
    charges = list(charges)
    return Violation(
        sentence=sentence,
        customer_uid=charges[0].customer_uid,
        subscription_id=charges[0].subscription_id,
        cycle=charges[0].cycle,
        merchant_uids=tuple(each.merchant_uid for each in charges),
        imp_uids=tuple(each.imp_uid for each in charges if each.imp_uid),
        workflow_id=charges[0].workflow_id,
    )
