"""What of a late fact is written to the ledger, and what the world outside is told of it; pure.

An event of a payment has the same id however often it is written: it is made of the payment and what is said of it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from temporalio import workflow

from billing.domain.event_catalogue import event
from billing.domain.event_data import ChargeData, EventData, RefundData
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.foreign import ForeignFact, Unexpected
from billing.domain.known_order import Known, KnownOrder
from billing.domain.money import Money
from billing.domain.parked import DecisionRecord, ParkedRecord
from billing.domain.records import ChargeResult, LedgerEntry, RefundRecord, RefundState
from billing.domain.states import CycleState
from workflows.unexpected_payment.console_refunds import refunds_elsewhere
from workflows.unexpected_payment.left_entry import parked_data

REASONS: Mapping[Unexpected, str] = MappingProxyType(
    {
        Unexpected.LATE: "paid after the order had been given up",
        Unexpected.SECOND: "paid a second time",
        Unexpected.STRAY: "paid without an order of ours",
    }
)
"""Why money pays for nothing: the reason of its refund."""

_STATES = {Unexpected.LATE: CycleState.LATE_PAID, Unexpected.SECOND: CycleState.MISMATCH}
_TOLD_AS = {Unexpected.LATE: EventType.CHARGE_LATE_PAID}


def in_words(fact: ForeignFact) -> str:
    """What the payment says, in one line."""
    said = []
    if fact.unexpected is not None:
        said.append(f"{Money(fact.held, fact.payment.amount.currency)} {REASONS[fact.unexpected]}")
    if fact.elsewhere:
        back = Money(sum(each.amount for each in fact.elsewhere), fact.payment.amount.currency)
        said.append(f"{back} refunded elsewhere")
    if fact.own:
        said.append("a refund of ours took effect")
    return ", ".join(said) or "nothing new"


def booked(fact: ForeignFact, known: Known, answered: LedgerEntry) -> LedgerEntry:
    """All that is written before anything is given back; written again it changes nothing."""
    order = known.order
    entry = replace(answered, payments=(fact.payment,))
    if order is None:
        return replace(entry, events=_events(fact, known))
    refunds = (*refunds_elsewhere(fact, order, known), *_own_refunds(fact, known))
    return replace(entry, refunds=refunds, results=_results(fact, order), events=_events(fact, known))


def _results(fact: ForeignFact, order: KnownOrder) -> tuple[ChargeResult, ...]:
    at = max(workflow.now(), order.settled_at or workflow.now())
    imp_uid = fact.payment.imp_uid
    if fact.unexpected is Unexpected.LATE and order.state not in (CycleState.MISMATCH, CycleState.LATE_PAID):
        message = REASONS[Unexpected.LATE]
        return (ChargeResult(order.merchant_uid, CycleState.LATE_PAID, at, imp_uid, message=message),)
    went_back = fact.elsewhere and fact.held <= 0
    if went_back and order.imp_uid == imp_uid and (order.paid or order.state is CycleState.LATE_PAID):
        return (ChargeResult(order.merchant_uid, CycleState.REFUNDED, at, imp_uid, message="refunded elsewhere"),)
    if went_back and order.state is CycleState.UNKNOWN:
        # It was paid after all, and all of it went back: that is known now.
        steps = (CycleState.MISMATCH, CycleState.REFUNDED)
        return tuple(
            ChargeResult(order.merchant_uid, step, at, imp_uid, message="refunded elsewhere") for step in steps
        )
    return ()


def _own_refunds(fact: ForeignFact, known: Known) -> tuple[RefundRecord, ...]:
    amounts = {each.refund_id: each.amount for each in known.refunds}
    return tuple(
        RefundRecord(
            refund_id=refund_id,
            merchant_uid=fact.payment.merchant_uid,
            imp_uid=fact.payment.imp_uid,
            amount=Money(amounts[refund_id], fact.payment.amount.currency),
            state=RefundState.REFUNDED,
            at=workflow.now(),
            cancellation_id=each.cancellation_id or None,
        )
        for refund_id, each in fact.own
    )


def kept(fact: ForeignFact, known: Known) -> tuple[ChargeResult, ...]:
    """What a person's decision to keep the money means for its order: paid, unless its period is paid already."""
    order = known.order
    if order is None or order.paid or order.period_paid_by is not None:
        return ()
    at = max(workflow.now(), order.settled_at or workflow.now())
    steps = (CycleState.REOPENED, CycleState.PAID)
    return tuple(ChargeResult(order.merchant_uid, step, at, fact.payment.imp_uid) for step in steps)


def closed(record: ParkedRecord, at: datetime, revision: int) -> ParkedRecord:
    """The same, standing no longer."""
    return replace(record, closed_at=at, revision=revision)


# ---------------------------------------------------------------- telling


def _events(fact: ForeignFact, known: Known) -> tuple[OutgoingEvent, ...]:
    told: list[OutgoingEvent] = []
    order = known.order
    if fact.unexpected is not None and (order is None or order.state is not CycleState.MISMATCH):
        state = _STATES.get(fact.unexpected, CycleState.MISMATCH)
        data = _charge(fact, known, state, REASONS[fact.unexpected])
        what = _TOLD_AS.get(fact.unexpected, EventType.CHARGE_MISMATCH)
        told.append(_event(what, f"order {data.merchant_uid} was {REASONS[fact.unexpected]}", data, fact, state.value))
    for each in fact.elsewhere:
        back = Money(each.amount, fact.payment.amount.currency)
        data = _charge(fact, known, CycleState.MISMATCH, f"{back} went back, not from here")
        text = f"{back} of order {data.merchant_uid} went back, not from here"
        told.append(_event(EventType.CHARGE_REFUNDED_ELSEWHERE, text, data, fact, each.cancellation_id))
    for refund_id, each in fact.own:
        refund = RefundData(
            customer_uid=_whose(fact, known),
            subscription_id=known.subscription_id,
            refund_id=refund_id,
            merchant_uid=fact.payment.merchant_uid,
            imp_uid=fact.payment.imp_uid,
            state=RefundState.REFUNDED.value,
            amount=each.amount,
            currency=fact.payment.amount.currency,
            remaining=fact.held,
        )
        text = f"{each.amount} of order {fact.payment.merchant_uid} went back after all"
        event_id = f"evt_{refund_id}-{RefundState.REFUNDED.value}"
        told.append(event(EventType.REFUND_SUCCEEDED, workflow.now(), event_id, text, refund))
    return tuple(told)


def parked_event(record: ParkedRecord, known: Known, decided: DecisionRecord | None = None) -> OutgoingEvent:
    """That it stands parked, or what was decided of it."""
    data = parked_data(record, known.status.value if known.status else "", decided)
    what = EventType.SUBSCRIPTION_DECIDED if decided else EventType.SUBSCRIPTION_PARKED
    text = f"decided by {decided.by}: {decided.decision.value}" if decided else f"parked: {record.reason}"
    event_id = f"evt_{_digest(record.parked_id, decided.decision_id if decided else 'parked')}"
    return event(what, workflow.now(), event_id, text, data)


def _charge(fact: ForeignFact, known: Known, state: CycleState, reason: str) -> ChargeData:
    order, payment = known.order, fact.payment
    ordered = order.amount if order is not None else payment.amount
    return ChargeData(
        customer_uid=_whose(fact, known),
        subscription_id=known.subscription_id,
        merchant_uid=payment.merchant_uid,
        cycle=order.cycle if order is not None else None,
        state=state.value,
        amount=ordered.amount,
        currency=ordered.currency,
        imp_uid=payment.imp_uid,
        charged_amount=payment.amount.amount,
        paid_at=payment.paid_at,
        reason=reason,
    )


def _whose(fact: ForeignFact, known: Known) -> str:
    return known.customer_uid or fact.payment.merchant_uid


def _event(what: EventType, text: str, data: EventData, fact: ForeignFact, said: str) -> OutgoingEvent:
    return event(what, workflow.now(), f"evt_{_digest(fact.payment.imp_uid, said)}", text, data)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
