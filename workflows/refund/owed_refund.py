"""What an ended subscription still owes: it stands parked until it went back, or a person decides.

Its row in the ledger was written by the run that ended. What if this run dies? A refund is a workflow of its own, is
written before it is sent, and is known again by its mark; every try first asks PortOne what has gone back already.
"""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import VersioningBehavior

from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.parked import Decision
from billing.domain.records import RefundState
from billing.domain.refund_messages import StartRefund
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.verdict import net_amount, returned_amount
from workflows import policies
from workflows.ports import PaymentActivities
from workflows.refund.owing import OWED_REFUND, StartOwedRefund
from workflows.refund.refunding import refund_to_the_end
from workflows.unexpected_payment.contracts import FactDecided, FactState
from workflows.unexpected_payment.parked_watch import ParkedWatch


@workflow.defn(name=OWED_REFUND, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class OwedRefundWorkflow(ParkedWatch):
    """Watches one amount that is owed; ends when it went back, here or elsewhere, or a person let it be."""

    @workflow.init
    def __init__(self, start: StartOwedRefund) -> None:
        super().__init__(start.parked, start.status)
        self._start = start
        self._refund_id = start.refund_id
        self._tries = 0
        # A refund of which nothing is known is gone on with under its own id: PortOne may have made it.
        self._anew = start.refused

    @workflow.run
    async def run(self, start: StartOwedRefund) -> FactState:  # noqa: ARG002 - what Temporal passes to init, too
        """Wait for a decision, and look daily whether it went back by itself."""
        return await self.stand()

    async def _look(self) -> FactState | None:
        if await self._still_owed():
            return None
        await self._close("it went back elsewhere")
        return FactState.REFUNDED

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
