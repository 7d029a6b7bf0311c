"""What a subscription costs in Temporal: events and bytes of its history, for each settled cycle."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from billing.domain.subscription.start import subscription_workflow_id

OF_TEST_CLOCKS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
    }
)
"""What moving a test clock adds to a history; no production run has them."""


@dataclass(frozen=True, slots=True)
class CycleCost:
    """The part of a history between the write of one paid period and the write of the next."""

    cycle: int
    events: int
    bytes: int
    activities: int


async def cycle_costs(temporal: Client, customer_uid: str) -> tuple[list[CycleCost], int, int]:
    """The cost of each cycle in the current run, and the run's events and bytes in all."""
    history = await temporal.get_workflow_handle(subscription_workflow_id(customer_uid)).fetch_history()
    costs: list[CycleCost] = []
    events = size = activities = 0
    recording: set[int] = set()
    for event in history.events:
        if event.event_type in OF_TEST_CLOCKS:
            continue
        events, size = events + 1, size + event.ByteSize()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            activities += 1
            summary = event.user_metadata.summary.data.decode(errors="replace")
            if "is paid" in summary:
                recording.add(event.event_id)
        done = event.activity_task_completed_event_attributes.scheduled_event_id
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED and done in recording:
            costs.append(CycleCost(len(costs) + 1, events, size, activities))
            events = size = activities = 0
    return costs, len(history.events), sum(event.ByteSize() for event in history.events)
