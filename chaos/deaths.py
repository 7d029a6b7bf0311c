"""A worker that dies at one point of a life, and a run that continues as new at one point: by an SDK interceptor.

Nothing of the product is changed. An activity that dies was carried out or not, and the workflow never gets its answer:
what a killed worker leaves behind. A run continues as new once its history has so many events.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import temporalio.client
import temporalio.worker
from temporalio import activity
from temporalio.client import StartWorkflowInput, WorkflowHandle
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from billing.domain.subscription.start import StartSubscription, subscription_workflow_id


@dataclass(frozen=True, slots=True)
class Point:
    """Where a life is disturbed: its worker dies at its n-th activity, or its runs end at so many events, or neither.

    `kills` is `before` or `after`: whether the activity was carried out when its worker died.
    """

    activity: int | None = None
    kills: str = "after"
    events: int | None = None

    def __str__(self) -> str:
        if self.events is not None:
            return f"continued as new after {self.events} events"
        return "undisturbed" if self.activity is None else f"killed {self.kills} activity {self.activity}"


class WorkerDiedError(RuntimeError):
    """The worker is gone, with whatever it was about to say."""


@dataclass(slots=True)
class Deaths:
    """Which subscriber dies where, and what was seen of it."""

    points: dict[str, Point] = field(default_factory=dict)
    activities: Counter[str] = field(default_factory=Counter)
    """Activities begun so far, by workflow id."""
    died: dict[str, str] = field(default_factory=dict)
    """The activity at which each subscriber's worker has died."""

    def of(self, workflow_id: str) -> Point:
        """Where a run is disturbed."""
        return self.points.get(workflow_id, Point())

    def strikes(self, workflow_id: str, name: str) -> str | None:
        """Whether the activity that begins now is the one, and then whether it dies before or after it is done."""
        self.activities[workflow_id] += 1
        point = self.of(workflow_id)
        if self.activities[workflow_id] != point.activity:
            return None
        self.died[workflow_id] = name
        return point.kills


class Interceptor(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """Gives a client, and the workers that are made with it, the deaths."""

    def __init__(self, deaths: Deaths) -> None:
        self._deaths = deaths

    def intercept_client(self, next: temporalio.client.OutboundInterceptor) -> temporalio.client.OutboundInterceptor:  # noqa: A002 - the SDK's name
        """Starts get the length at which their runs continue as new."""
        return _Starts(next, self._deaths)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Activities die where they are to."""
        return _Dying(next, self._deaths)


class _Starts(temporalio.client.OutboundInterceptor):
    def __init__(self, following: temporalio.client.OutboundInterceptor, deaths: Deaths) -> None:
        super().__init__(following)
        self._deaths = deaths

    async def start_workflow(self, asked: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        start, point = asked.args[0] if asked.args else None, self._deaths.of(asked.id)
        if isinstance(start, StartSubscription) and point.events is not None:
            policy = start.policy.model_copy(update={"roll_after_events": point.events})
            asked.args = [start.model_copy(update={"policy": policy}), *asked.args[1:]]
        return await super().start_workflow(asked)


class _Dying(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, deaths: Deaths) -> None:
        super().__init__(following)
        self._deaths = deaths

    async def execute_activity(self, asked: ExecuteActivityInput) -> Any:
        info = activity.info()
        workflow_id = info.workflow_id or ""
        strikes = self._deaths.strikes(workflow_id, info.activity_type) if workflow_id in self._deaths.points else None
        if strikes == "before":
            raise WorkerDiedError
        answer = await super().execute_activity(asked)
        if strikes == "after":
            raise WorkerDiedError
        return answer


def whose(customer_uid: str) -> str:
    """The workflow id of a subscriber's run."""
    return subscription_workflow_id(customer_uid)
