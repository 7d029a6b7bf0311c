"""A charge whose outcome nobody knew when its subscription was over: looked up until it is known, or decided.

What was paid pays for nothing, and is handed on to be given back. What if this run dies? It holds nothing but its row
in the ledger: every step asks PortOne anew.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

from temporalio import workflow
from temporalio.common import VersioningBehavior

from billing.domain.facts import PaymentFact
from billing.domain.known_order import AskedOrder, Known
from billing.domain.parked import Decision
from billing.domain.records import ChargeResult
from billing.domain.states import CYCLE_TRANSITIONS, CycleState
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.verdict import Expected, Finding, Verdict, judge, net_amount
from workflows import policies
from workflows.billing_key import key_look
from workflows.ports import FactActivities, LedgerActivities, PaymentActivities
from workflows.unexpected_payment.contracts import FactDecided, FactState, ReportedFact, StartLeftCharge
from workflows.unexpected_payment.parked_watch import ParkedWatch

_PROVES: Mapping[Finding, tuple[CycleState, ...]] = MappingProxyType(
    {
        Finding.DECLINED: (CycleState.DECLINED,),
        Finding.REVOKED: (CycleState.REVOKED,),
        Finding.ABSENT: (CycleState.NOT_EXECUTED,),
        Finding.MISMATCH: (CycleState.MISMATCH, CycleState.REFUNDED),
    }
)
"""What is written of the order where nothing of it is held: of what is not as ordered all has gone back."""


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class LeftChargeWorkflow(ParkedWatch):
    """Watches one order; ends when PortOne shows what became of it, or a person has said that it was not paid."""

    @workflow.init
    def __init__(self, start: StartLeftCharge) -> None:
        super().__init__(start.parked, start.status)
        self._start = start
        self._seen = start.seen

    @workflow.run
    async def run(self, start: StartLeftCharge) -> FactState:  # noqa: ARG002 - what Temporal passes to init, too
        """Wait for a decision, and look daily."""
        return await self.stand()

    def _until_the_next_look(self, now: datetime) -> timedelta:  # noqa: ARG002 - daily, whatever the time
        return policies.FACT_LOOK

    async def _look(self) -> FactState | None:
        """Whether it is known by now; None while it is not."""
        rows, verdict = await self._judged()
        held = [row for row in rows if net_amount(row)]
        if held:
            await self._hand_on(held)
            return FactState.NOTED
        self._seen |= any(row.status != "failed" for row in rows)
        if verdict.finding is Finding.ABSENT and (self._seen or _has_run(verdict)):
            return None
        known = _PROVES.get(verdict.finding)
        if known is None:
            return None
        await self._end(known, verdict.reason or known[-1].value)
        return FactState.NOTHING_NEW

    async def _carry_out(self, order: DecisionTaken) -> FactState | None:
        rows, _ = await self._judged()
        held = [row for row in rows if net_amount(row)]
        if held:
            await self._hand_on(held)
            paid = f"PortOne shows it paid with {held[0].imp_uid}: it goes back"
            return self._answered(FactDecided(done=False, code="charged_meanwhile", message=paid), FactState.NOTED)
        keep = order.decision is Decision.KEEP
        state = CycleState.SKIPPED if keep else CycleState.DECLINED
        await self._end((state,), f"{order.by} decided {order.decision.value}: {order.reason}", order)
        came_to = FactState.KEPT if keep else FactState.NOTED
        return self._answered(FactDecided(state=came_to), came_to)

    # -------------------------------------------------------------- looking

    async def _judged(self) -> tuple[Sequence[PaymentFact], Verdict]:
        number = self._start.parked.merchant_uid
        # The row before the payments: what runs in between is shown by them.
        row = await key_look.find_row(number)
        rows: Sequence[PaymentFact] = await workflow.execute_activity_method(
            PaymentActivities.find_payments, number, summary=f"look up {number}", **policies.LOOK_UP
        )
        expected = Expected(number, self._start.amount, self._start.billing_key)
        return rows, judge(expected, rows, row, known_failures=self._start.known_failures)

    # -------------------------------------------------------------- the end

    async def _hand_on(self, held: Sequence[PaymentFact]) -> None:
        """It was paid: the workflow for unexpected payments gives it back, and writes it."""
        facts = [
            ReportedFact(
                imp_uid=row.imp_uid,
                merchant_uid=row.merchant_uid,
                status=row.status,
                handed_on_by=self._start.parked.subscription_id,
            )
            for row in held
        ]
        await workflow.execute_activity_method(
            FactActivities.report_facts, facts, summary=f"hand on {held[0].imp_uid}", **policies.LEDGER
        )
        await self._close(f"it was paid with {held[0].imp_uid}, which is given back")

    async def _end(self, states: Sequence[CycleState], why: str, order: DecisionTaken | None = None) -> None:
        """Nothing is held of it: its order says so, unless the ledger has another word of it by now."""
        number = self._start.parked.merchant_uid
        known: Sequence[Known] = await workflow.execute_activity_method(
            LedgerActivities.known_orders, [AskedOrder(number)], summary=f"what is known of {number}", **policies.LEDGER
        )
        recorded = known[0].order
        results: tuple[ChargeResult, ...] = ()
        if recorded is not None and not recorded.paid:
            at = max(workflow.now(), recorded.settled_at or workflow.now())
            steps = pairwise((recorded.state, *states))
            results = tuple(
                ChargeResult(number, to, at, message=why[:200]) for came, to in steps if to in CYCLE_TRANSITIONS[came]
            )
        await self._close(why, order, results)


def _has_run(verdict: Verdict) -> bool:
    return verdict.schedule is not None and verdict.schedule.status == "executed"
