"""Handing on schedules that an ended subscription left on its key."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.common import WorkflowIDConflictPolicy

from workflows import ports
from workflows.billing_key.contracts import StartLeftSchedule
from workflows.unexpected_payment.left_schedule import LeftScheduleWorkflow

RPC_TIMEOUT = timedelta(seconds=5)


class LeftScheduleActivities(ports.LeftScheduleActivities):
    """Starts the workflows that watch them."""

    @activity.defn
    async def watch_schedules(self, left: Sequence[StartLeftSchedule]) -> None:
        """Begin to watch each of these schedules, where nobody does.

        Dies it half way, Temporal does it again: one that is watched already is left alone.
        """
        for start in left:
            await activity.client().start_workflow(
                LeftScheduleWorkflow.run,
                start,
                id=start.parked.workflow_id,
                task_queue=activity.info().task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"order {start.row.merchant_uid}, left on {start.row.customer_uid}"[:200],
                rpc_timeout=RPC_TIMEOUT,
            )
