"""What outlives its subscription and stands parked in a run of its own: watched until it is over, or decided.

Its row in the ledger was written by the run that ended, and each step looks at PortOne anew: a run that dies loses
nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError

from billing.domain.facts import PaymentFact
from billing.domain.parked import DECISIONS, ParkedRecord
from billing.domain.records import ChargeResult
from billing.domain.refusals import PORTONE_UNAVAILABLE
from billing.domain.subscription.decision import DecisionTaken
from workflows import policies
from workflows.ports import FactActivities, LedgerActivities
from workflows.subscription.commands.decisions import check_decision
from workflows.unexpected_payment import left_entry
from workflows.unexpected_payment.contracts import FactDecided, FactState, ReportedFact

PARKED = SearchAttributeKey.for_keyword("Parked")


class ParkedWatch(ABC):
    """Takes one decision at a time, looks by itself between them, and closes the row when it stands no longer.

    Args:
        parked: the row that it watches.
        status: of the subscription that it is left of, as an event says it.
    """

    def __init__(self, parked: ParkedRecord, status: str) -> None:
        self._parked = parked
        self._status = status
        self._order: DecisionTaken | None = None
        self._answer: FactDecided | None = None
        self._over = self._ended = False

    async def stand(self) -> FactState:
        """Stand parked until it is over by itself, or a decision has ended it."""
        workflow.upsert_search_attributes([PARKED.value_set(self._parked.kind.value)])
        workflow.set_current_details(f"**Parked, a person must decide:** {self._parked.reason}")
        ended, in_vain = None, False
        while ended is None:
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._order is not None,
                    timeout=policies.PARKED_LOOK_AGAIN if in_vain else self._until_the_next_look(workflow.now()),
                    timeout_summary=f"{self._parked.merchant_uid} stands parked: a decision, or the next look",
                )
            try:
                ended = await self._look() if self._order is None else await self._carry_out(self._order)
                in_vain = False
            except ActivityError as error:
                # PortOne does not answer: it stands on, and whoever decided is told what is known.
                in_vain = True
                if self._order is not None:
                    message = f"what came of it is not known, it is looked at again soon: {error.cause or error}"
                    self._answered(FactDecided(done=False, code=PORTONE_UNAVAILABLE.code, message=message), None)
        self._ended = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ended

    def _until_the_next_look(self, _now: datetime) -> timedelta:
        """How long to wait for a decision before looking again: a day, unless something is known to happen before."""
        return policies.FACT_LOOK

    @abstractmethod
    async def _look(self) -> FactState | None:
        """Whether it is over by itself, and closed so; None while it stands."""

    @abstractmethod
    async def _carry_out(self, order: DecisionTaken) -> FactState | None:
        """Do what was decided and answer it; None where it stands all the same."""

    # -------------------------------------------------------------- deciding

    @workflow.update(description="A person's decision about what stands parked, with who and why.")
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
        if self._over or self._order is not None or order.parked_id not in (None, self._parked.parked_id):
            raise _refused("already_decided", "it stands no longer, or a decision is being carried out: look again")
        kind = self._parked.kind
        if order.decision not in DECISIONS[kind]:
            allowed = ", ".join(each.value for each in DECISIONS[kind])
            raise _refused("not_allowed", f"allowed of {kind.value}: {allowed}")

    def _answered(self, answer: FactDecided, ended: FactState | None) -> FactState | None:
        self._answer, self._order = answer, None
        return ended

    # -------------------------------------------------------------- handing on

    async def _hand_on(self, payments: Sequence[PaymentFact], of: str | None) -> None:
        """Let the workflow for unexpected payments look into each; `of` is the life that does not settle it."""
        facts = [
            ReportedFact(imp_uid=row.imp_uid, merchant_uid=row.merchant_uid, status=row.status, handed_on_by=of)
            for row in payments
        ]
        summary = f"hand on {', '.join(row.imp_uid for row in payments)}"[:200]
        await workflow.execute_activity_method(FactActivities.report_facts, facts, summary=summary, **policies.LEDGER)

    # -------------------------------------------------------------- the end

    async def _close(
        self, summary: str, order: DecisionTaken | None = None, results: tuple[ChargeResult, ...] = ()
    ) -> None:
        """It stands no longer: its row says so, and the decision and what its order came to, where there are any."""
        entry = replace(left_entry.ended(self._parked, self._status, workflow.now(), order), results=results)
        await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary[:200], **policies.LEDGER)
        self._over = True
        workflow.upsert_search_attributes([PARKED.value_unset()])
        workflow.set_current_details(summary)


def _refused(code: str, message: str) -> ApplicationError:
    return ApplicationError(message, type=code, non_retryable=True)
