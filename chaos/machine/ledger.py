"""A ledger of plain Python: what the workflows write, and what they ask of it, as `billing.ledger` answers it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from temporalio.exceptions import ApplicationError

from billing.domain.audit.books import Charge, Key, LedgerBooks, Refund
from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.known_order import AskedOrder, Known, KnownOrder, KnownRefund
from billing.domain.parked import Decision, DecisionRecord, ParkedKind, ParkedRecord
from billing.domain.records import (
    ChargeIntent,
    ChargeKind,
    ChargeRegistered,
    ChargeResult,
    LedgerEntry,
    RefundRecord,
    SubscriptionRecord,
)
from billing.domain.states import ENDED, CycleState

_AFTER_PAID = (CycleState.PAID, CycleState.MISMATCH, CycleState.REFUNDED)
_MONEY_MOVED = (CycleState.PAID, CycleState.LATE_PAID, CycleState.REOPENED, CycleState.REFUNDED)
_KEPT = (ParkedKind.REFUND_REFUSED, ParkedKind.SECOND_PAYMENT)


@dataclass(slots=True)
class Ordered:
    """One charge: what was ordered, and what became of it."""

    intent: ChargeIntent
    state: CycleState = CycleState.PLANNED
    imp_uid: str | None = None
    paid_at: datetime | None = None
    settled_at: datetime | None = None
    sends: int = 0
    sent_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(slots=True)
class MemoryLedger:
    """Everything that was written, newest word of each thing."""

    subscriptions: dict[str, SubscriptionRecord] = field(default_factory=dict)
    charges: dict[str, Ordered] = field(default_factory=dict)
    results: list[ChargeResult] = field(default_factory=list)
    payments: dict[str, PaymentFact] = field(default_factory=dict)
    refunds: dict[str, RefundRecord] = field(default_factory=dict)
    keys: dict[str, BillingKeyFact] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    parked: dict[str, ParkedRecord] = field(default_factory=dict)
    decisions: dict[str, DecisionRecord] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    # ------------------------------------------------------------ written

    def record(self, entry: LedgerEntry) -> None:
        """One step; written twice it changes nothing."""
        for intent in entry.intents:
            self._open(intent)
        for result in entry.results:
            self._result(result)
        self._subscription(entry.subscription)
        for payment in entry.payments:
            self._payment(payment)
        for refund in entry.refunds:
            self.refunds[refund.refund_id] = refund
        if entry.billing_key is not None:
            self.keys[entry.billing_key.customer_uid] = entry.billing_key
            self.deleted.discard(entry.billing_key.customer_uid)
        if entry.deleted_billing_key is not None:
            self.deleted.add(entry.deleted_billing_key)
        for parked in entry.parked:
            stood = self.parked.get(parked.parked_id)
            if stood is None or parked.revision >= stood.revision:
                self.parked[parked.parked_id] = parked
        for decision in entry.decisions:
            self.decisions.setdefault(decision.decision_id, decision)
        self.events += [each.type.value for each in entry.events]

    def record_registered(self, registered: ChargeRegistered) -> bool:
        """Whether the charge of the open period is shown as registered: where the row is the one before."""
        row = self.subscriptions.get(registered.subscription_id)
        if row is None or (row.merchant_uid, row.revision) != (registered.merchant_uid, registered.revision - 1):
            return False
        if row.ended_at is not None or row.next_charge_at is None:
            return False
        self._subscription(
            replace(row, cycle_state=CycleState.REGISTERED, waits_until=None, revision=registered.revision)
        )
        return True

    def mark_sent(self, merchant_uid: str, send_no: int, at: datetime) -> bool:
        """Whether this sending may leave: each number once, in its turn, and none of what is paid."""
        ordered = self.charges[merchant_uid]
        paid = ordered.paid_at is not None or self._paid_by(ordered.intent) is not None
        moved = ordered.state in (*_MONEY_MOVED, CycleState.MISMATCH)
        if send_no <= ordered.sends or paid or moved:
            return False
        ordered.sends, ordered.sent_at = send_no, at
        return True

    def _subscription(self, record: SubscriptionRecord | None) -> None:
        if record is None:
            return
        known = self.subscriptions.get(record.subscription_id)
        if known is None or record.revision > known.revision:
            self.subscriptions[record.subscription_id] = record
        ordered = self.charges.get(record.merchant_uid or "")
        stands = record.cycle_state is CycleState.REGISTERED and record.next_charge_at is not None
        if ordered is not None and stands and ordered.state not in _MONEY_MOVED:
            ordered.due_at = record.next_charge_at

    def _open(self, intent: ChargeIntent) -> None:
        known = self.charges.get(intent.merchant_uid)
        if known is None:
            self.charges[intent.merchant_uid] = Ordered(intent)
            return
        same = replace(intent, due_at=known.intent.due_at, name=known.intent.name)
        if same != known.intent:
            raise _conflict(f"order {intent.merchant_uid} already stands for something else")
        if known.state is CycleState.PLANNED:
            known.intent, known.due_at = intent, None

    def _result(self, result: ChargeResult) -> None:
        ordered = self.charges.get(result.merchant_uid)
        if ordered is None:
            raise _conflict(f"order {result.merchant_uid} was never opened")
        owner = self._other_owner(result)
        if owner is not None and result.state is not CycleState.MISMATCH:
            raise _conflict(f"payment {result.imp_uid} already belongs to order {owner}")
        twice = ordered.state is CycleState.PAID and result.state is CycleState.PAID
        if twice and None not in (ordered.imp_uid, result.imp_uid) and ordered.imp_uid != result.imp_uid:
            raise _conflict(f"order {result.merchant_uid} is paid by {ordered.imp_uid}")
        told = (result.merchant_uid, result.state, result.at, result.imp_uid)
        if any((each.merchant_uid, each.state, each.at, each.imp_uid) == told for each in self.results):
            return
        self.results.append(result)
        if not _moves(ordered, result):
            return
        if result.state is CycleState.PAID and self._paid_by(ordered.intent) is not None:
            raise _conflict(f"the period of {result.merchant_uid} is paid by {self._paid_by(ordered.intent)}")
        stays = ordered.imp_uid is not None and ordered.paid_at is not None
        if result.imp_uid is not None and owner is None and not stays:
            ordered.imp_uid = result.imp_uid
        if result.state is CycleState.PAID:
            ordered.paid_at = ordered.paid_at or result.at
        elif result.state not in _AFTER_PAID:
            ordered.paid_at = None
        ordered.state, ordered.settled_at = result.state, result.at
        ordered.due_at = result.due_at or ordered.due_at

    def _other_owner(self, result: ChargeResult) -> str | None:
        if result.imp_uid is None:
            return None
        for number, each in self.charges.items():
            if each.imp_uid == result.imp_uid and number != result.merchant_uid:
                return number
        payment = self.payments.get(result.imp_uid)
        return payment.merchant_uid if payment is not None and payment.merchant_uid != result.merchant_uid else None

    def _payment(self, payment: PaymentFact) -> None:
        known = self.payments.get(payment.imp_uid)
        if known is None or payment.cancelled_amount >= known.cancelled_amount:
            self.payments[payment.imp_uid] = payment

    # ------------------------------------------------------------ asked

    def known(self, asked: AskedOrder) -> Known:
        """What is known of one order and one payment."""
        ordered = self.charges.get(asked.merchant_uid)
        owner = self._owner(ordered, asked.billing_key)
        if ordered is None and owner is None:
            return Known()
        living = owner is not None and owner.status not in ENDED and not self._is_superseded(owner)
        seen = self.payments.get(asked.imp_uid)
        return Known(
            order=self._order(ordered, owner if living else None) if ordered is not None else None,
            customer_uid=owner.customer_uid if owner else _whose(ordered),
            subscription_id=owner.subscription_id if owner else None,
            living=living,
            status=owner.status if owner else None,
            refunds=self._refunds(asked.imp_uid),
            seen=(seen.status, seen.cancelled_amount) if seen else None,
            kept=self._is_kept(asked.imp_uid),
        )

    def subscription_on_key(self, customer_uid: str) -> SubscriptionRecord | None:
        """The living subscription that is charged by a key."""
        living = [each for each in self.subscriptions.values() if each.status not in ENDED]
        return next((each for each in living if (each.billing_key or each.customer_uid) == customer_uid), None)

    def is_left_by_an_ended_life(self, key: BillingKeyFact, asking: str) -> bool:
        """Whether the key is the one of an ended life, and of nobody who lives but who asks."""
        owner = self.subscription_on_key(key.customer_uid)
        if owner is not None and owner.workflow_id != asking:
            return False
        mine = self.keys.get(key.customer_uid)
        ended = any(
            each.status in ENDED and (each.billing_key or each.customer_uid) == key.customer_uid
            for each in self.subscriptions.values()
        )
        return ended and mine is not None and mine.inserted_at == key.inserted_at

    def attempts_on_card(self, customer_uid: str) -> list[datetime]:
        """When a key was declined, or paid after that; keys count apart here."""
        declined, at = set[str](), list[datetime]()
        for result in self.results:
            if self.charges[result.merchant_uid].intent.customer_uid != customer_uid:
                continue
            if result.state is CycleState.DECLINED:
                declined.add(result.merchant_uid)
                at.append(result.at)
            elif result.state is CycleState.PAID and result.merchant_uid in declined:
                at.append(result.at)
        return sorted(at)

    def _owner(self, ordered: Ordered | None, billing_key: str | None) -> SubscriptionRecord | None:
        if ordered is not None:
            return self.subscriptions.get(ordered.intent.subscription_id or "")
        rows = [each for each in self.subscriptions.values() if billing_key in (each.customer_uid, each.billing_key)]
        return max(rows, key=_began, default=None) if billing_key is not None else None

    def _is_superseded(self, owner: SubscriptionRecord) -> bool:
        return any(
            each.customer_uid == owner.customer_uid and _began(each) > _began(owner)
            for each in self.subscriptions.values()
        )

    def _order(self, ordered: Ordered, living: SubscriptionRecord | None) -> KnownOrder:
        intent = ordered.intent
        is_cycle = intent.kind is ChargeKind.CYCLE
        is_open = living is not None and is_cycle and intent.cycle == living.cycle and living.next_charge_at is not None
        return KnownOrder(
            merchant_uid=intent.merchant_uid,
            kind=intent.kind,
            amount=intent.amount,
            state=ordered.state,
            paid=ordered.paid_at is not None,
            imp_uid=ordered.imp_uid,
            settled_at=ordered.settled_at,
            tax_free=intent.tax_free,
            vat_amount=intent.vat_amount,
            cycle=intent.cycle,
            is_open=is_open,
            period_paid_by=self._paid_by(intent),
        )

    def _paid_by(self, intent: ChargeIntent) -> str | None:
        if intent.cycle is None:
            return None
        for number, each in self.charges.items():
            same = (each.intent.subscription_id, each.intent.cycle) == (intent.subscription_id, intent.cycle)
            if same and number != intent.merchant_uid and each.paid_at and each.state is not CycleState.REFUNDED:
                return number
        return None

    def _refunds(self, imp_uid: str) -> tuple[KnownRefund, ...]:
        found = [each for each in self.refunds.values() if imp_uid and each.imp_uid == imp_uid]
        return tuple(
            KnownRefund(
                refund_id=each.refund_id,
                amount=each.amount.amount,
                state=each.state,
                tax_free=each.tax_free,
                vat_amount=each.vat_amount,
                cancellation_id=each.cancellation_id,
            )
            for each in found
        )

    def _is_kept(self, imp_uid: str) -> bool:
        return any(
            each.imp_uid == imp_uid and each.kind in _KEPT and each.decision is Decision.PAID
            for each in self.decisions.values()
        )

    # ------------------------------------------------------------ read through

    def books(self) -> LedgerBooks:
        """All of it, as an audit reads a ledger."""
        return LedgerBooks(
            subscriptions=tuple(self.subscriptions.values()),
            charges=tuple(map(_charge, self.charges.values())),
            results=tuple(self.results),
            payments=tuple(self.payments.values()),
            refunds=tuple(
                Refund(
                    refund_id=each.refund_id,
                    merchant_uid=each.merchant_uid,
                    imp_uid=each.imp_uid,
                    amount=each.amount.amount,
                    state=each.state,
                )
                for each in self.refunds.values()
            ),
            keys=tuple(Key(name, deleted=name in self.deleted) for name in self.keys),
            parked=tuple(self.parked.values()),
            decisions=tuple(self.decisions.values()),
        )

    def open_parked(self) -> Sequence[ParkedRecord]:
        """What stands parked."""
        return [each for each in self.parked.values() if each.closed_at is None]


def _moves(ordered: Ordered, result: ChargeResult) -> bool:
    """Whether a result is news, by the rules of `billing.ledger.writes.charges`."""
    was, state = ordered.state, result.state
    if was is CycleState.REFUNDED or (was is CycleState.PAID and state not in _AFTER_PAID):
        return False
    if state is CycleState.REFUNDED:
        return ordered.imp_uid is None or result.imp_uid in (None, ordered.imp_uid)
    if was is CycleState.PAID and state is CycleState.PAID:
        return ordered.imp_uid is None and result.imp_uid is not None
    if state is CycleState.PAID and ordered.paid_at is None and was is not CycleState.MISMATCH:
        return True
    return ordered.settled_at is None or result.at >= ordered.settled_at


def _conflict(message: str) -> ApplicationError:
    return ApplicationError(message, type="LedgerConflict", next_retry_delay=timedelta(minutes=5))


def _whose(ordered: Ordered | None) -> str | None:
    return None if ordered is None else ordered.intent.customer_uid or ordered.intent.merchant_uid


def _began(record: SubscriptionRecord) -> tuple[datetime, str]:
    return record.started_at, record.subscription_id


def _charge(ordered: Ordered) -> Charge:
    intent = ordered.intent
    return Charge(
        merchant_uid=intent.merchant_uid,
        workflow_id=intent.workflow_id,
        kind=intent.kind,
        amount=intent.amount,
        due_at=ordered.due_at or intent.due_at,
        state=ordered.state,
        subscription_id=intent.subscription_id,
        customer_uid=intent.customer_uid,
        cycle=intent.cycle,
        generation=intent.generation,
        sends=ordered.sends,
        sent_at=ordered.sent_at,
        imp_uid=ordered.imp_uid,
        paid_at=ordered.paid_at,
        settled_at=ordered.settled_at,
    )
