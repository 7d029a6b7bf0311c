"""What one run of a subscription has in hand: its start, its state, the ways to wait, to write and to be seen."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from temporalio import workflow
from temporalio.common import SearchAttributeKey

from billing.domain.calendar import cycle_due
from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.records import (
    ChargeIntent,
    ChargeKind,
    ChargeResult,
    Disposition,
    LedgerEntry,
    SubscriptionRecord,
    WebhookDisposition,
)
from billing.domain.states import CycleState
from billing.domain.verdict import Expected
from workflows import policies
from workflows.contracts import CancelSubscription, PaymentReported, StartSubscription, SubscriptionSnapshot
from workflows.ports import LedgerActivities
from workflows.subscription_state import SubscriptionState

STATUS = SearchAttributeKey.for_keyword("SubscriptionStatus")
PG_PROVIDER = SearchAttributeKey.for_keyword("PgProvider")
NEXT_CHARGE_AT = SearchAttributeKey.for_datetime("NextChargeAt")
FAILED_ATTEMPTS = SearchAttributeKey.for_int("FailedAttempts")


class SubscriptionRun:
    """The desk that the steps of a subscription work at."""

    def __init__(self, start: StartSubscription, state: SubscriptionState) -> None:
        self.start = start
        self.state = state
        self.cancel_order: CancelSubscription | None = None
        self.wakes_at: datetime | None = None
        self.opened = False
        self._shown: tuple[object, ...] = ()
        self.failures_seen: set[str] = set()
        self._answered: list[WebhookDisposition] = []

    @property
    def merchant_uid(self) -> str:
        """The order number of the current cycle."""
        return self.state.merchant_uid(self.start.subscription_id)

    @property
    def charging(self) -> bool:
        """Whether a further charge is planned; not so once the cancel is set or the term is paid in full."""
        term = self.start.plan.max_cycles
        return not self.state.cancel_at_period_end and (term is None or self.state.paid_cycles < term)

    def expected(self) -> Expected:
        """What PortOne's rows of the current cycle are judged against."""
        return Expected(self.merchant_uid, self.start.plan.price, self.start.customer_uid)

    def due(self, cycle: int) -> datetime:
        """The instant at which `cycle` is due, from the anchor."""
        return cycle_due(self.state.anchor, self.start.plan.interval, cycle)

    def intent(self) -> ChargeIntent:
        """The current cycle as the ledger knows it before anything can charge it."""
        plan = self.start.plan
        return ChargeIntent(
            merchant_uid=self.merchant_uid,
            workflow_id=workflow.info().workflow_id,
            kind=ChargeKind.CYCLE,
            amount=plan.price,
            name=plan.name,
            due_at=self.state.due_at,
            subscription_id=self.start.subscription_id,
            customer_uid=self.start.customer_uid,
            cycle=self.state.cycle,
            generation=self.state.generation,
            tax_free=plan.tax_free,
            vat_amount=plan.vat_amount,
        )

    def result(self, state: CycleState, payment: PaymentFact | None, reason: str | None = None) -> ChargeResult:
        """What was found out about the current cycle, for the ledger."""
        return ChargeResult(
            merchant_uid=self.merchant_uid,
            state=state,
            at=workflow.now(),
            imp_uid=payment.imp_uid if payment else None,
            message=reason,
        )

    def note_failures(self, rows: Sequence[PaymentFact]) -> None:
        """Remember every failed row of a look, so that an old failure is not counted again after the next attempt."""
        self.failures_seen.update(row.imp_uid for row in rows if row.status == "failed")

    # -------------------------------------------------------------- waiting

    async def hear(self, until: datetime, summary: str) -> None:
        """Wait until a webhook rings, an order comes, or `until`; whichever is first."""
        left = until - workflow.now()
        if left <= timedelta(0):
            return
        self.wakes_at = until
        try:
            await workflow.wait_condition(
                lambda: bool(self.state.bells) or self.cancel_order is not None, timeout=left, timeout_summary=summary
            )
        except TimeoutError:
            pass
        finally:
            self.wakes_at = None

    async def pause(self, duration: timedelta, summary: str) -> None:
        """Wait while an outcome is open: a webhook ends the wait early, an order does not."""
        self.wakes_at = workflow.now() + duration
        try:
            await workflow.wait_condition(lambda: bool(self.state.bells), timeout=duration, timeout_summary=summary)
        except TimeoutError:
            pass
        finally:
            self.wakes_at = None
        for bell in self.take_bells():
            self.answer_bell(bell, Disposition.APPLIED)

    def take_bells(self) -> list[PaymentReported]:
        """The bells since the last look, taken off the desk."""
        bells, self.state.bells = self.state.bells, []
        return bells

    def answer_bell(self, bell: PaymentReported, disposition: Disposition) -> None:
        """Say what a webhook came to; the next write closes its inbox row."""
        self._answered.append(WebhookDisposition(bell.merchant_uid, bell.imp_uid, bell.status, disposition))

    @property
    def has_answers(self) -> bool:
        """Whether webhooks have been answered whose inbox rows no write has closed yet."""
        return bool(self._answered)

    async def close_answered_bells(self) -> None:
        """Close the inbox rows of webhooks that said nothing new, when no other write did it."""
        if self._answered:
            await self.write("a webhook that said nothing new")

    # -------------------------------------------------------------- writing

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
        self.state.revision += 1
        webhooks, self._answered = tuple(self._answered), []
        entry = LedgerEntry(
            subscription=self.record(),
            intents=tuple(intents),
            results=tuple(results),
            payments=tuple(payments),
            billing_key=billing_key,
            deleted_billing_key=deleted_billing_key,
            webhooks=webhooks,
        )
        await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary, **policies.LEDGER)
        self.show()

    def record(self) -> SubscriptionRecord:
        """The subscription as a person or a list reads it."""
        state, start = self.state, self.start
        ended = state.ended_at is not None
        return SubscriptionRecord(
            subscription_id=start.subscription_id,
            customer_uid=start.customer_uid,
            workflow_id=workflow.info().workflow_id,
            status=state.status,
            plan=start.plan,
            customer=start.customer,
            started_at=state.started_at,
            revision=state.revision,
            cycle=state.cycle,
            cycle_state=state.cycle_state,
            current_period_start=state.period_start,
            current_period_end=state.period_end,
            next_charge_at=self.next_charge_at(),
            merchant_uid=None if ended else self.merchant_uid,
            failed_attempts=state.failed_attempts,
            cancel_at_period_end=state.cancel_at_period_end,
            parked_reason=state.parked_reason,
            last_failure=state.last_failure,
            pg_provider=state.pg_provider,
            card=state.card,
            metadata=start.metadata,
            ended_at=state.ended_at,
            end_reason=state.end_reason,
        )

    def next_charge_at(self) -> datetime | None:
        """When the card is charged next, or None when it will not be."""
        return None if self.state.ended_at is not None or not self.charging else self.state.due_at

    def snapshot(self) -> SubscriptionSnapshot:
        """Where the subscription stands at this moment."""
        state, start = self.state, self.start
        return SubscriptionSnapshot(
            subscription_id=start.subscription_id,
            customer_uid=start.customer_uid,
            status=state.status,
            cycle=state.cycle,
            cycle_state=state.cycle_state,
            merchant_uid=self.merchant_uid,
            next_charge_at=self.next_charge_at(),
            wakes_at=self.wakes_at,
            current_period_start=state.period_start,
            current_period_end=state.period_end,
            failed_attempts=state.failed_attempts,
            cancel_at_period_end=state.cancel_at_period_end,
            parked_reason=state.parked_reason,
            last_failure=state.last_failure,
            last_failure_code=state.last_failure_code,
            card=state.card,
            end_reason=state.end_reason,
            paid_cycles=state.paid_cycles,
        )

    # -------------------------------------------------------------- being seen

    def show(self) -> None:
        """Make the Temporal UI tell the story: search attributes when they changed, and the current details."""
        state = self.state
        shown = (state.status.value, state.pg_provider, self.next_charge_at(), state.failed_attempts)
        if shown != self._shown:
            self._shown = shown
            status, provider, next_charge_at, failures = shown
            workflow.upsert_search_attributes(
                [
                    STATUS.value_set(status),
                    PG_PROVIDER.value_set(provider) if provider else PG_PROVIDER.value_unset(),
                    NEXT_CHARGE_AT.value_set(next_charge_at) if next_charge_at else NEXT_CHARGE_AT.value_unset(),
                    FAILED_ATTEMPTS.value_set(failures),
                ]
            )
        workflow.set_current_details(self.details())

    def details(self) -> str:
        """The current details in Markdown: plan, amount, card, state and the next date."""
        state, plan = self.state, self.start.plan
        lines = [f"**{plan.name}**: {plan.price} {plan.interval}, card {state.card or 'not yet known'}"]
        lines.append(f"Status **{state.status.value}**, {state.paid_cycles} periods paid")
        if state.ended_at is not None:
            lines.append(f"Ended {self.local(state.ended_at)}: {state.end_reason}")
        elif self.charging:
            how = "scheduled at PortOne" if state.booked else "planned"
            lines.append(f"Period {state.cycle}: {how} for {self.local(state.due_at)}, order `{self.merchant_uid}`")
        elif state.period_end is not None:
            lines.append(f"No further charge; ends {self.local(state.period_end)}")
        if state.failed_attempts:
            lines.append(f"Attempts failed in this period: {state.failed_attempts}, last: {state.last_failure}")
        if state.parked_reason:
            lines.append(f"**Parked, a person must look:** {state.parked_reason}")
        return "\n\n".join(lines)

    def local(self, instant: datetime) -> str:
        """An instant as the plan's zone reads it, to the minute."""
        return instant.astimezone(ZoneInfo(self.start.plan.zone)).strftime("%Y-%m-%d %H:%M %Z")
