"""The subscription as a careless, a careful and a clumsy developer would have changed it; none of them is shipped.

They are registered under the product's name, so a worker or a replay takes them for its next version.
"""

from datetime import datetime

from temporalio import workflow

from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.state import SubscriptionState
from chaos.processes.next_release import PATCH, FurtherStep, definition
from workflows.subscription.desk import Desk
from workflows.subscription.workflow import SubscriptionWorkflow


@definition
class DeprecatedPatch(FurtherStep):
    """The change with its patch on the way out."""

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        super().__init__(start, carried)

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        return await super().run(start, carried)

    async def _next_step(self) -> None:
        workflow.deprecate_patch(PATCH)
        await self.further_step()
        await super()._next_step()


@definition
class RemovedTimer(SubscriptionWorkflow):
    """Waits for webhooks alone, without the timer that guarantees progress."""

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        super().__init__(start, carried)
        self._desk = WithoutTimer()

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        return await super().run(start, carried)


@definition
class OtherWords(SubscriptionWorkflow):
    """Says the same things in other words, which no replay minds."""

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        super().__init__(start, carried)
        self._desk = WithOtherWords()

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        return await super().run(start, carried)


@definition
class Clumsy(SubscriptionWorkflow):
    """Raises what it should not."""

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        super().__init__(start, carried)

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        return await super().run(start, carried)

    async def _next_step(self) -> None:
        raise KeyError("no such period")


class WithoutTimer(Desk):
    async def wait(self, until: datetime | None, summary: str) -> None:  # noqa: ARG002 - it named the timer
        if until is None or until > workflow.now():
            self.stirred = False
            await workflow.wait_condition(lambda: self.stirred)


class WithOtherWords(Desk):
    async def wait(self, until: datetime | None, summary: str) -> None:
        await super().wait(until, f"in other words: {summary}")
