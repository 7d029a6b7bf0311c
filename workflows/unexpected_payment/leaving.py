"""What a subscription leaves behind when it is over: parked, announced, and watched by a run that outlives it.

What if the run dies in between? The row is in the ledger before the watch begins, and Temporal begins it with the step
that wrote the row, or does that step again.
"""

from datetime import datetime
from typing import Protocol

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from billing.domain.events import EventType
from billing.domain.parked import ParkedRecord
from billing.domain.subscription.recording import Recording
from workflows.unexpected_payment import left_entry


class Left(Protocol):
    """The message that a watch is started with: its row, and the status of the subscription that has ended."""

    @property
    def parked(self) -> ParkedRecord:
        """The row."""

    @property
    def status(self) -> str:
        """Of the subscription."""


def park(recording: Recording, left: Left, now: datetime) -> None:
    """Note that it stands parked, and that this is told, for the next write."""
    recording.note_parked(left.parked)
    data = left_entry.parked_data(left.parked, left.status)
    recording.emit(EventType.SUBSCRIPTION_PARKED, f"parked: {left.parked.reason}"[:500], data, now)


async def watch(name: str, left: Left, summary: str) -> None:
    """Begin the run that watches it, by the name of its workflow; one that watches it already goes on."""
    try:
        await workflow.start_child_workflow(
            name,
            left,
            id=left.parked.workflow_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=summary,
        )
    except WorkflowAlreadyStartedError:
        return
