"""Workers of several versions side by side on one stack, as a deploy has them."""

import asyncio
import uuid

from temporalio.common import WorkerDeploymentVersion

from billing.deployments import DeploymentRefusedError, WorkerDeployment
from tests.patience import PATIENCE_SECONDS
from worker import WORKFLOWS, create_worker


async def until(holds, seconds=PATIENCE_SECONDS):
    """Wait for what another process brings about."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)


class Fleet:
    """A worker deployment of its own on the task queue of one stack; at the end every worker is stopped."""

    def __init__(self, stack):
        self.stack = stack
        self.name = f"gudok-{uuid.uuid4().hex[:8]}"
        self.deployment = WorkerDeployment(stack.temporal, self.name)
        self._workers = {}

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        for build_id in list(self._workers):
            await self.stop(build_id)

    async def start(self, build_id, workflows=WORKFLOWS, *, dark_patches=()):
        """Start a worker of a version, and wait until Temporal knows that version."""
        worker = create_worker(
            self.stack.temporal,
            self.stack.settings.model_copy(update={"dark_patches": tuple(dark_patches)}),
            self.stack.portone,
            self.stack.ledger,
            task_queue=self.stack.task_queue,
            version=WorkerDeploymentVersion(self.name, build_id),
            workflows=workflows,
        )
        await worker.__aenter__()
        self._workers[build_id] = worker
        await until(lambda: self._knows(build_id))

    async def stop(self, build_id):
        """Stop the worker of a version, as a deploy does."""
        await self._workers.pop(build_id).__aexit__(None, None, None)

    async def make_current(self, build_id):
        await self.deployment.make_current(build_id)

    async def ramp(self, build_id, percentage):
        await self.deployment.ramp(build_id, percentage)

    async def state(self):
        return await self.deployment.describe(self.stack.task_queue)

    async def _knows(self, build_id):
        try:
            return build_id in {version.build_id for version in (await self.state()).versions}
        except DeploymentRefusedError:
            return False

    async def tasks(self, customer_uid):
        """Which build completed each workflow task of a subscription, over all of its runs, oldest first."""
        builds = []
        for history in await self.histories(customer_uid):
            completed = (event.workflow_task_completed_event_attributes for event in history.events)
            builds += [task.deployment_version.build_id for task in completed if task.started_event_id]
        return builds

    async def histories(self, customer_uid):
        """The history of each run of a subscription, oldest first.

        From one to the next, as they say themselves: the server's list of runs lags behind.
        """
        found = await self.stack.handle(customer_uid).describe()
        run_id, histories = found.raw_description.workflow_execution_info.first_run_id, []
        while run_id:
            history = await self.stack.temporal.get_workflow_handle(found.id, run_id=run_id).fetch_history()
            histories.append(history)
            run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return histories
