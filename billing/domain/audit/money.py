"""Money: charged at most once, as ordered, as both sides have it, and given back at most once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from billing.domain.audit.books import Books, Charge, Period
from billing.domain.audit.invariant import Leeways, Violation
from billing.domain.both_sides import BOOKED
from billing.domain.facts import PaymentFact
from billing.domain.parked import ParkedKind
from billing.domain.records import RefundState
from billing.domain.refund_mark import mark_of
from billing.domain.states import CycleState
from billing.domain.verdict import net_amount, returned_amount


def paid_at_most_once(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """Each period, and each order, holds money of one payment at most."""
    for period, rows in _held_by_period(books).items():
        yield from _twice(books, leeways, period, rows)
    by_order: dict[str, list[PaymentFact]] = defaultdict(list)
    for row in books.held():
        if books.is_ours(row.merchant_uid) and books.period_of(row.merchant_uid) is None:
            by_order[row.merchant_uid].append(row)
    for number, rows in by_order.items():
        if len(rows) > 1 and number not in books.parked_orders:
            yield Violation(
                sentence=f"order {number} holds money of {len(rows)} payments",
                merchant_uids=(number,),
                imp_uids=_imp_uids(rows),
            )


def _twice(books: Books, leeways: Leeways, period: Period, rows: list[PaymentFact]) -> Iterator[Violation]:
    numbers = tuple(dict.fromkeys(row.merchant_uid for row in rows))
    excused = any(number in books.parked_orders for number in numbers) or _being_settled(books, leeways, rows)
    if len(rows) > 1 and not excused:
        yield Violation(
            sentence=f"period {period[1]} of {period[0]} holds money of {len(rows)} payments",
            subscription_id=period[0],
            cycle=period[1],
            merchant_uids=numbers,
            imp_uids=_imp_uids(rows),
        )


def paid_by_one_order(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """No key is charged for one period a second time, whatever the order number, ours or somebody else's.

    Somebody else's is a payment of the same amount on the same key within the period, which nobody here ordered.
    """
    strangers: dict[str, list[PaymentFact]] = defaultdict(list)
    for row in books.held():
        if row.customer_uid is not None and not books.is_ours(row.merchant_uid) and row.paid_at is not None:
            strangers[row.customer_uid].append(row)
    for period, rows in _held_by_period(books).items():
        for row in rows:
            for other in strangers.get(row.customer_uid or "", ()):
                same = other.amount == row.amount and _is_within(books, period, row, other)
                if same and not _known_elsewhere(books, leeways, other):
                    yield Violation(
                        sentence=f"period {period[1]} of {period[0]} is paid, and {other.merchant_uid}, "
                        f"which nobody here ordered, took {other.amount} from the same key",
                        subscription_id=period[0],
                        cycle=period[1],
                        customer_uid=row.customer_uid,
                        merchant_uids=(row.merchant_uid, other.merchant_uid),
                        imp_uids=(row.imp_uid, other.imp_uid),
                    )


def books_agree(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """PortOne and the ledger have the same payments of our orders, in amount, currency, status and what went back."""
    for row in books.their_payments.values():
        moved = net_amount(row) > 0 or returned_amount(row) > 0
        if moved and books.is_ours(row.merchant_uid) and not _being_settled(books, leeways, [row]):
            yield from _known_as_it_is(books, row)
    for charge in books.ledger.charges:
        yield from _is_there(books, charge)


def _known_as_it_is(books: Books, row: PaymentFact) -> Iterator[Violation]:
    known = books.known_payments.get(row.imp_uid)
    if known is None:
        yield _about(row, f"PortOne holds {row.amount} of {row.imp_uid} for order {row.merchant_uid}, unknown here")
        return
    pairs = {
        "merchant_uid": (row.merchant_uid, known.merchant_uid),
        "amount": (row.amount, known.amount),
        "status": (row.status, known.status),
        "cancelled amount": (row.cancelled_amount, known.cancelled_amount),
    }
    for name, (there, here) in pairs.items():
        if there != here:
            yield _about(
                row, f"{row.imp_uid} of order {row.merchant_uid}: {name} is {there} at PortOne and {here} here"
            )


def _is_there(books: Books, charge: Charge) -> Iterator[Violation]:
    """A charge that the ledger counts as paid has its payment at PortOne, as far as that was asked for."""
    if charge.state not in BOOKED or charge.imp_uid is None or charge.imp_uid in books.their_payments:
        return
    if any(
        each.kind is ParkedKind.SECOND_PAYMENT and each.merchant_uid == charge.merchant_uid and each.closed_at is None
        for each in books.ledger.parked
    ):
        # It is in the list that people read, with the payment that PortOne shows instead.
        return
    window = books.provider.window if books.provider else None
    if window is None or (charge.settled_at is not None and charge.settled_at in window):
        yield Violation(
            sentence=f"order {charge.merchant_uid} is paid by {charge.imp_uid} here, and PortOne has no such payment",
            subscription_id=charge.subscription_id,
            cycle=charge.cycle,
            customer_uid=charge.customer_uid,
            merchant_uids=(charge.merchant_uid,),
            imp_uids=(charge.imp_uid,),
        )


def paid_as_ordered(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """What is booked as paid was paid in the amount and currency, by the key and in the channel that was ordered.

    What a person decided to take as it is, is as it is.
    """
    for charge in books.ledger.charges:
        row = books.their_payments.get(charge.imp_uid or "")
        if charge.state is not CycleState.PAID or row is None or charge.merchant_uid in books.decided_orders:
            continue
        pairs = {
            "order number": (charge.merchant_uid, row.merchant_uid),
            "amount": (charge.amount, row.amount),
            "key": (charge.customer_uid or row.customer_uid, row.customer_uid),
            "test channel": (row.sandbox if books.sandbox is None else books.sandbox, row.sandbox),
        }
        for name, (ordered, paid) in pairs.items():
            if ordered != paid:
                yield _about(
                    row,
                    f"order {charge.merchant_uid} is booked as paid: {name} was ordered as {ordered}, paid as {paid}",
                )


def refunded_at_most_once(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """No more goes back of a payment than was paid, and each refund that was asked for goes back once."""
    asked: Counter[str] = Counter()
    for refund in books.ledger.refunds:
        asked[refund.imp_uid] += refund.amount if refund.state is RefundState.REFUNDED else 0
    ours = {imp_uid: row for imp_uid, row in books.their_payments.items() if books.is_ours(row.merchant_uid)}
    known = {**books.known_payments, **ours}
    for imp_uid, row in known.items():
        most = max(asked[imp_uid], row.cancelled_amount)
        if most > row.amount.amount or row.cancelled_amount < 0:
            yield _about(row, f"{most} of {imp_uid} went back, and {row.amount} were paid")
    for row in ours.values():
        marks = Counter(mark for each in row.cancellations if (mark := mark_of(each.reason)))
        for mark, times in marks.items():
            if times > 1:
                yield _about(row, f"refund {mark} of {row.imp_uid} was made {times} times")


def amounts_are_within_bounds(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """Every amount that was sent or charged is a whole number above 0, and no larger than the largest allowed."""
    for charge in books.ledger.charges:
        amount = charge.amount.amount
        if amount < 0 or (charge.sends > 0 and amount == 0) or _beyond(books, amount):
            yield Violation(
                sentence=f"order {charge.merchant_uid} was sent for {charge.amount}",
                merchant_uids=(charge.merchant_uid,),
                subscription_id=charge.subscription_id,
            )
    for row in books.their_payments.values():
        if books.is_ours(row.merchant_uid) and (row.amount.amount <= 0 or _beyond(books, row.amount.amount)):
            yield _about(row, f"PortOne charged {row.amount} for order {row.merchant_uid}")


# ---------------------------------------------------------------- parts


def _beyond(books: Books, amount: int) -> bool:
    return books.max_amount is not None and amount > books.max_amount


def _held_by_period(books: Books) -> dict[Period, list[PaymentFact]]:
    rows: dict[Period, list[PaymentFact]] = defaultdict(list)
    for row in books.held():
        period = books.period_of(row.merchant_uid)
        if period is not None:
            rows[period].append(row)
    return rows


def _is_within(books: Books, period: Period, paid: PaymentFact, other: PaymentFact) -> bool:
    """Whether another payment came after the one that paid a period, and before the next period was paid."""
    if paid.paid_at is None or other.paid_at is None or other.paid_at < paid.paid_at:
        return False
    ends = books.paid_instants.get((period[0], period[1] + 1))
    return ends is None or other.paid_at < ends


def _being_settled(books: Books, leeways: Leeways, rows: Iterable[PaymentFact]) -> bool:
    """Whether one of the payments is so young that its workflow may be at it."""
    return any(row.paid_at is not None and books.now_for_payment(row) - row.paid_at < leeways.settle for row in rows)


def _known_elsewhere(books: Books, leeways: Leeways, row: PaymentFact) -> bool:
    return row.merchant_uid in books.parked_orders or _being_settled(books, leeways, [row])


def _imp_uids(rows: Iterable[PaymentFact]) -> tuple[str, ...]:
    return tuple(row.imp_uid for row in rows)


def _about(row: PaymentFact, sentence: str) -> Violation:
    return Violation(
        sentence=sentence, customer_uid=row.customer_uid, merchant_uids=(row.merchant_uid,), imp_uids=(row.imp_uid,)
    )
