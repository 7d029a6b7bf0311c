"""A schedule that was left on the key of an ended subscription: watched until it is over, or decided.

Its row in the ledger was written by the run that ended. What if this run dies? It holds nothing but that row: every
step reads PortOne's schedule anew, and taking back does nothing the second time.
"""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

from billing.domain import takeover
from billing.domain.known_order import AskedOrder
from billing.domain.parked import Decision
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.verdict import Finding
from workflows import policies
from workflows.billing_key import key_look
from workflows.billing_key.contracts import StartLeftSchedule
from workflows.contracts import Unschedule
from workflows.ports import LedgerActivities, ScheduleActivities
from workflows.unexpected_payment.contracts import FactDecided, FactState
from workflows.unexpected_payment.parked_watch import ParkedWatch


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class LeftScheduleWorkflow(ParkedWatch):
    """Watches one order number; ends when it was taken back, has run, was taken over, or a person let it be."""

    @workflow.init
    def __init__(self, start: StartLeftSchedule) -> None:
        super().__init__(start.parked, start.status)
        self._start = start

    @workflow.run
    async def run(self, start: StartLeftSchedule) -> FactState:  # noqa: ARG002 - what Temporal passes to init, too
        """Wait for a decision, and look at the schedule daily and soon after it is to run."""
        return await self.stand()

    def _until_the_next_look(self, now: datetime) -> timedelta:
        soon = self._start.row.schedule_at + policies.LEFT_SCHEDULE_RAN - now
        return soon if timedelta(0) < soon < policies.LEFT_SCHEDULE_LOOK else policies.LEFT_SCHEDULE_LOOK

    async def _look(self) -> FactState | None:
        """Whether it is over by itself; None while it stands."""
        if await self._is_taken_over():
            await self._close("it was taken over by a subscription")
            return FactState.NOTHING_NEW
        row = await key_look.find_row(self._start.row.merchant_uid)
        if row is None or row.status == "revoked":
            await self._close("it was taken back elsewhere")
            return FactState.REVOKED
        if row.status != "executed":
            return None
        return await self._ran(key_look.TakenBack(row, verdict=await key_look.what_it_came_to(row)))

    async def _carry_out(self, order: DecisionTaken) -> FactState | None:
        if order.decision is Decision.KEEP:
            await self._close(f"{order.by} decided keep: {order.reason}", order)
            return self._answered(FactDecided(state=FactState.KEPT), FactState.KEPT)
        back = await key_look.take_back(self._start.row, _revoke)
        if back.revoked:
            await self._close(f"{order.by} decided revoke: {order.reason}", order)
            return self._answered(FactDecided(state=FactState.REVOKED), FactState.REVOKED)
        said = takeover.in_words("it could not be taken back", [key_look.told(back)])
        ran = back.row.status == "executed"
        ended = await self._ran(back) if ran else None
        code = "charged_meanwhile" if ran else "schedule_not_revoked"
        return self._answered(FactDecided(done=False, code=code, message=said), ended)

    async def _ran(self, back: key_look.TakenBack) -> FactState | None:
        """It charged: what was paid is handed on to be announced; None while PortOne does not show what it came to."""
        if back.verdict is not None and back.verdict.finding is Finding.PENDING:
            return None
        if back.paid is not None:
            await self._hand_on([back.paid], self._start.ordered_by or self._start.parked.subscription_id)
        await self._close("it has run")
        return FactState.NOTED

    async def _is_taken_over(self) -> bool:
        """Whether a living subscription, and not the life that left it, will be paid by it."""
        asked = [AskedOrder(self._start.row.merchant_uid)]
        known = await workflow.execute_activity_method(
            LedgerActivities.known_orders, asked, summary="was it taken over", **policies.LEDGER
        )
        order = known[0].order
        if order is None:
            return False
        # A life whose run was terminated counts as living in the ledger, and its period as open.
        return order.is_open and known[0].subscription_id != self._start.ordered_by


async def _revoke(customer_uid: str, merchant_uid: str, summary: str) -> bool:
    await workflow.execute_activity_method(
        ScheduleActivities.unschedule,
        Unschedule(customer_uid=customer_uid, merchant_uid=merchant_uid),
        summary=summary,
        **policies.REPEATABLE,
    )
    return True
