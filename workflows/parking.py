"""What stands until a person decides: one list, kept in step with the state of the open period by every write.

The open period stands parked by its own state; other orders of the subscription are parked by name.
"""

from typing import TYPE_CHECKING

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.parked import DecisionRecord, ParkedKind, ParkedRecord
from billing.domain.states import CycleState
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.records import ParkedItem
from billing.domain.subscription.state import SubscriptionState
from workflows import telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflows.subscription_run import SubscriptionRun

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
    run: "SubscriptionRun",
    kind: ParkedKind,
    reason: str,
    merchant_uid: str,
    payment: PaymentFact | None = None,
    *,
    of_cycle: bool = False,
) -> None:
    """Let something stand until a person decides, and announce it with the next write; the same again is told anew."""
    state = run.state
    stood = next((each for each in state.parked if (each.kind, each.merchant_uid) == (kind, merchant_uid)), None)
    if stood is None:
        state.parkings += 1
    item = ParkedItem(
        parked_id=stood.parked_id if stood else f"{run.start.subscription_id}-{state.parkings}",
        kind=kind,
        reason=reason,
        merchant_uid=merchant_uid,
        parked_at=workflow.now(),
        imp_uid=payment.imp_uid if payment else None,
        known=telling.known(run, merchant_uid, payment),
        of_cycle=of_cycle,
    )
    state.parked = [*(each for each in state.parked if each is not stood), item]
    run.note_parked(_record(run, item))
    run.tell(EventType.SUBSCRIPTION_PARKED, f"parked: {reason}", telling.parked(run, item))


def unpark(run: "SubscriptionRun", item: ParkedItem) -> None:
    """Let something stand no longer, from the next write on."""
    if item in run.state.parked:
        run.state.parked = [each for each in run.state.parked if each != item]
        run.note_parked(_record(run, item, closed=True))


def keep_in_step(run: "SubscriptionRun", payments: "Sequence[PaymentFact]") -> None:
    """Park or unpark the open period as its state says; with the end of the subscription nothing stands any more."""
    state = run.state
    kind = None if state.parked_reason is None or state.ended_at is not None else _OF_CYCLE.get(state.cycle_state)
    standing = next((each for each in state.parked if each.of_cycle), None)
    ended = state.ended_at is not None
    if standing is not None and not ended and (kind is None or not _is_still(standing, kind, run.merchant_uid)):
        unpark(run, standing)
        standing = None
    if kind is not None and (standing is None or standing.reason != state.parked_reason):
        payment = next((each for each in payments if each.merchant_uid == run.merchant_uid), None)
        park(run, kind, state.parked_reason or "", run.merchant_uid, payment, of_cycle=True)
    if state.ended_at is not None:
        for item in list(state.parked):
            unpark(run, item)
            if item.kind in _MAY_HOLD_MONEY:
                # Money of an order that pays for nothing now: it is looked at once more before the run ends.
                state.ask_for_a_look(item.merchant_uid)


def _is_still(item: ParkedItem, kind: ParkedKind, merchant_uid: str) -> bool:
    if item.kind is ParkedKind.EARLIER_NUMBER_PAID:
        return kind is ParkedKind.CHARGE_MISMATCH
    return (item.kind, item.merchant_uid) == (kind, merchant_uid)


def reason_of(state: SubscriptionState) -> str | None:
    """Why a person is needed, for whoever sees one reason only; None when none is."""
    if state.ended_at is not None:
        return None
    return state.parked_reason or next((each.reason for each in state.parked), None)


def decided(run: "SubscriptionRun", item: ParkedItem, order: DecisionTaken) -> None:
    """Write down with the next write what a person decided, and announce it; what stood stands no longer."""
    run.keep_decision(
        DecisionRecord(
            decision_id=f"{item.parked_id}-{run.state.revision + 1}",
            parked_id=item.parked_id,
            kind=item.kind,
            workflow_id=workflow.info().workflow_id,
            customer_uid=run.start.customer_uid,
            subscription_id=run.start.subscription_id,
            merchant_uid=item.merchant_uid,
            parked_reason=item.reason,
            decision=order.decision,
            by=order.by,
            reason=order.reason,
            at=workflow.now(),
            imp_uid=item.imp_uid,
        )
    )
    told = telling.parked(run, item, decision=order.decision.value, decided_by=order.by, note=order.reason)
    run.tell(EventType.SUBSCRIPTION_DECIDED, f"decided by {order.by}: {order.decision.value}", told)


def _record(run: "SubscriptionRun", item: ParkedItem, *, closed: bool = False) -> ParkedRecord:
    return ParkedRecord(
        parked_id=item.parked_id,
        kind=item.kind,
        workflow_id=workflow.info().workflow_id,
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        reason=item.reason,
        merchant_uid=item.merchant_uid,
        parked_at=item.parked_at,
        revision=run.state.revision + 1,
        known=tuple(item.known),
        imp_uid=item.imp_uid,
        closed_at=workflow.now() if closed else None,
    )
