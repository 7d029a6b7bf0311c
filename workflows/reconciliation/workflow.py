"""PortOne against the ledger and the workflows, window by window and page by page; it decides nothing about money.

What if it is killed half way? Every page is compared in an activity that writes what differs before it returns, and
writes nothing twice; the run goes on with the page it was at, or another run compares the same window again.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, ApplicationError

from billing.domain.differences import RunState
from workflows import policies
from workflows.ports import BellActivities, ReconciliationActivities
from workflows.reconciliation.contracts import (
    BeginReconciliation,
    Bell,
    CompareSlice,
    EndReconciliation,
    Leg,
    ReconciliationPlan,
    ReconciliationShown,
    RingBells,
    SliceCompared,
    StartReconciliation,
    Stretch,
)

_COMPARES: Mapping[Leg, Any] = MappingProxyType(
    {
        Leg.PAYMENTS: ReconciliationActivities.compare_payments,
        Leg.SCHEDULES: ReconciliationActivities.compare_schedules,
        Leg.CHARGES: ReconciliationActivities.compare_charges,
        Leg.ONE_TIME_CHARGES: ReconciliationActivities.compare_one_time_charges,
        Leg.SUBSCRIPTIONS: ReconciliationActivities.compare_subscriptions,
        Leg.OPEN_DIFFERENCES: ReconciliationActivities.compare_open_differences,
    }
)

MOST_REREADS = 3
"""How often a window is read again because rows left it between two pages; after that the next run has to do."""

BELLS_AT_ONCE = 100
"""How many workflows one activity rings: a signal takes milliseconds, and a heartbeat follows each."""


class ReconciliationWalk(BaseModel):
    """How far a reconciliation has come, carried whole through continue-as-new."""

    plan: ReconciliationPlan
    at: int = 0
    cursor: str = ""
    page: int = 1
    total: int | None = None
    rereads: int = 0
    counts: dict[str, int] = {}

    @property
    def stretch(self) -> Stretch | None:
        """What is walked at this moment; None when all is done."""
        return self.plan.stretches[self.at] if self.at < len(self.plan.stretches) else None

    def count(self, counts: Mapping[str, int]) -> None:
        """Add up what a page counted."""
        for name, number in counts.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def go_on(self, compared: SliceCompared) -> None:
        """Turn to the next page or stretch; when rows have left the window meanwhile, to its first page once more.

        A row that leaves lets every later one move up, one of them perhaps onto a page that was already read.
        """
        left = compared.total is not None and self.total is not None and compared.total < self.total
        self.total, self.cursor = compared.total, compared.cursor
        self.page += 1
        if left and self.rereads < MOST_REREADS:
            self.rereads += 1
            self.total, self.cursor, self.page = None, "", 1
        elif not compared.cursor:
            self.at += 1
            self.total, self.page, self.rereads = None, 1, 0


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class ReconciliationWorkflow:
    """Compares PortOne, ledger and workflows in one window, and rings the workflows that something is about."""

    @workflow.init
    def __init__(self, start: StartReconciliation, carried: ReconciliationWalk | None = None) -> None:
        self._start = start
        self._walk = carried
        self._state = RunState.RUNNING

    @workflow.run
    async def run(self, start: StartReconciliation, carried: ReconciliationWalk | None = None) -> ReconciliationShown:
        """Compare everything; answers what was counted.

        Raises:
            ApplicationError: type `ReconciliationFailed`, when a page could not be compared for hours.
        """
        try:
            walk = self._walk = carried or ReconciliationWalk(plan=await self._begin())
            while (stretch := walk.stretch) is not None:
                self._show()
                if self._should_roll():
                    workflow.continue_as_new(args=[start, walk])
                compared = await self._compare(walk, stretch)
                await self._ring(walk, compared.bells)
                walk.count(compared.counts)
                walk.go_on(compared)
        except ActivityError as error:
            self._state = RunState.FAILED
            await self._end(str(error.cause or error))
            raise ApplicationError("not everything was compared", type="ReconciliationFailed") from error
        self._state = RunState.DONE
        await self._end()
        return self.progress()

    @workflow.query(description="What is being compared, and what was counted so far.")
    def progress(self) -> ReconciliationShown:
        """What is being compared, and what was counted so far."""
        walk = self._walk
        shown = ReconciliationShown(run_id=workflow.info().workflow_id, state=self._state)
        if walk is None:
            return shown
        return shown.model_copy(
            update={
                "payments": walk.plan.payments,
                "schedules_end": walk.plan.schedules_end,
                "stretch": walk.stretch,
                "stretches_done": walk.at,
                "stretches": len(walk.plan.stretches),
                "counts": walk.counts,
            }
        )

    async def _begin(self) -> ReconciliationPlan:
        order = BeginReconciliation(run_id=workflow.info().workflow_id, at=workflow.now(), start=self._start)
        return await workflow.execute_activity_method(
            ReconciliationActivities.begin_reconciliation, order, summary="choose the windows", **policies.COMPARE
        )

    async def _compare(self, walk: ReconciliationWalk, stretch: Stretch) -> SliceCompared:
        order = CompareSlice(
            run_id=workflow.info().workflow_id,
            at=workflow.now(),
            begun_at=walk.plan.begun_at,
            stretch=stretch,
            cursor=walk.cursor,
            page_size=self._start.page_size,
            settle_minutes=self._start.settle_minutes,
            overdue_minutes=self._start.overdue_minutes,
        )
        compared: SliceCompared = await workflow.execute_activity_method(
            _COMPARES[stretch.leg], order, summary=self._doing(walk, stretch), **policies.COMPARE
        )
        return compared

    async def _ring(self, walk: ReconciliationWalk, bells: list[Bell]) -> None:
        for first in range(0, len(bells), BELLS_AT_ONCE):
            some = bells[first : first + BELLS_AT_ONCE]
            rung = await workflow.execute_activity_method(
                BellActivities.ring,
                RingBells(at=workflow.now(), bells=some),
                summary=f"ring {len(some)}: {', '.join(sorted({bell.kind.value for bell in some}))}"[:200],
                **policies.COMPARE,
            )
            walk.count({"rung": rung.rung, "nobody_to_ring": rung.nobody})

    async def _end(self, error: str | None = None) -> None:
        order = EndReconciliation(
            run_id=workflow.info().workflow_id,
            at=workflow.now(),
            state=self._state,
            counts=self._walk.counts if self._walk else {},
            error=error,
        )
        ended = await workflow.execute_activity_method(
            ReconciliationActivities.end_reconciliation, order, summary=self._state.value, **policies.LEDGER
        )
        if self._walk is not None:
            self._walk.count({"differences": ended.differences, "open": ended.open})
        self._show()

    def _should_roll(self) -> bool:
        limit = self._start.roll_after_events
        info = workflow.info()
        return info.is_continue_as_new_suggested() or (limit is not None and info.get_current_history_length() >= limit)

    # -------------------------------------------------------------- being seen

    def _show(self) -> None:
        walk = self._walk
        if walk is None:
            return
        lines = [f"**{walk.plan.payments}**, schedules until {walk.plan.schedules_end:%Y-%m-%d}"]
        stretch = walk.stretch
        if stretch is not None:
            lines.append(f"Step {walk.at + 1} of {len(walk.plan.stretches)}: {self._doing(walk, stretch)}")
        else:
            lines.append(f"**{self._state.value}**")
        lines += [f"- {name.replace('_', ' ')}: {number:,}" for name, number in sorted(walk.counts.items())]
        workflow.set_current_details("\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:]))

    def _doing(self, walk: ReconciliationWalk, stretch: Stretch) -> str:
        again = f", read again ({walk.rereads})" if walk.rereads else ""
        of = f" of {-(-walk.total // self._start.page_size)}" if walk.total else ""
        return f"{stretch.leg.value.replace('_', ' ')}, {stretch.window}, page {walk.page}{of}{again}"
