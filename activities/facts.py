"""Handing on what a workflow heard and that is not its own."""

from collections.abc import Sequence

from temporalio import activity

from workflows import ports
from workflows.unexpected_payment.contracts import ReportedFact
from workflows.unexpected_payment.reporting import report_fact


class FactActivities(ports.FactActivities):
    """Rings the workflows of late facts."""

    @activity.defn
    async def report_facts(self, facts: Sequence[ReportedFact]) -> None:
        """Tell the workflow of each payment, starting it where there is none.

        Dies it half way, Temporal does it again: who is told twice finds nothing new.
        """
        for fact in facts:
            await report_fact(activity.client(), activity.info().task_queue, fact)
