"""What stands until a person decides: one list, kept in step with the state of the open period by every write.

The open period stands parked by its own state; other orders of the subscription are parked by name.
"""

from collections.abc import Sequence
from datetime import datetime

from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.parked import DecisionRecord, ParkedKind, ParkedRecord
from billing.domain.states import CycleState
from billing.domain.subscription import payloads
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.notes import Notes
from billing.domain.subscription.parked_items import ParkedItem
from billing.domain.subscription.state import SubscriptionState
from billing.domain.subscription.subscription import Subscription

_OF_CYCLE = {
    CycleState.MISMATCH: ParkedKind.CHARGE_MISMATCH,
    CycleState.UNKNOWN: ParkedKind.CHARGE_UNKNOWN,
    CycleState.REVOKED: ParkedKind.SCHEDULE_REVOKED,
}


_MAY_HOLD_MONEY = frozenset(
    {
        ParkedKind.CHARGE_MISMATCH,
        ParkedKind.CHARGE_UNKNOWN,
        ParkedKind.EARLIER_NUMBER_PAID,
        ParkedKind.CHANGE_MISMATCH,
    }
)


def park(
    subscription: Subscription,
    notes: Notes,
    now: datetime,
    kind: ParkedKind,
    reason: str,
    merchant_uid: str,
    *,
    payment: PaymentFact | None = None,
    of_cycle: bool = False,
) -> None:
    """Let something stand until a person decides, and announce it with the next write; the same again is told anew."""
    state = subscription.state
    stood = state.parked.standing(kind, merchant_uid)
    item = ParkedItem(
        parked_id=stood.parked_id if stood else state.parked.next_id(subscription.start.subscription_id),
        kind=kind,
        reason=reason,
        merchant_uid=merchant_uid,
        parked_at=now,
        imp_uid=payment.imp_uid if payment else None,
        known=payloads.known(subscription, merchant_uid, payment),
        of_cycle=of_cycle,
    )
    state.parked.park(item, instead_of=stood)
    notes.note_parked(_record(subscription, now, item))
    notes.emit(EventType.SUBSCRIPTION_PARKED, f"parked: {reason}", payloads.parked(subscription, item), now)


def unpark(subscription: Subscription, notes: Notes, now: datetime, item: ParkedItem) -> None:
    """Let something stand no longer, from the next write on."""
    if subscription.state.parked.unpark(item):
        notes.note_parked(_record(subscription, now, item, closed=True))


def keep_in_step(subscription: Subscription, notes: Notes, now: datetime, payments: Sequence[PaymentFact]) -> None:
    """Park or unpark the open period as its state says; with the end of the subscription nothing stands any more."""
    state = subscription.state
    kind = (
        None if state.period.parked_reason is None or state.ended_at is not None else _OF_CYCLE.get(state.period.state)
    )
    standing = state.parked.of_cycle()
    ended = state.ended_at is not None
    if (
        standing is not None
        and not ended
        and (kind is None or not _is_still(standing, kind, subscription.terms.merchant_uid))
    ):
        unpark(subscription, notes, now, standing)
        standing = None
    if kind is not None and (standing is None or standing.reason != state.period.parked_reason):
        payment = next((each for each in payments if each.merchant_uid == subscription.terms.merchant_uid), None)
        park(
            subscription,
            notes,
            now,
            kind,
            state.period.parked_reason or "",
            subscription.terms.merchant_uid,
            payment=payment,
            of_cycle=True,
        )
    if state.ended_at is not None:
        for item in list(state.parked.items):
            unpark(subscription, notes, now, item)
            if item.kind in _MAY_HOLD_MONEY:
                # Money of an order that pays for nothing now: it is looked at once more before the run ends.
                state.reports.ask_for_a_look(item.merchant_uid)


def _is_still(item: ParkedItem, kind: ParkedKind, merchant_uid: str) -> bool:
    if item.kind is ParkedKind.EARLIER_NUMBER_PAID:
        return kind is ParkedKind.CHARGE_MISMATCH
    return (item.kind, item.merchant_uid) == (kind, merchant_uid)


def reason_of(state: SubscriptionState) -> str | None:
    """Why a person is needed, for whoever sees one reason only; None when none is."""
    if state.ended_at is not None:
        return None
    return state.period.parked_reason or next((each.reason for each in state.parked.items), None)


def decided(subscription: Subscription, notes: Notes, now: datetime, item: ParkedItem, order: DecisionTaken) -> None:
    """Write down with the next write what a person decided, and announce it; what stood stands no longer."""
    notes.keep_decision(
        DecisionRecord(
            decision_id=f"{item.parked_id}-{subscription.state.revision + 1}",
            parked_id=item.parked_id,
            kind=item.kind,
            workflow_id=subscription.workflow_id,
            customer_uid=subscription.start.customer_uid,
            subscription_id=subscription.start.subscription_id,
            merchant_uid=item.merchant_uid,
            parked_reason=item.reason,
            decision=order.decision,
            by=order.by,
            reason=order.reason,
            at=now,
            imp_uid=item.imp_uid,
        )
    )
    told = payloads.parked(subscription, item, decision=order.decision.value, decided_by=order.by, note=order.reason)
    notes.emit(EventType.SUBSCRIPTION_DECIDED, f"decided by {order.by}: {order.decision.value}", told, now)


def _record(subscription: Subscription, now: datetime, item: ParkedItem, *, closed: bool = False) -> ParkedRecord:
    return ParkedRecord(
        parked_id=item.parked_id,
        kind=item.kind,
        workflow_id=subscription.workflow_id,
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        reason=item.reason,
        merchant_uid=item.merchant_uid,
        parked_at=item.parked_at,
        revision=subscription.state.revision + 1,
        known=tuple(item.known),
        imp_uid=item.imp_uid,
        closed_at=now if closed else None,
    )
