"""A subscription that cannot go on; in a file of its own, since the sandbox imports whatever stands beside it."""

from temporalio import workflow
from temporalio.common import VersioningBehavior


@workflow.defn(name="SubscriptionWorkflow", versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class Brick:
    """A subscription whose code fails at every task."""

    @workflow.run
    async def run(self, _start: dict, _state: dict | None = None) -> None:
        raise RuntimeError("a bound that nobody checked")
