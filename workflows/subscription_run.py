"""What one run of a subscription has in hand: its start, its state, the ways to wait and to write."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from billing.domain import calls
from billing.domain.bills import Bill, Holding, partial_bill, period_bill
from billing.domain.calendar import cycle_due, local_time
from billing.domain.calls import CallKind
from billing.domain.event_catalogue import event
from billing.domain.event_data import EventData
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.parked import DecisionRecord, ParkedRecord
from billing.domain.pg_capabilities import least_charge, provider_of
from billing.domain.plans import PlanTerms
from billing.domain.records import (
    ChargeIntent,
    ChargeKind,
    ChargeResult,
    ConsentRecord,
    Disposition,
    LedgerEntry,
    PendingChange,
    RefundRecord,
    WebhookDisposition,
)
from billing.domain.refund_messages import RefundSettled
from billing.domain.states import CycleState
from billing.domain.subscription.answers import CancelAnswered, OrderAnswered
from billing.domain.subscription.records import OpenOrder
from billing.domain.subscription.reports import PaymentReported
from billing.domain.subscription.start import PortOneChannel, StartSubscription
from billing.domain.subscription.state import SubscriptionState
from billing.domain.verdict import Expected
from workflows import first_period, parking, policies, showing
from workflows.orders import Order
from workflows.ports import LedgerActivities


@dataclass(slots=True)
class PlacedOrder:
    """An order on the desk, and what came of it."""

    order: Order
    answer: OrderAnswered | CancelAnswered | None = None
    refusal: ApplicationError | None = None
    told: bool = False

    @property
    def settled(self) -> bool:
        """Whether the main loop has answered it."""
        return self.answer is not None or self.refusal is not None


@dataclass(slots=True)
class _Outbox:
    events: list[OutgoingEvent] = field(default_factory=list)
    results: list[ChargeResult] = field(default_factory=list)
    webhooks: list[WebhookDisposition] = field(default_factory=list)
    consents: list[ConsentRecord] = field(default_factory=list)
    parked: dict[str, ParkedRecord] = field(default_factory=dict)
    decisions: list[DecisionRecord] = field(default_factory=list)
    refunds: list[RefundRecord] = field(default_factory=list)


class SubscriptionRun:
    """The desk that the steps of a subscription work at."""

    def __init__(self, start: StartSubscription, state: SubscriptionState) -> None:
        self.start = start
        self.state = state
        self.orders: list[PlacedOrder] = []
        self.wakes_at: datetime | None = None
        self.stirred = False
        self.asking: PlacedOrder | None = None
        self.refunding: workflow.ChildWorkflowHandle[Any, RefundSettled] | None = None
        self.opened = False
        self.failures_seen: set[str] = set()
        self.shown: tuple[Any, ...] = ()
        self.charged_from: tuple[str, datetime] | None = None
        self._answered: list[PlacedOrder] = []
        self._out = _Outbox()

    # -------------------------------------------------------------- what is charged

    @property
    def merchant_uid(self) -> str:
        """The order number of the current cycle."""
        return self.state.merchant_uid(self.start.subscription_id)

    @property
    def customer_uid(self) -> str:
        """The billing key that is charged; the workflow keeps the id of the one it was started under."""
        return self.state.customer_uid or self.start.customer_uid

    @property
    def channel(self) -> PortOneChannel:
        """The channel that the billing key belongs to."""
        return self.state.channel or self.start.channel

    @property
    def plan(self) -> PlanTerms:
        """The terms in force."""
        return self.state.plan or self.start.plan

    @property
    def charging(self) -> bool:
        """Whether a further charge is planned; not so once a cancel or pause is set or the term is paid in full.

        The term is that of what the next period is charged for: a pending change may go on beyond the one in force.
        """
        state = self.state
        stopping = state.cancel_at_period_end or state.pause_at_period_end or state.paused_at is not None
        return state.ended_at is None and not stopping and not self.term_is_paid

    @property
    def term_is_paid(self) -> bool:
        """Whether every period of a fixed term is paid for and given."""
        return not self.state.another_begins(self.holding().terms.max_cycles)

    def held(self) -> PendingChange:
        """What is held now, whole."""
        return PendingChange(self.plan, self.state.quantity, self.state.coupon)

    def holding(self) -> Holding:
        """What the open period is charged for: what it changes to, where a change comes with it."""
        return self.holding_of(self.state.coming_change or self.held())

    def holding_of(self, held: PendingChange) -> Holding:
        """What would be held, with its coupon only while that applies."""
        coupon, used = held.coupon, self._coupon_cycles_used(held)
        return Holding(held.plan, held.quantity, coupon if coupon is not None and coupon.applies(used) else None)

    def _coupon_cycles_used(self, held: PendingChange) -> int:
        same = held.coupon == self.state.coupon and not held.coupon_anew
        return self.state.coupon_cycles_used if same else 0

    def whole_period(self) -> tuple[datetime, datetime]:
        """The whole period that runs, of which each day costs its share, also where it was entered in the middle."""
        state = self.state
        start = state.counts_from or state.period_start
        assert start is not None  # noqa: S101 - an active subscription has a period
        assert state.period_end is not None  # noqa: S101
        return start, state.period_end

    def has_another_calendar(self, plan: PlanTerms) -> bool:
        """Whether the periods of that plan lie elsewhere than those of the one in force."""
        return (plan.interval, plan.zone) != (self.plan.interval, self.plan.zone)

    def take_over(self, held: PendingChange, *, coupon_used: bool) -> None:
        """Hold something else from now on; a new coupon begins to be counted."""
        state = self.state
        used = self._coupon_cycles_used(held)
        state.plan, state.quantity, state.coupon = held.plan, held.quantity, held.coupon
        state.coupon_cycles_used = used + (1 if coupon_used else 0)
        state.pending_change = None

    def bill(self) -> Bill:
        """What the open period is charged: the same function makes the preview, so they cannot disagree."""
        return self.bill_of(self.holding(), self.state.balance)

    def bill_of(self, holding: Holding, balance: int) -> Bill:
        """What the open period would be charged for holding that."""
        if not self.is_a_part:
            return period_bill(holding, balance, self.least_charge())
        return partial_bill(holding, self.state.paid_days, first_period.days(self), balance, self.least_charge())

    @property
    def is_a_part(self) -> bool:
        """Whether the open period is the rest of one, entered in its midst; one of another calendar begins whole."""
        change = self.state.coming_change
        return bool(self.state.paid_days) and not (change is not None and self.has_another_calendar(change.plan))

    def least_charge(self) -> int:
        """The least that the PG behind the key takes at once, in minor units; 0 where that is not known."""
        return least_charge(self.state.pg_provider or provider_of(self.channel.pg), self.plan.price.currency)

    def ordered(self) -> OpenOrder:
        """What the current order number stands for, as it was recorded with its intent."""
        recorded = self.state.open_order
        return recorded if recorded is not None and recorded.merchant_uid == self.merchant_uid else self.would_open()

    def expected(self) -> Expected:
        """What PortOne's rows of the current order are judged against: what was recorded with its intent."""
        order = self.ordered()
        return Expected(order.merchant_uid, order.amount, order.customer_uid)

    def due(self, cycle: int) -> datetime:
        """The instant at which `cycle` is due, from the anchor."""
        return cycle_due(self.state.anchor, self.plan.interval, cycle - self.state.first_cycle + 1)

    def intent(self) -> ChargeIntent:
        """The current cycle as the ledger knows it before anything can charge it; noted as what its number means."""
        bill = self.bill()
        self.state.open_order = self.would_open()
        return ChargeIntent(
            merchant_uid=self.merchant_uid,
            workflow_id=workflow.info().workflow_id,
            kind=ChargeKind.CYCLE,
            amount=bill.amount,
            name=self.holding().terms.name,
            due_at=self.state.due_at,
            subscription_id=self.start.subscription_id,
            customer_uid=self.customer_uid,
            cycle=self.state.cycle,
            generation=self.state.generation,
            tax_free=bill.tax_free,
            vat_amount=bill.vat_amount,
        )

    def would_open(self) -> OpenOrder:
        """What the current order number would mean now."""
        bill = self.bill()
        return OpenOrder(
            merchant_uid=self.merchant_uid,
            amount=bill.amount,
            tax_free=bill.tax_free,
            vat_amount=bill.vat_amount,
            customer_uid=self.customer_uid,
            name=self.holding().terms.name,
        )

    def result(self, state: CycleState, payment: PaymentFact | None, reason: str | None = None) -> ChargeResult:
        """What was found out about the current cycle, for the ledger; with its day where we charged it on another."""
        (number, day), self.charged_from = self.charged_from or ("", None), None
        due_at = day if number == self.merchant_uid else None
        imp_uid = payment.imp_uid if payment else None
        return ChargeResult(self.merchant_uid, state, workflow.now(), imp_uid, message=reason, due_at=due_at)

    def note_failures(self, rows: Sequence[PaymentFact]) -> None:
        """Remember every failed row of a look, so that an old failure is not counted again after the next attempt."""
        self.failures_seen.update(row.imp_uid for row in rows if row.status == "failed")

    # -------------------------------------------------------------- orders

    async def place(self, order: Order) -> OrderAnswered | CancelAnswered:
        """Leave an order for the main loop and hand on its answer.

        Raises:
            ApplicationError: the order was refused; its type is the stable code.
        """
        placed = PlacedOrder(order)
        self.orders.append(placed)
        self.stirred = True
        await workflow.wait_condition(lambda: placed.told)
        if placed.refusal is not None:
            raise placed.refusal
        assert placed.answer is not None  # noqa: S101 - settled without a refusal is answered
        return placed.answer

    def told_later(self, placed: PlacedOrder) -> None:
        """Tell an answer when nothing more is to be done at once, so that it says where that has led."""
        self._answered.append(placed)

    def tell_answers(self) -> None:
        """Tell what was answered, with where the subscription stands now."""
        answered, self._answered = self._answered, []
        for placed in answered:
            if isinstance(placed.answer, OrderAnswered):
                placed.answer = placed.answer.model_copy(update={"snapshot": showing.snapshot(self)})
            placed.told = True

    async def wait(self, until: datetime | None, summary: str) -> None:
        """The one wait of a subscription: until something comes that was not there before it, or until `until`."""
        left = None if until is None else min(until - workflow.now(), policies.LONGEST_WAIT)
        if left is not None and left <= timedelta(0):
            return
        self.stirred, self.wakes_at = False, until
        try:
            await workflow.wait_condition(lambda: self.stirred, timeout=left, timeout_summary=summary)
        except TimeoutError:
            pass
        finally:
            self.wakes_at = None

    def call_on_its_way(self, kind: CallKind, about: str, at: datetime) -> None:
        """Keep in mind that a call was not answered: until its window is over it may still be carried out."""
        self.state.calls = calls.sent(self.state.calls, kind, about, at, self.start.policy.quiet)

    def asked_in_vain(self) -> None:
        """PortOne did not answer: it is asked again later, and commands are heard meanwhile."""
        ladder = policies.ASK_AGAIN_AFTER
        wait = ladder[min(self.state.unanswered, len(ladder) - 1)]
        self.state.unanswered += 1
        self.state.asks_again_at = workflow.now() + wait

    def was_answered(self) -> None:
        """PortOne answers again."""
        self.state.unanswered, self.state.asks_again_at = 0, None

    @property
    def may_ask(self) -> bool:
        """Whether PortOne is to be asked now, and not only after a while since it did not answer."""
        at = self.state.asks_again_at
        return at is None or workflow.now() >= at

    def take_bells(self, most: int = policies.BELLS_AT_ONCE) -> list[PaymentReported]:
        """The bells since the last look, taken off the desk, oldest first; more than `most` wait for the next step."""
        bells, self.state.bells = self.state.bells[:most], self.state.bells[most:]
        return bells

    def answer_bell(self, bell: PaymentReported, disposition: Disposition) -> None:
        """Say what a webhook came to; the next write closes its inbox row."""
        self._out.webhooks.append(WebhookDisposition(bell.merchant_uid, bell.imp_uid, bell.status, disposition))

    @property
    def has_answers(self) -> bool:
        """Whether something waits for the next write that no write has taken yet."""
        out = self._out
        return bool(out.webhooks or out.events or out.results or out.parked or out.decisions or out.refunds)

    async def close_answered_bells(self) -> None:
        """Close the inbox rows of webhooks that said nothing new, when no other write did it."""
        if self.has_answers:
            await self.write("a webhook that said nothing new")

    def tell(self, what: EventType, summary: str, data: EventData) -> None:
        """Announce what the next write writes: both are in one transaction, so neither is without the other."""
        number = f"{self.state.revision + 1}-{len(self._out.events)}"
        event_id = f"evt_{self.start.subscription_id}-{number}"
        self._out.events.append(event(what, workflow.now(), event_id, summary, data))

    def close_number(self, state: CycleState, reason: str) -> None:
        """Say in the next write why the current number will not be charged; one that never left is let go for good."""
        if state is CycleState.SKIPPED:
            self.state.open_order = None
        self._out.results.append(self.result(state, None, reason))

    def note_result(self, result: ChargeResult) -> None:
        """Write with the next write what was found out about an order."""
        self._out.results.append(result)

    def note_refund(self, refund: RefundRecord) -> None:
        """Write with the next write what was refunded, here or elsewhere."""
        self._out.refunds.append(refund)

    def note_parked(self, record: ParkedRecord) -> None:
        """Write with the next write what stands parked, or stands no longer."""
        self._out.parked[record.parked_id] = record

    def keep_decision(self, decision: DecisionRecord) -> None:
        """Keep what a person decided, with the next write."""
        self._out.decisions.append(decision)

    @property
    def consent_id(self) -> str:
        """Names the question that was asked last; a changed one is another question."""
        return f"{self.start.subscription_id}-{self.state.cycle}-{self.state.consent_asks}"

    def keep_consent(self, consent: ConsentRecord) -> None:
        """Keep what was asked or answered as evidence, with the next write."""
        self._out.consents.append(consent)

    async def write(
        self,
        summary: str,
        *,
        intents: Sequence[ChargeIntent] = (),
        results: Sequence[ChargeResult] = (),
        payments: Sequence[PaymentFact] = (),
        billing_key: BillingKeyFact | None = None,
        deleted_billing_key: str | None = None,
    ) -> None:
        """Write one step to the ledger in one transaction, then show it in the Temporal UI."""
        parking.keep_in_step(self, payments)
        self.state.revision += 1
        out, self._out = self._out, _Outbox()
        entry = LedgerEntry(
            subscription=showing.record(self),
            intents=tuple(intents),
            results=(*out.results, *results),
            payments=tuple(payments),
            billing_key=billing_key,
            deleted_billing_key=deleted_billing_key,
            webhooks=tuple(out.webhooks),
            events=tuple(out.events),
            consents=tuple(out.consents),
            parked=tuple(out.parked.values()),
            decisions=tuple(out.decisions),
            refunds=tuple(out.refunds),
        )
        await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary, **policies.LEDGER)
        showing.show(self)

    def grace_ends_at(self) -> datetime | None:
        """Until when an unpaid period still gives access; None while nothing has failed."""
        failed_at, policy = self.state.first_failed_at, self.start.policy.dunning
        return policy.suspended_at(failed_at) if policy is not None and failed_at is not None else None

    def next_charge_at(self) -> datetime | None:
        """When the card is charged next, or None when it will not be."""
        ended = self.state.ended_at is not None
        return None if ended or not self.charging or self.state.waits_for_a_card else self.state.due_at

    def local(self, instant: datetime) -> str:
        """An instant as the plan's zone reads it, to the minute."""
        return local_time(instant, self.plan.zone).strftime("%Y-%m-%d %H:%M %Z")
