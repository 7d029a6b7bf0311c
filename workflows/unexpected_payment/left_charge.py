"""A charge whose outcome nobody knew when its subscription was over: looked up until it is known, or decided.

What was paid pays for nothing, and is handed on to be given back. What if this run dies? It holds nothing but its row
in the ledger: every step asks PortOne anew.
"""

from collections.abc import Mapping, Sequence
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
from workflows.ports import LedgerActivities, PaymentActivities
from workflows.unexpected_payment.contracts import LEFT_CHARGE, FactDecided, FactState, StartLeftCharge
from workflows.unexpected_payment.parked_watch import ParkedWatch

_PROVES: Mapping[Finding, tuple[CycleState, ...]] = MappingProxyType(
    {
        Finding.DECLINED: (CycleState.DECLINED,),
        Finding.MISMATCH: (CycleState.MISMATCH, CycleState.REFUNDED),
    }
)
"""What is written of the order where nothing of it is held. Of what was not as ordered all has gone back.

PortOne has shown a payment of it, or that it ran: that a look shows neither proves nothing.
"""


@workflow.defn(name=LEFT_CHARGE, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class LeftChargeWorkflow(ParkedWatch):
    """Watches one order; ends when PortOne shows what became of it, or a person has said that it was not paid."""

    @workflow.init
    def __init__(self, start: StartLeftCharge) -> None:
        super().__init__(start.parked, start.status)
        self._start = start

    @workflow.run
    async def run(self, start: StartLeftCharge) -> FactState:  # noqa: ARG002 - what Temporal passes to init, too
        """Wait for a decision, and look daily."""
        return await self.stand()

    async def _look(self) -> FactState | None:
        """Whether it is known by now; None while it is not."""
        held, verdict = await self._judged()
        if held:
            await self._goes_back(held)
            return FactState.NOTED
        proven = _PROVES.get(verdict.finding)
        if proven is None:
            return None
        await self._end(proven, verdict.reason or proven[-1].value)
        return FactState.NOTHING_NEW

    async def _carry_out(self, order: DecisionTaken) -> FactState | None:
        held, _ = await self._judged()
        if held:
            await self._goes_back(held)
            paid = f"PortOne shows it paid with {held[0].imp_uid}: it goes back"
            return self._answered(FactDecided(done=False, code="charged_meanwhile", message=paid), FactState.NOTED)
        keep = order.decision is Decision.KEEP
        state = CycleState.SKIPPED if keep else CycleState.DECLINED
        await self._end((state,), f"{order.by} decided {order.decision.value}: {order.reason}", order)
        came_to = FactState.KEPT if keep else FactState.NOTED
        return self._answered(FactDecided(state=came_to), came_to)

    # -------------------------------------------------------------- looking

    async def _judged(self) -> tuple[Sequence[PaymentFact], Verdict]:
        """The payments by which PortOne holds money for it, and what all that is shown of it proves."""
        number = self._start.parked.merchant_uid
        # The row before the payments: what runs in between is shown by them.
        row = await key_look.find_row(number)
        rows: Sequence[PaymentFact] = await workflow.execute_activity_method(
            PaymentActivities.find_payments, number, summary=f"look up {number}", **policies.LOOK_UP
        )
        expected = Expected(number, self._start.amount, self._start.billing_key)
        held = [row for row in rows if net_amount(row)]
        return held, judge(expected, rows, row, known_failures=self._start.known_failures)

    # -------------------------------------------------------------- the end

    async def _goes_back(self, held: Sequence[PaymentFact]) -> None:
        """It was paid: the workflow for unexpected payments gives it back, and writes it."""
        await self._hand_on(held, self._start.parked.subscription_id)
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
