"""Sending what a subscription has noted to the ledger: each write one transaction, in their order.

Whoever is about to do something that follows from what is noted sends it first: a charge leaves after its intent is in
the ledger, and a workflow of its own finds what it is about there.
"""

from temporalio import workflow

from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows import policies
from workflows.ports import LedgerActivities
from workflows.subscription.temporal_ui import TemporalUi


async def record(recording: Recording) -> None:
    """Send what waits to be written; returns when all of it is in the ledger."""
    for write in recording.take_writes():
        await workflow.execute_activity_method(
            LedgerActivities.record, write.entry, summary=write.summary, **policies.LEDGER
        )


async def record_and_show(subscription: Subscription, recording: Recording, ui: TemporalUi) -> None:
    """Send what waits to be written, then show where the subscription stands in the Temporal UI."""
    await record(recording)
    ui.show(subscription)
