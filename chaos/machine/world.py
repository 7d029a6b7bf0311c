"""One merchant in virtual time: subscribers with their runs, what goes wrong, and the books at the end."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError

from billing.domain.audit import Books, Leeways, Violation, violations
from billing.domain.audit.books import Operation
from billing.domain.facts import PaymentFact
from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.parked import Decision, ParkedKind
from billing.domain.records import SubscriptionRecord
from billing.domain.refund_messages import StartRefund
from billing.domain.states import ENDED
from billing.domain.subscription.answers import CancelAnswered, ChargeAtOrder
from billing.domain.subscription.start import StartSubscription, subscription_workflow_id
from billing.domain.subscription.state import SubscriptionState
from chaos.machine.activities import Activities
from chaos.machine.agreed import PRICE, Agreed
from chaos.machine.books import BEGUN, books_of
from chaos.machine.excuses import is_excused
from chaos.machine.ledger import MemoryLedger
from chaos.machine.left_before import LeftBefore, order_left
from chaos.machine.loop import VirtualLoop
from chaos.machine.mishaps import Card
from chaos.machine.portone import PortOne
from chaos.machine.reported import report, ring
from chaos.machine.telling import told
from chaos.machine.temporal import VirtualTemporal
from workflows.billing_key.workflow import DeleteBillingKeyWorkflow
from workflows.contracts import (
    StartDeleteBillingKey,
    StartKeyInPayment,
    billing_key_workflow_id,
    payment_workflow_id,
    refund_workflow_id,
)
from workflows.one_time_payment.workflow import KeyInPaymentWorkflow
from workflows.refund.owed_refund import OwedRefundWorkflow
from workflows.refund.workflow import RefundWorkflow
from workflows.subscription.commands.decide import Decide
from workflows.subscription.commands.registry import BY_NAME
from workflows.subscription.workflow import SubscriptionWorkflow
from workflows.unexpected_payment.left_charge import LeftChargeWorkflow
from workflows.unexpected_payment.left_schedule import LeftScheduleWorkflow
from workflows.unexpected_payment.workflow import LateFactWorkflow

WORKFLOWS = (
    SubscriptionWorkflow,
    RefundWorkflow,
    LateFactWorkflow,
    OwedRefundWorkflow,
    KeyInPaymentWorkflow,
    LeftScheduleWorkflow,
    LeftChargeWorkflow,
    DeleteBillingKeyWorkflow,
)
ANSWERED_WITHIN_SECONDS = 30.0
"""So long somebody who gives a command waits: one that is answered later is answered nobody."""

MOST_ACTIVITIES_A_DAY = 400
"""More than any fault explains: a run that asks so often goes round in a circle."""

QUIET_DAYS = 12
"""After the last fault: longer than a charge is looked up before it stands parked, and than any wait between looks."""


class BrokenError(AssertionError):
    """A promise was broken."""


class World:
    """One merchant's subscribers, its PortOne and its ledger.

    Args:
        rolls_after: so many history events after which each run continues as new; None where the server suggests it.
    """

    def __init__(self, rolls_after: int | None = None) -> None:
        self.loop = VirtualLoop(BEGUN)
        self.ledger = MemoryLedger()
        self.vault: dict[str, Card] = {}
        self.portone = PortOne(self.loop, self._webhook)
        self.activities = Activities(self.portone, self.ledger, lambda: self.temporal, lambda: self.now, self.vault)
        self.temporal = VirtualTemporal(self.loop, WORKFLOWS, self.activities.by_name(), _carried)
        self._rolls_after = rolls_after
        self._lives = 0
        self._refunds = self._cards = 0
        self._operations: list[Operation] = []
        self._touched: set[str] = set()
        self._terminated: set[str] = set()
        self.story: list[str] = []
        """What was done, in order."""

    def close(self) -> None:
        """Leave nothing behind."""
        for task in (tasks := asyncio.all_tasks(self.loop)):
            task.cancel()
        if tasks:
            self.asked(asyncio.wait(tasks))
        self.loop.close()

    @property
    def now(self) -> datetime:
        """The virtual instant, UTC."""
        return self.loop.now

    # ------------------------------------------------------------ time

    def passes(self, **distance: float) -> None:
        """Let time pass.

        Raises:
            BrokenError: somebody asks without end.
        """
        left = timedelta(**distance)
        while left > timedelta(0):
            step = min(left, timedelta(days=1))
            asked = self.temporal.asked.total()
            self.asked(asyncio.sleep(step.total_seconds()))
            if self.temporal.asked.total() - asked > MOST_ACTIVITIES_A_DAY * max(1, len(self.temporal.runs)):
                raise BrokenError(f"{self.temporal.asked.total() - asked} activities within {step}")
            left -= step
        self._sound()

    def _done(self, act: Callable[[], Any]) -> Any:
        """Do something as part of the world: workflows run only there."""

        async def now() -> Any:
            return act()

        return self.asked(now())

    def asked(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of something that is asked in this world."""
        return self.loop.run_until_complete(coroutine)

    # ------------------------------------------------------------ commands

    def start(self, customer_uid: str, *, card: Card = Card.GOOD, **agreed: Any) -> bool:
        """Start a subscription by the fields of `Agreed`, with a new card where it has one; False where one runs."""
        if not self._may_start(customer_uid):
            return False
        self._tell(f"{customer_uid} starts, {card.value} {agreed or ''}")
        terms, handle = Agreed(**agreed), f"vault_{self._lives + 1}"
        if not terms.without_card:
            self.vault[handle] = card
        self._begin(customer_uid, terms, vault_handle=None if terms.without_card else handle)
        return True

    def move_here(self, customer_uid: str, before: LeftBefore, *, card: Card = Card.GOOD, **agreed: Any) -> bool:
        """Start the first subscription of a customer on a key that another loop has billed; False where it is not.

        What that loop charged and scheduled is taken from the key whatever becomes of the start.
        """
        if not self._may_start(customer_uid) or self.newest(customer_uid) is not None:
            return False
        self._tell(f"{customer_uid} moves here, {card.value} {before} {agreed or ''}")
        self._done(lambda: self.portone.hold_key(customer_uid, card))
        if before.charged is not None:
            taken = Money(before.charged)
            self._done(lambda: self.portone.pay(order_left(customer_uid, "paid"), customer_uid, taken))
        paid_until = self.now + timedelta(days=1 + before.paid_days) if before.paid_days is not None else None
        if before.scheduled is not None:
            at, ordered = paid_until or self.now + timedelta(days=30), Money(before.scheduled)
            self._done(lambda: self.portone.register(order_left(customer_uid, "next"), customer_uid, at, ordered))
        # What is registered while a start looks is not seen by it: the old loop does nothing more by then.
        self.passes(days=1)
        self._begin(customer_uid, Agreed(**agreed), paid_until=paid_until, take_over=before.take_over)
        return True

    def _may_start(self, customer_uid: str) -> bool:
        taken = (subscription_workflow_id(customer_uid), billing_key_workflow_id(customer_uid))
        return not any(self.temporal.is_running(each) for each in taken)

    def _begin(self, customer_uid: str, terms: Agreed, **more: Any) -> None:
        self._lives += 1
        start = StartSubscription(
            subscription_id=f"s{self._lives:019}",
            customer_uid=customer_uid,
            plan=terms.plan(),
            coupon=terms.coupon(),
            without_card=terms.without_card,
            policy=terms.policy(self._rolls_after),
            **more,
        )
        workflow_id = subscription_workflow_id(customer_uid)
        self._done(lambda: self.temporal.start(workflow_id, "SubscriptionWorkflow", start))
        self.passes(seconds=ANSWERED_WITHIN_SECONDS)

    def pay_by_card(self, card: Card, key: str | None = None) -> None:
        """Somebody pays once by a card; with a `key` it is kept under that name."""
        self._cards += 1
        handle = merchant_uid = f"once_{self._cards}"
        self.vault[handle] = card
        self._tell(f"{merchant_uid} is paid by a card, {card.value}, key {key}")
        start = StartKeyInPayment(
            merchant_uid=merchant_uid, vault_handle=handle, amount=PRICE, name="이용권", customer_uid=key
        )
        workflow_id = payment_workflow_id(merchant_uid)
        self._done(lambda: self.temporal.start(workflow_id, "KeyInPaymentWorkflow", start))
        self.passes(seconds=ANSWERED_WITHIN_SECONDS)

    def command(self, customer_uid: str, name: str, message: Message) -> Any:
        """Give a command and wait for its answer: that, the code of its refusal, or None where none comes soon."""
        self._tell(f"{customer_uid} {name} {message.model_dump(exclude_defaults=True, mode='json')}")
        came = self.asked(self._answered(subscription_workflow_id(customer_uid), name, message))
        self._tell(f"  {came if isinstance(came, str) else _short(came)}")
        self._note(customer_uid, BY_NAME[name].path, came)
        self._sound()
        return came

    async def _answered(self, workflow_id: str, name: str, message: Message) -> Any:
        try:
            task = self.temporal.update(workflow_id, name, message)
            return await asyncio.wait_for(asyncio.shield(task), ANSWERED_WITHIN_SECONDS)
        except ApplicationError as refused:
            return refused.type or "refused"
        except TimeoutError:
            # Nobody waits for it any more; what it raises then is nobody's.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            return None

    def decide(self, decision: Decision, which: int) -> None:
        """A person decides one of the things that stand parked, if that decision is allowed."""
        standing = [each for each in self.ledger.open_parked() if decision in each.decisions]
        if not standing:
            return
        parked = standing[which % len(standing)]
        self._tell(f"decide {decision.value} of {parked.kind.value} {parked.merchant_uid}")
        name = "decide"
        message = Decide(decision=decision, by="park@example.com", reason="looked", parked_id=parked.parked_id)
        came = self.asked(self._answered(parked.workflow_id, name, message))
        self._tell(f"  {came if isinstance(came, str) else _short(came)}")
        if parked.customer_uid is not None:
            self._note(parked.customer_uid, name, came)
        self._sound()

    def approve(self, imp_uid: str) -> None:
        """PortOne approves an unpaid payment after all."""
        self._tell(f"PortOne approves {imp_uid}")
        self._touched |= {row.merchant_uid for row in self.portone.payments if row.imp_uid == imp_uid}
        self._done(lambda: self.portone.approve(imp_uid))

    def refund(self, imp_uid: str, amount: int) -> None:
        """Somebody refunds in the console."""
        self._tell(f"console refunds {amount} of {imp_uid}")
        self._done(lambda: self.portone.refund(imp_uid, amount))
        self.passes(seconds=5)

    def give_back(self, merchant_uid: str, amount: int | None) -> None:
        """The shop refunds an order of ours; None gives back what is left."""
        self._tell(f"the shop refunds {amount or 'all'} of {merchant_uid}")
        workflow_id = refund_workflow_id(merchant_uid)
        if not self.temporal.is_running(workflow_id):
            self._refunds += 1
            back = Money(amount) if amount is not None else None
            start = StartRefund(refund_id=f"re_{self._refunds}", merchant_uid=merchant_uid, amount=back)
            self._done(lambda: self.temporal.start(workflow_id, "RefundWorkflow", start))
        self.passes(seconds=ANSWERED_WITHIN_SECONDS)

    def console(self, act: str, customer_uid: str, merchant_uid: str) -> None:
        """Somebody runs, revokes or pays the open order in the console."""
        self._tell(f"console: {act} {merchant_uid}")
        self._touched.add(merchant_uid)
        record = self.newest(customer_uid)
        key = record.billing_key or customer_uid if record is not None else customer_uid
        acts = {
            "execute": lambda: self.portone.execute(merchant_uid),
            "revoke": lambda: self.portone.revoke(merchant_uid),
            "pay": lambda: self.portone.pay(merchant_uid, key, PRICE),
        }
        self._done(acts[act])
        self.passes(seconds=5)

    def delete_key(self, customer_uid: str) -> bool:
        """The shop deletes the billing key of this name; False where the api refuses it."""
        workflow_id = billing_key_workflow_id(customer_uid)
        if self.temporal.is_running(workflow_id) or self.ledger.subscription_on_key(customer_uid) is not None:
            return False
        self._tell(f"the shop deletes the key {customer_uid}")
        start = StartDeleteBillingKey(customer_uid=customer_uid)
        self._done(lambda: self.temporal.start(workflow_id, "DeleteBillingKeyWorkflow", start))
        self.passes(seconds=ANSWERED_WITHIN_SECONDS)
        return True

    def terminate(self, customer_uid: str) -> bool:
        """An operator ends the run from outside; False where none runs."""
        workflow_id, record = subscription_workflow_id(customer_uid), self.newest(customer_uid)
        if not self.temporal.is_running(workflow_id) or record is None:
            return False
        self._tell(f"an operator terminates the run of {customer_uid}")
        self._terminated.add(record.subscription_id)
        self._done(lambda: self.temporal.terminate(workflow_id))
        return True

    def reconcile(self) -> None:
        """What the daily reconciliation does about payments and schedules that nobody knows of: it rings."""
        self._done(lambda: ring(self.portone, self.ledger, self.temporal))
        self.passes(minutes=5)

    def _note(self, customer_uid: str, name: str, came: Any) -> None:
        """What was asked for; a cancel that ended it with nothing to be charged any more says so."""
        record = self.newest(customer_uid)
        ended = isinstance(came, CancelAnswered) and record is not None and record.status in ENDED
        self._operations.append(
            Operation(
                name=name,
                at=self.now,
                status=409 if isinstance(came, str) else 200,
                customer_uid=customer_uid,
                subscription_id=record.subscription_id if record is not None else None,
                stopped=ended and came.charge in (ChargeAtOrder.REVOKED, ChargeAtOrder.NONE_PLANNED),
            )
        )

    # ------------------------------------------------------------ what is seen

    def newest(self, customer_uid: str) -> SubscriptionRecord | None:
        """The newest life of a customer."""
        own = [each for each in self.ledger.subscriptions.values() if each.customer_uid == customer_uid]
        return max(own, key=lambda each: each.started_at, default=None)

    def open_order(self, customer_uid: str) -> str | None:
        """The order number of the open period, where it was ordered."""
        record = self.newest(customer_uid)
        number = record.merchant_uid if record is not None else None
        return number if number in self.ledger.charges else None

    def until_due(self, customer_uid: str) -> timedelta | None:
        """How far the next charge is."""
        record = self.newest(customer_uid)
        return record.next_charge_at - self.now if record is not None and record.next_charge_at is not None else None

    def _webhook(self, row: PaymentFact) -> None:
        report(row, self.ledger, self.temporal)

    def _tell(self, what: str) -> None:
        self.story.append(f"{self.now:%Y-%m-%d %H:%M:%S} {what}")

    # ------------------------------------------------------------ judged

    def _sound(self) -> None:
        """What must hold at every moment: no run breaks, and nothing contradicts the ledger."""
        for run in self.temporal.runs.values():
            if run.broke is None and run.task is not None and run.task.done() and not run.task.cancelled():
                run.broke = run.task.exception()
            if run.broke is not None:
                raise BrokenError(f"{run.workflow_id} broke: {run.broke!r}") from run.broke
        if self.activities.conflicts:
            raise BrokenError(f"the ledger refuses: {self.activities.conflicts[0]}")

    def rest(self) -> None:
        """Nothing goes wrong any more, until everything has come to rest; then the books are judged.

        Raises:
            BrokenError: a promise was broken; what it says is the whole story.
        """
        self.portone.faults.clear()
        self.portone.webhooks.clear()
        self._tell("quiet")
        self.passes(days=QUIET_DAYS / 2)
        self.reconcile()
        self.passes(days=QUIET_DAYS / 2)
        found = [f"{name}: {each.sentence}" for name, each in self.violations()]
        said = (each for each in self.ledger.parked.values() if each.kind is ParkedKind.SCHEDULE_REVOKED)
        ours = [each.merchant_uid for each in said if each.merchant_uid not in self._touched]
        found += [f"{number} is said to be revoked in the console, and nobody was there" for number in ours]
        if found:
            raise BrokenError("\n".join(found))

    def violations(self) -> list[tuple[str, Violation]]:
        """Where the books of this moment break a promise."""
        leeways = Leeways(settle=timedelta(0), overdue=timedelta(hours=2))
        found = violations(self.books(), leeways)
        return [(name, each) for name, each in found if not is_excused(name, each, self._touched, self._terminated)]

    def books(self) -> Books:
        """All books of this moment."""
        return books_of(self.now, self.ledger, self.portone, self.temporal, self._operations)

    def told(self) -> str:
        """The whole story, with what went wrong between, and what the books say."""
        return "\n".join([*self.story, "went wrong:", *told(self.portone, self.ledger)])


def _carried(value: Any) -> Any:
    """As a payload carries it: written and read."""
    if isinstance(value, SubscriptionState):
        return SubscriptionState.model_validate_json(value.model_dump_json())
    return value


def _short(came: Any) -> str:
    return "no answer yet" if came is None else str(came.model_dump(exclude_defaults=True, mode="json"))
