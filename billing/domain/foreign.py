"""What a payment says that nobody here ordered so: paid late, paid beside another payment, refunded elsewhere; pure.

The row was looked up at PortOne, and what is known of it comes from the ledger. Nothing is new that the ledger has.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.facts import CancellationFact, PaymentFact
from billing.domain.known_order import Known, KnownOrder, KnownRefund
from billing.domain.records import ChargeKind, RefundState
from billing.domain.refund_mark import mark_of
from billing.domain.states import CycleState
from billing.domain.verdict import net_amount, returned_amount


class Unexpected(StrEnum):
    """Money that PortOne holds and that pays for nothing here.

    LATE: the order was given up, or its subscription has ended. SECOND: the order, or its period, is paid already.
    STRAY: nobody here ordered it, on a key of ours.
    """

    LATE = "late"
    SECOND = "second"
    STRAY = "stray"


@dataclass(frozen=True, slots=True)
class ForeignFact:
    """What one payment says that the ledger does not.

    Args:
        payment: as it was looked up.
        unexpected: what kind of money it holds that pays for nothing; None when it pays for its order, or holds none.
        elsewhere: refunds that were not made from here and are not written down yet.
        own: refunds of ours that took effect although they are not booked so, by refund_id.
    """

    payment: PaymentFact
    unexpected: Unexpected | None = None
    elsewhere: tuple[CancellationFact, ...] = ()
    own: tuple[tuple[str, CancellationFact], ...] = ()

    @property
    def says_something(self) -> bool:
        """Whether there is anything to do about it."""
        return bool(self.unexpected or self.elsewhere or self.own)

    @property
    def held(self) -> int:
        """What PortOne holds by it, in minor units."""
        return net_amount(self.payment)


def judge_foreign(payment: PaymentFact, known: Known) -> ForeignFact:
    """What a payment says beyond what is known of it."""
    own, elsewhere = tell_refunds_apart(payment, known.refunds)
    if known.order is None and known.customer_uid is None:
        # Neither the order nor the key is ours: the merchant's other business.
        return ForeignFact(payment)
    return ForeignFact(payment, _unexpected(payment, known, known.order), elsewhere, own)


def _unexpected(payment: PaymentFact, known: Known, order: KnownOrder | None) -> Unexpected | None:
    if not net_amount(payment) or known.kept:
        return None
    if order is None:
        # Nobody here can do more about it than say so, once.
        return None if known.seen == (payment.status, payment.cancelled_amount) else Unexpected.STRAY
    if order.paid and order.imp_uid == payment.imp_uid:
        return None
    if order.state is CycleState.MISMATCH and _waits_for_somebody(order, known):
        return None
    if order.paid or order.state is CycleState.REFUNDED or order.period_paid_by is not None:
        return Unexpected.SECOND
    return Unexpected.LATE


def _waits_for_somebody(order: KnownOrder, known: Known) -> bool:
    """Whoever paid by card was answered so, and refunds or keeps it; a plan change stands parked for a person."""
    return order.kind is ChargeKind.KEY_IN or (order.kind is ChargeKind.CHANGE and known.living)


def tell_refunds_apart(
    payment: PaymentFact, refunds: Sequence[KnownRefund]
) -> tuple[tuple[tuple[str, CancellationFact], ...], tuple[CancellationFact, ...]]:
    """Of what PortOne has refunded: what is ours and not booked yet, by refund_id, and what was done elsewhere."""
    named = {each.cancellation_id for each in refunds if each.cancellation_id}
    by_id = {each.refund_id: each for each in refunds}
    # Booked before its cancellation had a name: known again by its amount.
    unnamed = {each.refund_id: each.amount for each in refunds if _is_done(each) and not each.cancellation_id}
    own, rest = [], []
    for each in payment.cancellations:
        mark = mark_of(each.reason)
        if each.cancellation_id and each.cancellation_id in named:
            continue
        if mark in by_id:
            unnamed.pop(mark, None)
            if not _is_done(by_id[mark]):
                own.append((mark, each))
        else:
            rest.append(each)
    elsewhere = [*_beyond(rest, Counter(unnamed.values())), *_unlisted(payment, refunds)]
    return tuple(own), tuple(elsewhere)


def _beyond(found: Sequence[CancellationFact], ours: Counter[int]) -> list[CancellationFact]:
    beyond = []
    for each in found:
        if ours[each.amount] > 0:
            ours[each.amount] -= 1
        else:
            beyond.append(each)
    return beyond


def _unlisted(payment: PaymentFact, refunds: Sequence[KnownRefund]) -> list[CancellationFact]:
    """What PortOne counts as refunded and does not list, beyond what is known, as one refund more."""
    returned = returned_amount(payment)
    known = sum(each.amount for each in refunds if _is_done(each))
    listed = sum(each.amount for each in payment.cancellations)
    missing = returned - (listed if payment.cancellations else known)
    return [CancellationFact(f"{payment.imp_uid}-{returned}", missing)] if missing > 0 else []


def _is_done(refund: KnownRefund) -> bool:
    return refund.state is RefundState.REFUNDED


def elsewhere_refund_id(cancellation: CancellationFact) -> str:
    """Under which id a refund that was made elsewhere is written down, once."""
    return f"elsewhere-{cancellation.cancellation_id}"
