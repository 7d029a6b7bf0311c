"""One durable workflow per customer_uid: handlers that note, one loop that acts, continue-as-new with nothing lost."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError

from billing.domain.calendar import Anchor
from billing.domain.states import ENDED
from workflows import billing_cycle, cancellation, opening
from workflows.bells import answer_stale_bells
from workflows.contracts import (
    CancelAnswered,
    CancelSubscription,
    PaymentReported,
    StartSubscription,
    SubscriptionSnapshot,
)
from workflows.subscription_run import SubscriptionRun
from workflows.subscription_state import SubscriptionState


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class SubscriptionWorkflow:
    """Bills one subscriber, period after period, until the subscription ends."""

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        self._run = SubscriptionRun(start, carried or _fresh(start))
        self._answers: list[CancelAnswered] = []

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        """Live until the subscription has ended; answers where it stood then."""
        state = self._run.state
        self._run.show()
        if carried is None:
            await opening.open_subscription(self._run)
        self._run.opened = True
        while state.status not in ENDED or self._run.cancel_order is not None:
            if self._should_roll():
                workflow.continue_as_new(args=[start, state])
            await self._next_step()
        await workflow.wait_condition(workflow.all_handlers_finished)
        await answer_stale_bells(self._run)
        return self._run.snapshot()

    @workflow.signal(description="A webhook rang: look the payment up. Carries ids only.")
    def payment_reported(self, bell: PaymentReported) -> None:
        """Note the bell; the main loop looks."""
        self._run.state.hear(bell)

    @workflow.update(description="Cancel now or at period end; answers whether the next charge was stopped in time.")
    async def cancel(self, order: CancelSubscription) -> CancelAnswered:
        """Leave the order for the main loop and hand on its answer."""
        while self._run.cancel_order is not None:
            # Several may wake at once; only one of them finds the desk free.
            await workflow.wait_condition(lambda: self._run.cancel_order is None)
        if self._run.state.status in ENDED:
            raise ApplicationError(f"the subscription is {self._run.state.status.value}", type="SubscriptionEnded")
        self._run.cancel_order = order
        heard = len(self._answers)
        await workflow.wait_condition(lambda: len(self._answers) > heard)
        return self._answers[heard]

    @cancel.validator
    def _cancel_is_possible(self, order: CancelSubscription) -> None:  # noqa: ARG002 - Temporal wants the same parameters
        if self._run.state.status in ENDED:
            raise ApplicationError(f"the subscription is {self._run.state.status.value}", type="SubscriptionEnded")

    @workflow.update(
        description="Wait until the first charge is settled, the trial has begun, or the start has failed."
    )
    async def first_outcome(self) -> SubscriptionSnapshot:
        """Answer as soon as the subscription has left `incomplete` and that is in the ledger."""
        await workflow.wait_condition(lambda: self._run.opened)
        return self._run.snapshot()

    @workflow.query(description="Where the subscription stands.")
    def snapshot(self) -> SubscriptionSnapshot:
        """Where the subscription stands."""
        return self._run.snapshot()

    async def _next_step(self) -> None:
        order = self._run.cancel_order
        if order is None:
            await billing_cycle.step(self._run)
            return
        self._answers.append(await cancellation.carry_out(self._run, order))
        self._run.cancel_order = None

    def _should_roll(self) -> bool:
        if not workflow.all_handlers_finished() or self._run.cancel_order is not None or self._run.has_answers:
            return False
        limit = self._run.start.policy.roll_after_events
        info = workflow.info()
        return info.is_continue_as_new_suggested() or (limit is not None and info.get_current_history_length() >= limit)


def _fresh(start: StartSubscription) -> SubscriptionState:
    now = workflow.now().replace(microsecond=0)
    due_at = now + timedelta(days=start.plan.trial_days)
    return SubscriptionState(anchor=Anchor.at(due_at, start.plan.zone), started_at=now, due_at=due_at)
