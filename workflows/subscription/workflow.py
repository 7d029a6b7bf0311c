"""One durable workflow per customer_uid: handlers that note, one loop that acts, continue-as-new with nothing lost."""

from datetime import datetime

from temporalio import workflow
from temporalio.common import VersioningBehavior

from billing.domain.states import ENDED, SubscriptionStatus
from billing.domain.subscription import ending, first_period, projections, waiting
from billing.domain.subscription.answers import CancelPreview, Preview
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.reports import LookAgain, PaymentReported
from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.state import SubscriptionState
from billing.domain.subscription.subscription import Subscription, begin
from workflows import policies
from workflows.subscription import loop, opening, previewing
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.change_plan import ChangePlan
from workflows.subscription.commands.handlers import CommandHandlers
from workflows.subscription.commands.skip import SkipPeriods
from workflows.subscription.desk import Desk
from workflows.subscription.ledger import record_and_show
from workflows.subscription.start_bounds import check_start
from workflows.subscription.temporal_ui import TemporalUi


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class SubscriptionWorkflow(CommandHandlers):
    """Bills one subscriber, period after period, until the subscription ends.

    Its commands are in `workflows.subscription.commands`, one file each: they are this workflow's updates.
    """

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        self._subscription = Subscription(start, carried or begin(start, workflow.now()))
        self._recording = Recording(self._subscription)
        self._desk = Desk()
        self._ui = TemporalUi()
        self._opened = False
        self._began_on = workflow.info().get_current_deployment_version()

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        """Live until the subscription has ended; answers where it stood then."""
        if carried is None:
            check_start(start)
            self._begin(start)
            # Before PortOne is asked, which may not answer for hours: who was told 202 finds it, and can cancel it.
            await record_and_show(self._subscription, self._recording, self._ui)
        else:
            self._ui.show(self._subscription)
            self._tell_that_it_is_open()
        while True:
            while not self._is_over():
                if self._should_roll():
                    workflow.continue_as_new(args=[start, self._subscription.state])
                await self._next_step()
            self._tell_that_it_is_open()
            self._desk.tell()
            await workflow.wait_condition(workflow.all_handlers_finished)
            if self._is_over():
                return projections.snapshot(self._subscription, workflow.now())

    # -------------------------------------------------------------- signals: noted here, acted on in the loop

    @workflow.signal(description="A webhook came: look the payment up. Carries ids only.")
    def payment_reported(self, report: PaymentReported) -> None:
        """Note the notification; the loop looks the payment up."""
        self._subscription.state.notify(report, workflow.now())
        self._desk.stir()

    @workflow.signal(description="PortOne and the ledger differ on something of this subscription: look at it again.")
    def look_again(self, report: LookAgain) -> None:
        """Note that somebody asked; the loop looks, at the order that was named too."""
        self._subscription.state.reports.ask_for_a_look(report.merchant_uid)
        self._desk.stir()

    # -------------------------------------------------------------- queries

    @workflow.query(description="Where the subscription stands.")
    def snapshot(self) -> SubscriptionSnapshot:
        """Where the subscription stands."""
        return projections.snapshot(self._subscription, workflow.now(), self._desk.wakes_at)

    @workflow.query(description="What will be charged next, line by line; with a change, what that would cost.")
    def preview(self, change: ChangePlan | None = None, at: datetime | None = None) -> Preview:
        """What will be charged next, by the function that charges it.

        A query sees the time of the run's last step, so the caller brings the present one with a change.
        """
        return previewing.preview(self._subscription, change, self._present(at))

    @workflow.query(description="When the next charge would be after skipped periods, and what it would be.")
    def preview_skip(self, message: SkipPeriods, at: datetime | None = None) -> Preview:
        """What a skip would come to, by the function that skips."""
        return previewing.preview_skip(self._subscription, message, self._present(at))

    @workflow.query(description="What a cancel would give back, and what would be owed beside it.")
    def preview_cancel(self, message: CancelSubscription, at: datetime | None = None) -> CancelPreview:
        """What a cancel would come to, by the function that gives back."""
        return previewing.preview_cancel(self._subscription, message, self._present(at))

    # -------------------------------------------------------------- the one update that is no command

    @workflow.update(
        description="Wait until the first charge is settled, the trial has begun, or the start has failed."
    )
    async def first_outcome(self) -> SubscriptionSnapshot:
        """Answer as soon as the subscription has left `incomplete` and that is in the ledger."""
        await workflow.wait_condition(lambda: self._opened)
        return projections.snapshot(self._subscription, workflow.now(), self._desk.wakes_at)

    # -------------------------------------------------------------- the life of the run

    def _begin(self, start: StartSubscription) -> None:
        """Write that a subscription has begun, with the intent of its first charge, before anything can charge it."""
        subscription, now = self._subscription, workflow.now()
        if start.billing_day is not None:
            first_period.lay(subscription, subscription.state.period.due_at, start.billing_day)
        opening.begin(subscription, self._recording, now)

    async def _next_step(self) -> None:
        """Take the next step; where there is none, tell what was answered, and wait: the one wait of a subscription."""
        rest = await loop.take(self._subscription, self._recording, self._desk)
        if rest is not None:
            waiting.say(self._subscription, self._recording, rest.until, workflow.now())
        if self._recording.has_writes:
            await record_and_show(self._subscription, self._recording, self._ui)
            # What comes while this is written is looked into before the wait.
            rest = None
        if rest is not None or self._subscription.state.status not in ENDED:
            self._tell_that_it_is_open()
        if rest is not None:
            self._desk.tell()
            # A call may have written by itself that the next charge stands.
            self._ui.tell(self._subscription)
            await self._desk.wait(rest.until, rest.why)

    def _is_over(self) -> bool:
        """Whether nothing of an ended subscription is left to do, to answer or to wait for."""
        state, desk = self._subscription.state, self._desk
        if state.status not in ENDED or desk.commands or desk.asking is not None:
            return False
        busy = ending.is_tidying(self._subscription, workflow.now()) or self._recording.has_notes
        return not (busy or state.reports.waiting or state.reports.look_asked)

    def _tell_that_it_is_open(self) -> None:
        """Tell how a start came out; of one that failed, when nothing more of it is to be done at once."""
        begun = self._subscription.state.status is not SubscriptionStatus.INCOMPLETE
        self._opened = self._opened or begun

    def _should_roll(self) -> bool:
        """Whether the run continues as new before its next step.

        After a deploy it does so once, at its next wake: a run keeps its answers to `workflow.patched` until it
        continues as new. Temporal itself tells of a new version to pinned workflows only (decision 0004).
        """
        state, desk = self._subscription.state, self._desk
        if not workflow.all_handlers_finished() or desk.commands or self._recording.has_notes or state.refunds.begun:
            return False
        if len(state.reports.waiting) > policies.MOST_CARRIED_REPORTS:
            return False
        policy, info = self._subscription.start.policy, workflow.info()
        version = info.get_current_deployment_version()
        if policy.roll_when_deployed and version is not None and version.deployment_name and version != self._began_on:
            return True
        limit = policy.roll_after_events
        return info.is_continue_as_new_suggested() or (limit is not None and info.get_current_history_length() >= limit)

    @staticmethod
    def _present(at: datetime | None) -> datetime:
        return max(at or workflow.now(), workflow.now())
