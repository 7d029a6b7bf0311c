"""After an end: nothing is charged that was called stopped and kept, by us or by anybody, and nothing stands."""

from collections.abc import Iterator
from datetime import datetime

from billing.domain.audit.books import Books
from billing.domain.audit.invariant import Leeways, Violation
from billing.domain.facts import PaymentFact
from billing.domain.records import SubscriptionRecord
from billing.domain.states import ENDED, SubscriptionStatus
from billing.domain.verdict import net_amount


def nothing_charged_after_a_cancel(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """No order of a subscription is charged after it was told to have ended, and kept.

    Told is what the row says, and earlier than that what the answer to a cancel said.
    """
    told = {each.subscription_id: each.ended_at for each in books.ledger.subscriptions if each.ended_at is not None}
    for operation in books.journal.operations if books.journal else ():
        if operation.acknowledged and operation.stopped and operation.subscription_id is not None:
            told[operation.subscription_id] = min(operation.at, told.get(operation.subscription_id, operation.at))
    for row in books.held():
        life = books.life_of(row.merchant_uid)
        ended_at = told.get(life or "")
        if ended_at is not None and _is_kept_after(books, leeways, row, ended_at):
            yield _kept(row, life, f"its subscription had ended at {ended_at:%Y-%m-%d %H:%M:%S}")


def nothing_charged_on_an_ended_key(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """Nobody charges a key after its last subscription has ended, whatever the order number, and keeps it.

    One that was refused or declined at its start was none: the key is whose it was before.
    """
    ended = _ended_keys(books)
    for row in books.held():
        ended_at = ended.get(row.customer_uid or "")
        if ended_at is not None and _is_kept_after(books, leeways, row, ended_at):
            yield _kept(row, None, f"its key {row.customer_uid} had ended at {ended_at:%Y-%m-%d %H:%M:%S}")


def nothing_stands_after_an_end(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """Nothing of a subscription that has ended is left scheduled at PortOne, which would charge it by itself.

    What stands on a key that was deleted is said by another sentence: PortOne does not tell what becomes of it.
    """
    deleted = {key.customer_uid for key in books.ledger.keys if key.deleted}
    for row in books.provider.schedules if books.provider else ():
        life = books.life_of(row.merchant_uid)
        record = books.lives.get(life or "")
        if record is None or record.ended_at is None or row.status != "scheduled" or row.customer_uid in deleted:
            continue
        is_young = books.now_for(record) - record.ended_at < leeways.settle
        if not is_young and row.merchant_uid not in books.parked_orders:
            yield Violation(
                sentence=f"order {row.merchant_uid} stands for {row.schedule_at:%Y-%m-%d %H:%M:%S}, and its "
                f"subscription had ended at {record.ended_at:%Y-%m-%d %H:%M:%S}",
                subscription_id=life,
                customer_uid=row.customer_uid,
                merchant_uids=(row.merchant_uid,),
            )


def _ended_keys(books: Books) -> dict[str, datetime]:
    """Since when each key is charged for nobody: the end of its last subscription, where none lives on it."""
    owners: dict[str, list[SubscriptionRecord]] = {}
    for life, keys in books.keys_of.items():
        if (record := books.lives.get(life)) is not None and record.status is not SubscriptionStatus.INCOMPLETE_EXPIRED:
            for key in keys:
                owners.setdefault(key, []).append(record)
    ended = {}
    for key, records in owners.items():
        ends = [each.ended_at for each in records if each.status in ENDED and each.ended_at is not None]
        if len(ends) == len(records):
            ended[key] = max(ends)
    return ended


def _is_kept_after(books: Books, leeways: Leeways, row: PaymentFact, ended_at: datetime) -> bool:
    """Whether money came after an end and is still there, although it was time to give it back or to ask a person."""
    if row.paid_at is None or row.paid_at <= ended_at + leeways.apart or net_amount(row) == 0:
        return False
    is_young = books.now_for_payment(row) - row.paid_at < leeways.settle
    return not (is_young or row.merchant_uid in books.parked_orders or row.merchant_uid in books.decided_orders)


def _kept(row: PaymentFact, life: str | None, why: str) -> Violation:
    return Violation(
        sentence=f"{row.imp_uid} of order {row.merchant_uid} took {row.amount} at {row.paid_at:%Y-%m-%d %H:%M:%S}, "
        f"and it is held: {why}",
        subscription_id=life,
        customer_uid=row.customer_uid,
        merchant_uids=(row.merchant_uid,),
        imp_uids=(row.imp_uid,),
    )
