"""Whether a worker is really there: Temporal knows who asks it for work."""

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from workflows.contracts import BILLING_TASK_QUEUE
from workflows.events.contracts import sending_task_queue

_WORKFLOWS = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
_ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


async def polls(temporal: Client, pid: int, *, task_queue: str = BILLING_TASK_QUEUE) -> bool:
    """Whether the worker of this process asks for everything that a worker does: workflows, activities, sending.

    Temporal names those who asked in the last five minutes, and so those who are gone too: the process id tells.

    Raises:
        RPCError: Temporal does not answer.
    """
    asked_for = (
        (task_queue, _WORKFLOWS),
        (task_queue, _ACTIVITIES),
        (sending_task_queue(task_queue), _ACTIVITIES),
    )
    for name, kind in asked_for:
        request = DescribeTaskQueueRequest(
            namespace=temporal.namespace, task_queue=TaskQueue(name=name), task_queue_type=kind
        )
        found = await temporal.workflow_service.describe_task_queue(request)
        # The SDK's own identity of a worker: process id and host.
        if not any(poller.identity.startswith(f"{pid}@") for poller in found.pollers):
            return False
    return True
