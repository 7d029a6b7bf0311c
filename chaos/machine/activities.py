"""The activities of plain Python: the same names, messages and outcomes as `activities/`, on a fake PortOne and ledger.

They lose answers as those do: a change that PortOne does not answer is `unknown`, a look that it does not answer is
asked again by Temporal, and nothing is sent that the ledger has not marked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError

from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact
from billing.domain.known_order import AskedOrder, Known
from billing.domain.outcomes import CARD_GONE, ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.records import LedgerEntry, RefundState
from billing.domain.takeover import KeyPayment
from chaos.machine.ledger import MemoryLedger
from chaos.machine.mishaps import Card, RefusedError, TurnedAwayError, UnansweredError
from chaos.machine.portone import PortOne
from chaos.machine.temporal import Activity, Attempt, VirtualTemporal
from workflows.billing_key.contracts import (
    KeyDeleted,
    KeyPaymentsAsked,
    KeyPaymentsFound,
    StartLeftSchedule,
    Unscheduled,
)
from workflows.contracts import (
    CancelAnswer,
    CancelPayment,
    ChargeAgain,
    ChargeAnswer,
    ChargeOnetime,
    DeleteBillingKey,
    IssueBillingKey,
    KeyAnswer,
    LookUpOrder,
    OrderSeen,
    RegisterSchedule,
    Reschedule,
    RetrySchedule,
    ScheduleAnswer,
    Unschedule,
    fact_workflow_id,
)
from workflows.unexpected_payment.contracts import ReportedFact, StartLateFact

_LEDGER_SECONDS = 0.01
_LOST, _TURNED_AWAY = "the answer is lost", "too many requests"
_BEHIND = timedelta(days=90)


class Activities:
    """Every activity that a subscription, and what is left of one, asks for.

    Args:
        portone: the merchant's account.
        ledger: what is written.
        temporal: where other workflows are begun.
        now: the virtual instant.
        vault: the card behind each handle; used up by a key.
    """

    def __init__(
        self,
        portone: PortOne,
        ledger: MemoryLedger,
        temporal: Callable[[], VirtualTemporal],
        now: Callable[[], datetime],
        vault: dict[str, Card],
    ) -> None:
        self._portone = portone
        self._ledger = ledger
        self._temporal = temporal
        self._now = now
        self._vault = vault
        self.conflicts: list[str] = []
        """What contradicted the ledger: a subscription stands still until a person has looked."""

    def by_name(self) -> Mapping[str, Activity]:
        """Each of them by the name that the workflows call it by."""
        own = [name for name in vars(type(self)) if not name.startswith("_") and name != "by_name"]
        return {name: getattr(self, name) for name in own}

    # ------------------------------------------------------------ keys

    async def issue_billing_key(self, _attempt: Attempt, order: IssueBillingKey) -> KeyAnswer:
        card = self._vault.get(order.vault_handle)
        if card is None:
            return KeyAnswer(outcome=KeyOutcome.REFUSED, code=CARD_GONE)
        try:
            key = await self._portone.issue(order.customer_uid, card)
        except UnansweredError:
            return KeyAnswer(outcome=KeyOutcome.UNKNOWN, message=_LOST)
        self._vault.pop(order.vault_handle, None)
        return KeyAnswer(outcome=KeyOutcome.ISSUED, key=key)

    async def find_billing_key(self, _attempt: Attempt, customer_uid: str) -> BillingKeyFact | None:
        return await self._portone.find_key(customer_uid)

    async def discard_card(self, _attempt: Attempt, vault_handle: str) -> None:
        self._vault.pop(vault_handle, None)

    async def delete_billing_key(self, attempt: Attempt, order: DeleteBillingKey) -> KeyDeleted:
        if await self._portone.find_key(order.customer_uid) is None:
            return KeyDeleted(unanswered=attempt.number - 1)
        key = await _or_outage(self._portone.delete(order.customer_uid))
        return KeyDeleted(key=key, unanswered=attempt.number - 1)

    # ------------------------------------------------------------ payments

    async def charge_again(self, _attempt: Attempt, order: ChargeAgain) -> ChargeAnswer:
        if not await self._may_send(order.merchant_uid, order.send_no):
            return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message="has left before")
        return await _charged(self._portone.again(order.merchant_uid, order.customer_uid, order.amount, order.name))

    async def retry_schedule(self, _attempt: Attempt, order: RetrySchedule) -> ChargeAnswer:
        if not await self._may_send(order.merchant_uid, order.send_no):
            return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message="has left before")
        return await _charged(self._portone.retry(order.merchant_uid))

    async def charge_onetime(self, _attempt: Attempt, order: ChargeOnetime) -> ChargeAnswer:
        card = self._vault.get(order.vault_handle)
        if not await self._may_send(order.merchant_uid, order.send_no):
            return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message="has left before", worth_resending=bool(card))
        if card is None:
            return ChargeAnswer(outcome=ChargeOutcome.NOT_EXECUTED, code=CARD_GONE, worth_resending=False)
        answer = await _charged(self._portone.onetime(order.merchant_uid, card, order.amount, order.customer_uid))
        if answer.outcome in (ChargeOutcome.PAID, ChargeOutcome.DECLINED):
            self._vault.pop(order.vault_handle, None)
        return answer

    async def find_payment(self, _attempt: Attempt, imp_uid: str) -> PaymentFact | None:
        return await self._portone.find_payment(imp_uid)

    async def find_payments(self, _attempt: Attempt, merchant_uid: str) -> Sequence[PaymentFact]:
        return await self._portone.find_payments(merchant_uid)

    async def look_up_order(self, _attempt: Attempt, order: LookUpOrder) -> OrderSeen:
        reported = None if order.imp_uid is None else await self._portone.find_payment(order.imp_uid)
        payments = await self._portone.find_payments(order.merchant_uid)
        schedule = await self._portone.find_schedule(order.merchant_uid) if order.with_schedule else None
        news = reported if reported not in payments else None
        return OrderSeen(payments=tuple(payments), reported=news, schedule=schedule)

    async def find_reported(self, _attempt: Attempt, imp_uids: Sequence[str]) -> Sequence[PaymentFact]:
        rows = [await self._portone.find_payment(each) for each in imp_uids]
        return [row for row in rows if row is not None]

    async def cancel_payment(self, _attempt: Attempt, order: CancelPayment) -> CancelAnswer:
        try:
            row = await self._portone.cancel(order.imp_uid, order.amount.amount, order.checksum, order.reason)
        except UnansweredError:
            return CancelAnswer(outcome=RefundState.UNKNOWN, message=_LOST)
        except RefusedError as error:
            return CancelAnswer(outcome=RefundState.REFUSED, code="1", message=str(error))
        return CancelAnswer(outcome=RefundState.REFUNDED, payment=row)

    async def _may_send(self, merchant_uid: str, send_no: int) -> bool:
        await asyncio.sleep(_LEDGER_SECONDS)
        return self._ledger.mark_sent(merchant_uid, send_no, self._now())

    # ------------------------------------------------------------ schedules

    async def register_schedule(self, _attempt: Attempt, order: RegisterSchedule) -> ScheduleAnswer:
        if order.vault_handle is not None:
            card = self._vault.get(order.vault_handle)
            if card is None and await self._portone.find_key(order.customer_uid) is None:
                return ScheduleAnswer(outcome=ScheduleOutcome.REFUSED, code=CARD_GONE)
            if card is not None:
                try:
                    await self._portone.issue(order.customer_uid, card)
                except UnansweredError:
                    return ScheduleAnswer(outcome=ScheduleOutcome.UNKNOWN, message=_LOST)
                self._vault.pop(order.vault_handle, None)
        call = self._portone.schedule(order.merchant_uid, order.customer_uid, order.schedule_at, order.amount)
        answer = await _scheduled(call)
        if answer.outcome is ScheduleOutcome.REGISTERED and order.records is not None:
            await asyncio.sleep(_LEDGER_SECONDS)
            return answer.model_copy(update={"recorded": self._ledger.record_registered(order.records)})
        return answer

    async def find_schedule(self, _attempt: Attempt, merchant_uid: str) -> ScheduleFact | None:
        return await self._portone.find_schedule(merchant_uid)

    async def reschedule(self, _attempt: Attempt, order: Reschedule) -> ScheduleAnswer:
        return await _scheduled(self._portone.reschedule(order.merchant_uid, order.schedule_at))

    async def unschedule(self, attempt: Attempt, order: Unschedule) -> Unscheduled:
        row = await _or_outage(self._portone.unschedule(order.merchant_uid))
        return Unscheduled(row=row, unanswered=attempt.number - 1)

    async def has_open_schedules(self, _attempt: Attempt, customer_uid: str) -> bool:
        return any(row.status == "scheduled" for row in await self._portone.on_key(customer_uid))

    async def list_key_schedules(self, _attempt: Attempt, customer_uid: str) -> Sequence[ScheduleFact]:
        rows = await self._portone.on_key(customer_uid)
        return [row for row in rows if row.schedule_at >= self._now() - _BEHIND]

    async def list_key_payments(self, _attempt: Attempt, asked: KeyPaymentsAsked) -> KeyPaymentsFound:
        rows = await self._portone.paid_by(asked.customer_uid)
        paid = [row for row in rows if row.paid_at is not None and row.paid_at >= asked.since]
        return KeyPaymentsFound(payments=tuple(KeyPayment(row, "payment") for row in paid), any_at_all=bool(rows))

    # ------------------------------------------------------------ the ledger

    async def record(self, _attempt: Attempt, entry: LedgerEntry) -> None:
        await asyncio.sleep(_LEDGER_SECONDS)
        try:
            self._ledger.record(entry)
        except ApplicationError as error:
            self.conflicts.append(error.message)
            raise

    async def attempts_on_card(self, _attempt: Attempt, customer_uid: str) -> Sequence[datetime]:
        return self._ledger.attempts_on_card(customer_uid)

    async def subscription_on_key(self, _attempt: Attempt, customer_uid: str) -> str | None:
        found = self._ledger.subscription_on_key(customer_uid)
        return found.workflow_id if found is not None else None

    async def is_left_by_an_ended_life(self, _attempt: Attempt, key: BillingKeyFact, asking: str) -> bool:
        return self._ledger.is_left_by_an_ended_life(key, asking)

    async def known_orders(self, _attempt: Attempt, asked: Sequence[AskedOrder]) -> Sequence[Known]:
        await asyncio.sleep(_LEDGER_SECONDS)
        return [self._ledger.known(each) for each in asked]

    # ------------------------------------------------------------ other workflows

    async def watch_schedules(self, _attempt: Attempt, left: Sequence[StartLeftSchedule]) -> None:
        for start in left:
            if not self._temporal().is_running(start.parked.workflow_id):
                self._temporal().start(start.parked.workflow_id, "LeftScheduleWorkflow", start)

    async def report_facts(self, _attempt: Attempt, facts: Sequence[ReportedFact]) -> None:
        for fact in facts:
            start = StartLateFact(imp_uid=fact.imp_uid)
            self._temporal().signal_with_start(
                fact_workflow_id(fact.imp_uid), "LateFactWorkflow", start, "fact_reported", fact
            )


async def _charged(call: Awaitable[PaymentFact]) -> ChargeAnswer:
    try:
        row = await call
    except TurnedAwayError:
        return ChargeAnswer(outcome=ChargeOutcome.NOT_EXECUTED, message=_TURNED_AWAY)
    except UnansweredError:
        return ChargeAnswer(outcome=ChargeOutcome.UNKNOWN, message=_LOST)
    except RefusedError as error:
        return ChargeAnswer(outcome=ChargeOutcome.DECLINED, code="1", message=str(error))
    outcome = {"paid": ChargeOutcome.PAID, "failed": ChargeOutcome.DECLINED}.get(row.status, ChargeOutcome.UNKNOWN)
    return ChargeAnswer(outcome=outcome, imp_uid=row.imp_uid, message=row.fail_reason)


async def _scheduled(call: Awaitable[ScheduleFact]) -> ScheduleAnswer:
    try:
        row = await call
    except TurnedAwayError:
        return ScheduleAnswer(outcome=ScheduleOutcome.NOT_EXECUTED, message=_TURNED_AWAY)
    except UnansweredError:
        return ScheduleAnswer(outcome=ScheduleOutcome.UNKNOWN, message=_LOST)
    except RefusedError as error:
        return ScheduleAnswer(outcome=ScheduleOutcome.REFUSED, code="1", message=str(error))
    return ScheduleAnswer(outcome=ScheduleOutcome.REGISTERED, schedule=row)


async def _or_outage(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except UnansweredError:
        raise ApplicationError("PortOne does not answer", type="PortOneUnavailable") from None
