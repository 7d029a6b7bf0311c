"""What is written of a thing that outlives its subscription and stands parked, and what is told of it; pure."""

from dataclasses import replace
from datetime import UTC, datetime

from billing.domain.event_catalogue import event
from billing.domain.event_data import ParkedData
from billing.domain.events import EventType
from billing.domain.parked import DecisionRecord, ParkedRecord
from billing.domain.records import LedgerEntry
from billing.domain.subscription.decision import DecisionTaken

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


def revision_at(at: datetime) -> int:
    """A revision that only grows, from one run about the same thing to the next."""
    return int((at - _EPOCH).total_seconds())


def _closed(record: ParkedRecord, at: datetime) -> ParkedRecord:
    """The same, standing no longer."""
    return replace(record, closed_at=at, revision=max(record.revision + 1, revision_at(at)))


def decided(record: ParkedRecord, order: DecisionTaken, at: datetime, revision: int) -> DecisionRecord:
    """What a person decided, with who and why; `revision` tells decisions about the same thing apart."""
    return DecisionRecord(
        decision_id=f"{record.parked_id}-{revision}",
        parked_id=record.parked_id,
        kind=record.kind,
        workflow_id=record.workflow_id,
        customer_uid=record.customer_uid,
        subscription_id=record.subscription_id,
        merchant_uid=record.merchant_uid,
        parked_reason=record.reason,
        decision=order.decision,
        by=order.by,
        reason=order.reason,
        at=at,
        imp_uid=record.imp_uid,
    )


def parked_data(record: ParkedRecord, status: str, decision: DecisionRecord | None = None) -> ParkedData:
    """What stands parked, or what was decided of it, as an event says it."""
    return ParkedData(
        customer_uid=record.customer_uid,
        subscription_id=record.subscription_id,
        status=status,
        reason=record.reason,
        decisions=tuple(each.value for each in record.decisions),
        known=record.known,
        merchant_uid=record.merchant_uid,
        imp_uid=record.imp_uid,
        decision=decision.decision.value if decision else None,
        decided_by=decision.by if decision else None,
        note=decision.reason if decision else None,
        kind=record.kind.value,
        parked_id=record.parked_id,
    )


def ended(record: ParkedRecord, status: str, at: datetime, order: DecisionTaken | None) -> LedgerEntry:
    """What is written and told when it stands no longer: that it does not, and the decision, where one ended it."""
    parked = (_closed(record, at),)
    if order is None:
        return LedgerEntry(parked=parked)
    decision = decided(record, order, at, revision_at(at))
    text = f"decided by {order.by}: {order.decision.value}"
    data = parked_data(record, status, decision)
    told = event(EventType.SUBSCRIPTION_DECIDED, at, f"evt_{decision.decision_id}", text, data)
    return LedgerEntry(parked=parked, decisions=(decision,), events=(told,))
