"""What an ended subscription still owes: it stands parked until it went back, or a person decides.

Its row in the ledger was written by the run that ended. What if this run dies? A refund is a workflow of its own, is
written before it is sent, and is known again by its mark; every try first asks PortOne what has gone back already.
"""

from collections.abc import Sequence
from contextlib import suppress

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior
from temporalio.exceptions import ApplicationError

from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.parked import DECISIONS, Decision, ParkedKind
from billing.domain.records import RefundState
from billing.domain.refund_messages import StartRefund
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.verdict import net_amount, returned_amount
from workflows import policies
from workflows.ports import LedgerActivities, PaymentActivities
from workflows.refund.owing import OWED_REFUND, StartOwedRefund
from workflows.refund.refunding import refund_to_the_end
from workflows.subscription.commands.decisions import check_decision
from workflows.unexpected_payment import left_entry
from workflows.unexpected_payment.contracts import FactDecided, FactState

PARKED = SearchAttributeKey.for_keyword("Parked")


@workflow.defn(name=OWED_REFUND, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class OwedRefundWorkflow:
    """Watches one amount that is owed; ends when it went back, here or elsewhere, or a person let it be."""

    @workflow.init
    def __init__(self, start: StartOwedRefund) -> None:
        self._start = start
        self._refund_id = start.refund_id
        self._tries = 0
        # A refund of which nothing is known is gone on with under its own id: PortOne may have made it.
        self._anew = start.refused
        self._order: DecisionTaken | None = None
        self._answer: FactDecided | None = None
        self._over = self._ended = False

    @workflow.run
    async def run(self, start: StartOwedRefund) -> FactState:
        """Wait for a decision, and look daily whether it went back by itself."""
        workflow.upsert_search_attributes([PARKED.value_set(ParkedKind.REFUND_OWED.value)])
        workflow.set_current_details(f"**Parked, a person must decide:** {start.parked.reason}")
        ended: FactState | None = None
        while ended is None:
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._order is not None,
                    timeout=policies.FACT_LOOK,
                    timeout_summary="until a person decides, or it went back by itself",
                )
            if self._order is not None:
                ended = await self._carry_out(self._order)
            elif not await self._still_owed():
                await self._close("it went back elsewhere")
                ended = FactState.REFUNDED
        self._ended = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    @workflow.update(description="A person's decision about money that is owed and was not given back.")
    async def decide(self, order: DecisionTaken) -> FactDecided:
        """Carry a person's decision out.

        Raises:
            ApplicationError: somebody else was faster.
        """
        self._check(order)
        self._order, self._answer = order, None
        await workflow.wait_condition(lambda: self._answer is not None or self._ended)
        if self._answer is None:
            raise _refused("already_decided", "it was over before the decision could be carried out: look again")
        return self._answer

    @decide.validator
    def _check_decide(self, order: DecisionTaken) -> None:
        check_decision(order)
        self._check(order)

    def _check(self, order: DecisionTaken) -> None:
        if self._over or self._order is not None or order.parked_id not in (None, self._start.parked.parked_id):
            raise _refused("already_decided", "it stands no longer, or a decision is being carried out: look again")
        allowed = DECISIONS[ParkedKind.REFUND_OWED]
        if order.decision not in allowed:
            raise _refused("not_allowed", f"allowed of refund_owed: {', '.join(each.value for each in allowed)}")

    # -------------------------------------------------------------- what is left of it

    async def _still_owed(self) -> int:
        """What of it did not go back yet and PortOne still holds, in minor units."""
        parked = self._start.parked
        rows: Sequence[PaymentFact] = await workflow.execute_activity_method(
            PaymentActivities.find_payments,
            parked.merchant_uid,
            summary=f"what is left of {parked.merchant_uid}",
            **policies.LOOK_UP,
        )
        own = [row for row in rows if parked.imp_uid in (None, row.imp_uid)]
        back = max(0, sum(returned_amount(row) for row in own) - self._start.returned)
        return max(0, min(self._start.amount.amount - back, sum(net_amount(row) for row in own)))

    # -------------------------------------------------------------- deciding

    async def _carry_out(self, order: DecisionTaken) -> FactState | None:
        if order.decision is Decision.KEEP:
            await self._close(f"{order.by} decided keep: {order.reason}", order)
            return self._answered(FactDecided(state=FactState.KEPT), FactState.KEPT)
        left = await self._still_owed()
        if not left:
            await self._close("it went back elsewhere", order)
            return self._answered(FactDecided(state=FactState.REFUNDED), FactState.REFUNDED)
        settled = await refund_to_the_end(self._refund(left, order))
        if settled.state is RefundState.REFUNDED:
            await self._close(f"it went back, as {order.by} decided: {order.reason}", order)
            answer = FactDecided(state=FactState.REFUNDED, refunded=settled.amount)
            return self._answered(answer, FactState.REFUNDED)
        self._anew = settled.state is RefundState.REFUSED
        code = "refund_refused" if self._anew else "refund_unknown"
        return self._answered(FactDecided(done=False, code=code, message=settled.message or settled.code), None)

    def _refund(self, left: int, order: DecisionTaken) -> StartRefund:
        if self._anew:
            self._tries += 1
            self._refund_id = f"{self._start.refund_id}-{self._tries}"
        parked = self._start.parked
        return StartRefund(
            refund_id=self._refund_id,
            merchant_uid=parked.merchant_uid,
            amount=Money(left, self._start.amount.currency),
            reason=self._start.reason or order.reason,
            customer_uid=parked.customer_uid,
            subscription_id=parked.subscription_id,
            imp_uid=parked.imp_uid,
        )

    def _answered(self, answer: FactDecided, ended: FactState | None) -> FactState | None:
        self._answer, self._order = answer, None
        return ended

    async def _close(self, summary: str, order: DecisionTaken | None = None) -> None:
        entry = left_entry.ended(self._start.parked, self._start.status, workflow.now(), order)
        await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary[:200], **policies.LEDGER)
        self._over = True
        workflow.upsert_search_attributes([PARKED.value_unset()])
        workflow.set_current_details(summary)


def _refused(code: str, message: str) -> ApplicationError:
    return ApplicationError(message, type=code, non_retryable=True)
