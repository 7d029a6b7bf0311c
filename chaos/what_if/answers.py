"""What today's code is answered: what was recorded, where it asks what the recorded run asked; else what is assumed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError

from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.domain.outcomes import ScheduleOutcome
from billing.domain.records import LedgerEntry, RefundState
from billing.domain.refund_mark import marked
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.subscription.reports import PaymentReported
from billing.domain.verdict import net_amount
from chaos.machine.activities import Activities
from chaos.machine.loop import VirtualLoop
from chaos.machine.mishaps import Card
from chaos.machine.temporal import Attempt, VirtualTemporal
from chaos.what_if.assumed import AssumedPortOne
from chaos.what_if.evidence import Evidence, changed_by, key_subject, looked_at, lot_of
from chaos.what_if.ledger import LedgerOfALife
from chaos.what_if.parting import TOGETHER, left_out, said, what_parts
from chaos.what_if.recording import REFUND, Call, Recording
from workflows.billing_key.contracts import KeyPaymentsFound
from workflows.contracts import LookUpOrder, OrderSeen, RegisterSchedule, Reschedule, ScheduleAnswer

_LATENCY_SECONDS = 0.05
_WITHOUT_ANSWER = frozenset({"discard_card", "watch_schedules", "report_facts"})
_OF_SEVERAL = frozenset({"find_reported", "list_key_schedules", "has_open_schedules"})
_OF_THE_LEDGER = frozenset({"known_orders", "subscription_on_key", "is_left_by_an_ended_life"})


class Answers:
    """PortOne, the ledger and the child runs of one recording.

    An order is as recorded until today's code changes something of it that the recording does not have next, or leaves
    out what the recording has: from there on `AssumedPortOne` goes on with it.

    Args:
        recording: what was recorded.
        loop: whose clock all of it lives by.
        temporal: where the run of today lives.
        ledger: what today's code writes.
    """

    def __init__(
        self,
        recording: Recording,
        loop: VirtualLoop,
        temporal: Callable[[], VirtualTemporal],
        ledger: LedgerOfALife,
    ) -> None:
        self._recording, self._loop, self._temporal, self._ledger = recording, loop, temporal, ledger
        self.evidence = Evidence(recording)
        self._made: Counter[str] = Counter()
        self.parted: dict[str, str] = {}
        """Orders and keys that are not as recorded any more, each with what parts the two."""
        self._left_out: set[str] = set()
        self.assumed: list[tuple[str, str]] = []
        """What the recording does not say: an order number or a key, and what was assumed of it."""
        self.conflict: str | None = None
        """What contradicts the ledger: the subscription would stand still there until a person has looked."""
        self.portone = AssumedPortOne(loop, self.evidence, self._webhook, self._made_elsewhere, self._assume)
        self._vault: dict[str, Card] = {}
        self._acts = Activities(self.portone, ledger, temporal, lambda: loop.now, self._vault).by_name()
        self._own_attempts = _own_attempts(recording)

    def watch_for_omissions(self) -> None:
        """See to it that a change which today's code leaves out parts its order from the recording."""
        for subject, calls in self.evidence.changes.items():
            for number, call in enumerate(calls):
                self._loop.call_at(self._seconds(call.at + TOGETHER), self._expect, subject, number, call)

    # ------------------------------------------------------------ asked by the run

    async def activity(self, name: str, args: tuple[Any, ...]) -> Any:
        """The answer to an activity.

        Raises:
            ApplicationError: it failed in the recording.
        """
        if name == "record":
            return await self._record(args[0])
        if name in _WITHOUT_ANSWER:
            await self._step(name, args)
            return None
        if name == "attempts_on_card":
            return await self._attempts_on_card(args[0])
        if changed_by(name, args):
            return await self._change(name, args)
        if name in _OF_THE_LEDGER:
            return await self._known(name, args)
        return await self._look(name, args)

    async def refund(self, start: StartRefund) -> RefundSettled:
        """What came of a refund."""
        recorded = self._as_recorded_change(REFUND, (start,))
        if recorded is not None:
            settled: RefundSettled = await self._come_to(recorded)
            return settled.model_copy(update={"refund_id": start.refund_id})
        await asyncio.sleep(_LATENCY_SECONDS)
        held = [row for row in self.portone.payments_of(start.merchant_uid) if net_amount(row)]
        row = next((each for each in held if start.imp_uid in (None, each.imp_uid)), None)
        amount = start.amount.amount if start.amount is not None else net_amount(row) if row is not None else 0
        if row is None or not 0 < amount <= net_amount(row):
            self._assume(start.merchant_uid, "a refund is refused, since PortOne holds less")
            return RefundSettled(refund_id=start.refund_id, state=RefundState.REFUSED, code="amount_exceeds_balance")
        self._assume(start.merchant_uid, f"a refund of {Money(amount, row.amount.currency)} is made")
        left = net_amount(self.portone.refund(row.imp_uid, amount, marked(start.reason, start.refund_id)))
        given = Money(amount, row.amount.currency)
        return RefundSettled(refund_id=start.refund_id, state=RefundState.REFUNDED, amount=given, remaining=left)

    def is_news(self, report: PaymentReported) -> bool:
        """Whether a recorded webhook comes today too; of an order that is not as recorded only refunds elsewhere do."""
        if report.merchant_uid not in self.parted:
            return True
        row = self.evidence.payment(report.imp_uid)
        if report.status == "cancelled" and row is not None:
            self.portone.gives_back(row)
        return False

    # ------------------------------------------------------------ asked when it is over

    def orders(self) -> set[str]:
        """The order numbers that anything was changed of, here or in the recording."""
        named = {subject for subject in self.parted if not subject.startswith(key_subject(""))}
        return {*self.evidence.orders(), *named}

    def reasons(self) -> dict[str, str]:
        """What parts each order and key from the recording, also where the recording ends soon after."""
        missing = {
            subject: left_out(calls[self._made[subject]])
            for subject, calls in self.evidence.changes.items()
            if self._made[subject] < len(calls)
        }
        return missing | self.parted

    def at_portone(self, merchant_uid: str) -> tuple[list[PaymentFact], ScheduleFact | None]:
        """What PortOne would have of an order at this moment."""
        if merchant_uid in self.parted:
            return self.portone.payments_of(merchant_uid), self.portone.schedule_of(merchant_uid)
        made, now = self._made[merchant_uid], self._loop.now
        return self.evidence.payments(merchant_uid, made, now), self.evidence.schedule(merchant_uid, made, now)

    # ------------------------------------------------------------ changes

    async def _change(self, name: str, args: tuple[Any, ...]) -> Any:
        recorded = self._as_recorded_change(name, args)
        if recorded is not None:
            answer = await self._come_to(recorded)
            return self._shown(args[0], answer) if isinstance(answer, ScheduleAnswer) else answer
        handle = getattr(args[0], "vault_handle", None)
        if handle is not None:
            self._vault[handle] = Card.GOOD
        if getattr(args[0], "customer_uid", None) is not None and name != "delete_billing_key":
            self.portone.need_key(args[0].customer_uid)
        return await self._acts[name](self._attempt(), *args)

    def _shown(self, order: RegisterSchedule | Reschedule, answer: ScheduleAnswer) -> ScheduleAnswer:
        """The same answer, with what today's code lets the call write: maybe more or less than was recorded."""
        registered = order.records if isinstance(order, RegisterSchedule) else None
        recorded = registered is not None and answer.outcome is ScheduleOutcome.REGISTERED
        if registered is not None and recorded:
            recorded = self._ledger.record_registered(registered)
        return answer.model_copy(update={"recorded": recorded})

    def _as_recorded_change(self, name: str, args: tuple[Any, ...]) -> Call | None:
        """The recorded change that this is; None where the two part, or have parted."""
        subjects = changed_by(name, args)
        own, now = subjects[0], self._loop.now
        recorded = self.evidence.next_change(own, self._made[own])
        why = what_parts(recorded, name, args, now)
        if own not in self.parted and why is not None:
            self._part(own, why)
        elif own in self._left_out and recorded is not None:
            # It is made after all, only later.
            self.parted[own] = why or f"{name} at {said(now)} where the recording has {said(recorded.at)}"
        self._left_out.discard(own)
        for each in subjects:
            self._made[each] += 1
        return recorded if own not in self.parted else None

    def _expect(self, subject: str, number: int, call: Call) -> None:
        if subject not in self.parted and self._made[subject] <= number:
            self._part(subject, left_out(call))
            self._left_out.add(subject)

    def _part(self, subject: str, why: str) -> None:
        self.parted[subject] = why
        made, now = self._made[subject], self._loop.now
        if subject.startswith(key_subject("")):
            key = self.evidence.key(subject.removeprefix(key_subject("")), made, now)
            if key is not None:
                self.portone.take_key(key)
            return
        schedule = self.evidence.schedule(subject, made, now)
        if schedule is not None:
            self.portone.need_key(schedule.customer_uid)
        self.portone.take(self.evidence.payments(subject, made, now), schedule)

    # ------------------------------------------------------------ looks

    async def _look(self, name: str, args: tuple[Any, ...]) -> Any:
        subject = looked_at(name, args, self._orders_of_payments())
        if subject in self.parted and name not in _OF_SEVERAL:
            return await self._acts[name](self._attempt(), *args)
        now, made = self._loop.now, self._made[subject] if subject is not None else 0
        recorded = self.evidence.look(name, args, made, now)
        if recorded is not None:
            return self._with_what_parted(name, args, await self._come_to(recorded))
        await asyncio.sleep(_LATENCY_SECONDS)
        return self._with_what_parted(name, args, self._evident(name, args, made))

    def _evident(self, name: str, args: tuple[Any, ...], made: int) -> Any:
        """What the recording proves of this instant, for a look that it does not have there."""
        now = self._loop.now
        shown: dict[str, Callable[[], Any]] = {
            "find_payments": lambda: self.evidence.payments(args[0], made, now),
            "find_schedule": lambda: self.evidence.schedule(args[0], made, now),
            "find_payment": lambda: self._payment(args[0]),
            "look_up_order": lambda: self._order(args[0], made),
            "find_reported": lambda: [row for row in map(self._payment, args[0]) if row is not None],
            "find_billing_key": lambda: self.evidence.key(args[0], made, now),
            "list_key_schedules": lambda: self._on_key(args[0]),
            "has_open_schedules": lambda: any(row.status == "scheduled" for row in self._on_key(args[0])),
        }
        if name in shown:
            return shown[name]()
        last = self.evidence.last(name, args, now)
        if last is not None:
            return last.result
        self._assume(key_subject(getattr(args[0], "customer_uid", args[0])), f"{name} shows nothing")
        return KeyPaymentsFound() if name == "list_key_payments" else []

    def _order(self, order: LookUpOrder, made: int) -> OrderSeen:
        now = self._loop.now
        return OrderSeen(
            payments=tuple(self.evidence.payments(order.merchant_uid, made, now)),
            reported=None if order.imp_uid is None else self._payment(order.imp_uid),
            schedule=self.evidence.schedule(order.merchant_uid, made, now) if order.with_schedule else None,
        )

    def _on_key(self, customer_uid: str) -> list[ScheduleFact]:
        """The schedules of a key: those of nobody here as they were last shown, and each order's own."""
        orders = self.orders()
        last = self.evidence.last("list_key_schedules", (customer_uid,), self._loop.now)
        others = [row for row in (last.result if last is not None else ()) if row.merchant_uid not in orders]
        own = [row for row in (self.at_portone(each)[1] for each in orders) if row is not None]
        rows = [*others, *(row for row in own if row.customer_uid == customer_uid and row.status != "revoked")]
        return sorted(rows, key=lambda row: (row.schedule_at, row.merchant_uid))

    def _payment(self, imp_uid: str) -> PaymentFact | None:
        number = self._orders_of_payments().get(imp_uid)
        rows = self.at_portone(number)[0] if number is not None else []
        return next((row for row in rows if row.imp_uid == imp_uid), None)

    def _with_what_parted(self, name: str, args: tuple[Any, ...], answer: Any) -> Any:
        """An answer about several orders, as it is where one of them is not as recorded."""
        if not self.parted or name not in _OF_SEVERAL:
            return answer
        return self._evident(name, args, 0)

    def _orders_of_payments(self) -> dict[str, str]:
        return {**self.evidence.order_of, **{row.imp_uid: row.merchant_uid for row in self.portone.payments}}

    # ------------------------------------------------------------ the ledger

    async def _record(self, entry: LedgerEntry) -> None:
        try:
            self._ledger.record(entry)
        except ApplicationError as error:
            self.conflict = self.conflict or error.message
            await self._never()
        await self._step("record", (entry,))

    async def _known(self, name: str, args: tuple[Any, ...]) -> Any:
        asked = {each.merchant_uid for each in args[0]} if name == "known_orders" else set()
        recorded = self.evidence.look(name, args, 0, self._loop.now)
        if recorded is not None and not asked & {*self.parted}:
            return await self._come_to(recorded)
        last = self.evidence.last(name, args, self._loop.now) if name != "known_orders" else None
        if last is not None:
            await asyncio.sleep(_LATENCY_SECONDS)
            return last.result
        return await self._acts[name](self._attempt(), *args)

    async def _attempts_on_card(self, customer_uid: str) -> list[datetime]:
        """Those of others as they were recorded, and today's own in the place of the recorded ones."""
        name, now = "attempts_on_card", self._loop.now
        recorded = self.evidence.look(name, (customer_uid,), 0, now) or self.evidence.last(name, (customer_uid,), now)
        answer = list(await self._come_to(recorded)) if recorded is not None else []
        others = Counter(answer) - Counter(self._own_attempts.get(customer_uid, ()))
        return sorted([*others.elements(), *self._ledger.attempts_on_card(customer_uid)])

    # ------------------------------------------------------------ when it is answered

    async def _step(self, name: str, args: tuple[Any, ...]) -> None:
        """Wait as long as the recorded run did for a call whose answer says nothing."""
        recorded = self.evidence.look(name, args, 0, self._loop.now)
        if recorded is None:
            await asyncio.sleep(_LATENCY_SECONDS)
        else:
            await self._come_to(recorded)

    async def _come_to(self, call: Call) -> Any:
        """The outcome of a recorded call, when the recorded run went on with it."""
        if call.seen_at is None:
            return await self._never()
        await self._until(call.seen_at)
        if call.failure is not None:
            raise call.failure
        return call.result

    async def _until(self, instant: datetime) -> None:
        left = (instant - self._loop.now) / timedelta(seconds=1)
        await asyncio.sleep(left if left > 0 else _LATENCY_SECONDS / 10)

    async def _never(self) -> Any:
        await self._loop.create_future()

    # ------------------------------------------------------------ smaller things

    def _webhook(self, row: PaymentFact) -> None:
        told = PaymentReported(
            imp_uid=row.imp_uid,
            merchant_uid=row.merchant_uid,
            status=row.status,
            cancellation_id=row.cancellations[-1].cancellation_id if row.cancellations else "",
        )
        self._temporal().signal(self._recording.workflow_id, "payment_reported", told)

    def _made_elsewhere(self, lot: Hashable) -> int:
        orders = [each for each in self.evidence.orders() if lot_of(each) == lot and each not in self.parted]
        return sum(len(self.at_portone(each)[0]) for each in orders)

    def _assume(self, subject: str, what: str) -> None:
        if (subject, what) not in self.assumed:
            self.assumed.append((subject, what))

    def _attempt(self) -> Attempt:
        return Attempt(1, self._recording.workflow_id)

    def _seconds(self, instant: datetime) -> float:
        return (instant - self._recording.begun) / timedelta(seconds=1)


def _own_attempts(recording: Recording) -> dict[str, list[datetime]]:
    """When the recorded run itself tried each key, as the ledger counts it."""
    ledger = LedgerOfALife()
    for call in recording.calls:
        ledger.keep(call)
    keys = {each.intent.customer_uid for each in ledger.charges.values() if each.intent.customer_uid is not None}
    return {key: ledger.attempts_on_card(key) for key in keys}
