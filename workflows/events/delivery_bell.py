"""How the outside rings an event delivery: signal-with-start, so that a run that is just ending is not missed.

Called by activities and the api, never by a workflow.
"""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from workflows.events.contracts import StartEventDelivery, event_delivery_workflow_id
from workflows.events.workflow import EventDeliveryWorkflow

# Whoever rings is about to do something more important; the sweep rings again.
RPC_TIMEOUT = timedelta(seconds=5)


async def ring_delivery(temporal: Client, task_queue: str, endpoint_id: str, customer_uid: str) -> bool:
    """Tell the run that an event waits, starting it if there is none; False when Temporal is away."""
    try:
        await temporal.start_workflow(
            EventDeliveryWorkflow.run,
            StartEventDelivery(endpoint_id=endpoint_id, customer_uid=customer_uid),
            id=event_delivery_workflow_id(endpoint_id, customer_uid),
            task_queue=task_queue,
            start_signal="event_waits",
            static_summary=f"events of {customer_uid} to {endpoint_id}",
            rpc_timeout=RPC_TIMEOUT,
        )
    except (RPCError, RuntimeError):
        # RuntimeError is what a lazy client raises that has never reached Temporal.
        return False
    return True


async def ring_all(temporal: Client, task_queue: str, orders: Collection[tuple[str, str]]) -> list[bool]:
    """Ring several at once, (endpoint_id, customer_uid) each; which of them could be rung."""
    return list(await asyncio.gather(*(ring_delivery(temporal, task_queue, endpoint, uid) for endpoint, uid in orders)))
