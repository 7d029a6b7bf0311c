"""A Temporal worker deployment: which of its versions is given work, and what each of them still carries.

Routing is Temporal's: these calls say where a workflow's next task goes, and move no workflow by themselves.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from temporalio.api.enums.v1 import RoutingConfigUpdateState, TaskQueueType, WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentResponse,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

OPEN = 'ExecutionStatus = "Running"'
STUCK = "TemporalReportedProblems IS NOT NULL"
PINNED = 'TemporalWorkflowVersioningBehavior = "Pinned"'

_STATUS_PREFIX = "WORKER_DEPLOYMENT_VERSION_STATUS_"
_ON_ITS_WAY = RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS
_REFUSALS = {
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.INVALID_ARGUMENT,
    RPCStatusCode.FAILED_PRECONDITION,
    # Somebody else changes the same deployment at this moment.
    RPCStatusCode.ABORTED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
}

# The call was cut off, or Temporal was away for a moment: asked for once more, the same is set, or read.
_ASK_AGAIN = {RPCStatusCode.CANCELLED, RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED}

# A version is known to Temporal a moment after its first worker has asked for work.
_KNOWN_AFTER_SECONDS = 30.0
_ANSWERED_AFTER_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.2


class DeploymentRefusedError(Exception):
    """Temporal did not do what was asked; the message is its own."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Running workflows: all, those that stay on their version to the end, those whose workflow task fails."""

    running: int
    pinned: int
    stuck: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version: `status` is current, ramping, inactive, draining or drained; workers are of the last 5 minutes."""

    build_id: str
    status: str
    workers: int
    carried: Carried


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """Where the work of a deployment goes; `current` is None while workers without a version get it."""

    name: str
    current: str | None
    ramping: str | None
    ramp_percentage: float
    versions: tuple[Version, ...]
    unversioned: Carried


class WorkerDeployment:
    """The deployment `name` on one cluster."""

    def __init__(self, temporal: Client, name: str) -> None:
        self._temporal = temporal
        self._name = name

    async def describe(self, task_queue: str) -> DeploymentState:
        """Routing, versions with their workers on `task_queue`, and what they carry.

        Raises:
            DeploymentRefusedError: no worker of this deployment has ever asked for work.
        """
        known = (await self._known()).worker_deployment_info
        workers = await self._workers(task_queue)
        routing = known.routing_config
        versions = [
            Version(
                build_id=found.deployment_version.build_id,
                status=WorkerDeploymentVersionStatus.Name(found.status).removeprefix(_STATUS_PREFIX).lower(),
                workers=workers[found.deployment_version.build_id],
                carried=await self._carried(
                    f'TemporalWorkerDeploymentVersion = "{self._name}:{found.deployment_version.build_id}"'
                ),
            )
            for found in known.version_summaries
        ]
        return DeploymentState(
            name=self._name,
            current=routing.current_deployment_version.build_id or None,
            ramping=routing.ramping_deployment_version.build_id or None,
            ramp_percentage=routing.ramping_version_percentage,
            versions=tuple(versions),
            unversioned=await self._carried(f'TaskQueue = "{task_queue}" AND TemporalWorkerDeploymentVersion IS NULL'),
        )

    async def make_current(self, build_id: str | None) -> None:
        """Give all work to `build_id`; None: to workers without a version. Answers when every task queue knows.

        Raises:
            DeploymentRefusedError: Temporal knows no such version, or it has no workers.
        """
        await self._set_current(build_id or "", b"")
        await self._until_routed()

    async def ramp(self, build_id: str, percentage: float) -> None:
        """Give `percentage` of the workflows to `build_id`, chosen by their ids; the rest stays with the current one.

        Raises:
            DeploymentRefusedError: Temporal knows no such version, or it has no workers.
        """
        request = SetWorkerDeploymentRampingVersionRequest(
            namespace=self._temporal.namespace,
            deployment_name=self._name,
            build_id=build_id,
            percentage=percentage,
            identity=self._temporal.identity,
        )
        await _answered(lambda: self._temporal.workflow_service.set_worker_deployment_ramping_version(request))
        await self._until_routed()

    async def make_first_current(self, build_id: str) -> bool:
        """Make `build_id` current if nothing ever was, so that a new deployment gets work; whether it is known to have.

        False as well where Temporal cut the call off that did it. Two workers that start at once cannot both do it, and
        what a person has set stays.

        Raises:
            DeploymentRefusedError: Temporal does not come to know the version.
        """
        deadline = asyncio.get_running_loop().time() + _KNOWN_AFTER_SECONDS
        while True:
            try:
                known = await self._known()
                if known.worker_deployment_info.routing_config.HasField("current_version_changed_time"):
                    return False
                await self._set_current(build_id, known.conflict_token)
            except DeploymentRefusedError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            else:
                return True

    async def _set_current(self, build_id: str, conflict_token: bytes) -> None:
        request = SetWorkerDeploymentCurrentVersionRequest(
            namespace=self._temporal.namespace,
            deployment_name=self._name,
            build_id=build_id,
            conflict_token=conflict_token,
            identity=self._temporal.identity,
        )
        await _answered(lambda: self._temporal.workflow_service.set_worker_deployment_current_version(request))

    async def _until_routed(self) -> None:
        """Wait until what was set has reached the task queues: a moment, in which old workers still get work."""
        while True:
            known = (await self._known()).worker_deployment_info
            if known.routing_config_update_state != _ON_ITS_WAY:
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _known(self) -> DescribeWorkerDeploymentResponse:
        request = DescribeWorkerDeploymentRequest(namespace=self._temporal.namespace, deployment_name=self._name)
        return await _answered(lambda: self._temporal.workflow_service.describe_worker_deployment(request))

    async def _workers(self, task_queue: str) -> Counter[str]:
        request = DescribeTaskQueueRequest(
            namespace=self._temporal.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        found = await _answered(lambda: self._temporal.workflow_service.describe_task_queue(request))
        ours = [poller for poller in found.pollers if poller.deployment_options.deployment_name == self._name]
        # A worker asks with several pollers under one identity.
        return Counter(build_id for build_id, _ in {(p.deployment_options.build_id, p.identity) for p in ours})

    async def _carried(self, which: str) -> Carried:
        async def count(*conditions: str) -> int:
            return (await self._temporal.count_workflows(" AND ".join([which, OPEN, *conditions]))).count

        return Carried(running=await count(), pinned=await count(PINNED), stuck=await count(STUCK))


_Answer = TypeVar("_Answer")


async def _answered(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """What Temporal answers; asked again for a while where it did not."""
    deadline = asyncio.get_running_loop().time() + _ANSWERED_AFTER_SECONDS
    while True:
        try:
            return await ask()
        except RPCError as error:
            if error.status not in _ASK_AGAIN or asyncio.get_running_loop().time() > deadline:
                raise _refused(error) from error
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _refused(error: RPCError) -> Exception:
    return DeploymentRefusedError(error.message) if error.status in _REFUSALS else error
