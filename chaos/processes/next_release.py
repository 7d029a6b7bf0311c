"""The subscription as a later release has it, with a further step: under a patch, and, wrongly, without one.

Registered under the product's name, so that a worker of it is the next version of the same workflow. Temporal's sandbox
imports this module for each run: nothing but workflow code belongs here.
"""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.state import SubscriptionState
from workflows import policies
from workflows.ports import LedgerActivities
from workflows.subscription.workflow import SubscriptionWorkflow

PATCH = "further-step"
"""What the step stands under."""

definition = workflow.defn(name="SubscriptionWorkflow", versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
"""Under the product's name, as the product upgrades."""


class FurtherStep(SubscriptionWorkflow):
    """A step more than the product has."""

    async def further_step(self) -> None:
        """Ask the ledger once more, of a subscription that has left `incomplete`."""
        if not self._opened:
            return
        customer_uid = self._subscription.start.customer_uid
        await workflow.execute_activity_method(
            LedgerActivities.subscription_on_key, customer_uid, summary="a further step", **policies.LEDGER
        )


@definition
class PatchedStep(FurtherStep):
    """The ledger is asked before each step, in runs that have taken the patch."""

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        """Begin as the product does."""
        super().__init__(start, carried)

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        """Live as the product does."""
        return await super().run(start, carried)

    async def _next_step(self) -> None:
        if workflow.patched(PATCH):
            await self.further_step()
        await super()._next_step()


@definition
class UnpatchedStep(FurtherStep):
    """The same step in every run there is, also where the history has none: what must not be released."""

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        """Begin as the product does."""
        super().__init__(start, carried)

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        """Live as the product does."""
        return await super().run(start, carried)

    async def _next_step(self) -> None:
        await self.further_step()
        await super()._next_step()
