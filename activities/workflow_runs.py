"""What the workflows say of themselves: which of them run, and where a subscription stands."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from billing.domain.both_sides import RunSays
from billing.domain.subscription.snapshot import SubscriptionSnapshot

QUERY = timedelta(seconds=10)
"""How long a workflow is waited for: the time of a long replay; without a worker it would be for ever."""

_RPC = timedelta(seconds=10)
_ASKS = 5


class WorkflowRuns:
    """Asks Temporal; a run that cannot answer is not the same as none."""

    def __init__(self, temporal: Client) -> None:
        self._temporal = temporal

    async def running_among(self, workflow_ids: Sequence[str]) -> set[str]:
        """Those of the workflow ids that Temporal lists as running.

        The list lags a little behind, so one that is missing here has still to be asked for by itself.
        """
        if not workflow_ids:
            return set()
        named = ", ".join(f"'{workflow_id}'" for workflow_id in workflow_ids if "'" not in workflow_id)
        query = f"ExecutionStatus = 'Running' AND WorkflowId IN ({named})"
        return {run.id async for run in self._temporal.list_workflows(query, page_size=len(workflow_ids))}

    async def is_running(self, workflow_id: str) -> bool:
        """Whether a run stands open under this id at this moment."""
        try:
            description = await self._temporal.get_workflow_handle(workflow_id).describe(rpc_timeout=_RPC)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return description.status is WorkflowExecutionStatus.RUNNING

    async def says(self, workflow_id: str, subscription_id: str) -> RunSays | None:
        """Where this life of a subscription stands, by its own word; None when its workflow cannot answer now."""
        if not await self.is_running(workflow_id):
            return RunSays(running=False)
        handle = self._temporal.get_workflow_handle(workflow_id)
        for _ in range(_ASKS):
            try:
                told = await handle.query("snapshot", result_type=SubscriptionSnapshot, rpc_timeout=QUERY)
            except WorkflowQueryFailedError:
                return None
            except RPCError as error:
                if "not scheduled yet" not in error.message:
                    return None
                # The run has just continued as new: its first task is on its way.
                await asyncio.sleep(0.2)
                continue
            if told.subscription_id != subscription_id:
                return RunSays(running=False)
            return RunSays(
                running=True,
                merchant_uid=told.merchant_uid,
                cycle_state=told.cycle_state,
                next_charge_at=told.next_charge_at,
                parked=told.parked_reason is not None,
            )
        return None
