"""A schedule that was left on the key of an ended subscription: watched until it is over, or decided.

Its row in the ledger was written by the run that ended. What if this run dies? It holds nothing but that row: every
step reads PortOne's schedule anew, and taking back does nothing the second time.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior
from temporalio.exceptions import ApplicationError

from billing.domain import takeover
from billing.domain.facts import PaymentFact
from billing.domain.known_order import AskedOrder
from billing.domain.parked import DECISIONS, Decision, ParkedKind
from billing.domain.subscription.decision import DecisionTaken
from workflows import policies
from workflows.billing_key import key_look
from workflows.billing_key.contracts import StartLeftSchedule
from workflows.contracts import Unschedule
from workflows.ports import FactActivities, LedgerActivities, ScheduleActivities
from workflows.unexpected_payment import left_entry
from workflows.unexpected_payment.contracts import FactDecided, FactState, ReportedFact

PARKED = SearchAttributeKey.for_keyword("Parked")


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class LeftScheduleWorkflow:
    """Watches one order number; ends when it was taken back, has run, was taken over, or a person let it be."""

    @workflow.init
    def __init__(self, start: StartLeftSchedule) -> None:
        self._start = start
        self._order: DecisionTaken | None = None
        self._answer: FactDecided | None = None
        self._over = self._ended = False

    @workflow.run
    async def run(self, start: StartLeftSchedule) -> FactState:
        """Wait for a decision, and look at the schedule daily and soon after it is to run."""
        workflow.upsert_search_attributes([PARKED.value_set(ParkedKind.SCHEDULE_LEFT.value)])
        workflow.set_current_details(f"**Parked, a person must decide:** {start.parked.reason}")
        ended: FactState | None = None
        while ended is None:
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._order is not None,
                    timeout=self._until_the_next_look(workflow.now()),
                    timeout_summary=f"{start.row.merchant_uid} stands parked: a decision, or the next look",
                )
            ended = await self._look() if self._order is None else await self._carry_out(self._order)
        self._ended = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    @workflow.update(description="A person's decision about a charge that was left on the key.")
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
        # Asked here alone, where no replay comes: a run that began before may have taken a second decision meanwhile.
        if self._order is not None:
            raise _refused("already_decided", "a decision is being carried out: look again")
        self._check(order)

    def _check(self, order: DecisionTaken) -> None:
        if self._over or order.parked_id not in (None, self._start.parked.parked_id):
            raise _refused("already_decided", "it stands no longer: somebody has decided, or it was found out")
        allowed = DECISIONS[ParkedKind.SCHEDULE_LEFT]
        if order.decision not in allowed:
            raise _refused("not_allowed", f"allowed of schedule_left: {', '.join(each.value for each in allowed)}")

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
        verdict = await key_look.what_it_came_to(row)
        await self._ran(key_look.TakenBack(row, verdict=verdict).paid)
        return FactState.NOTED

    async def _carry_out(self, order: DecisionTaken) -> FactState | None:
        if order.decision is Decision.KEEP:
            await self._close(f"{order.by} decided keep: {order.reason}", order)
            return self._answered(order, FactDecided(state=FactState.KEPT), FactState.KEPT)
        back = await key_look.take_back(self._start.row, _revoke)
        if back.revoked:
            await self._close(f"{order.by} decided revoke: {order.reason}", order)
            return self._answered(order, FactDecided(state=FactState.REVOKED), FactState.REVOKED)
        said = takeover.in_words("it could not be taken back", [key_look.told(back)])
        ran = back.row.status == "executed"
        if ran:
            await self._ran(back.paid)
        code = "charged_meanwhile" if ran else "schedule_not_revoked"
        return self._answered(order, FactDecided(done=False, code=code, message=said), FactState.NOTED if ran else None)

    def _answered(self, order: DecisionTaken, answer: FactDecided, ended: FactState | None) -> FactState | None:
        self._answer = answer
        if self._order is order:
            self._order = None
        return ended

    async def _ran(self, paid: PaymentFact | None) -> None:
        """It charged: what was paid is handed on to be announced, and nothing is left to decide of the schedule."""
        if paid is not None:
            reported = ReportedFact(
                imp_uid=paid.imp_uid,
                merchant_uid=paid.merchant_uid,
                status=paid.status,
                handed_on_by=self._start.ordered_by or self._start.parked.subscription_id,
            )
            await workflow.execute_activity_method(
                FactActivities.report_facts, [reported], summary=f"hand on {paid.imp_uid}", **policies.LEDGER
            )
        await self._close("it has run")

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

    async def _close(self, summary: str, order: DecisionTaken | None = None) -> None:
        entry = left_entry.ended(self._start.parked, self._start.status, workflow.now(), order)
        await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary[:200], **policies.LEDGER)
        self._over = True
        workflow.upsert_search_attributes([PARKED.value_unset()])
        workflow.set_current_details(summary)


async def _revoke(customer_uid: str, merchant_uid: str, summary: str) -> bool:
    await workflow.execute_activity_method(
        ScheduleActivities.unschedule,
        Unschedule(customer_uid=customer_uid, merchant_uid=merchant_uid),
        summary=summary,
        **policies.REPEATABLE,
    )
    return True


def _refused(code: str, message: str) -> ApplicationError:
    return ApplicationError(message, type=code, non_retryable=True)
