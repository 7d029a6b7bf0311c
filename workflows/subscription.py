"""One durable workflow per customer_uid: handlers that note, one loop that acts, continue-as-new with nothing lost."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

from billing.domain.calendar import Anchor
from billing.domain.states import ENDED, SubscriptionStatus
from billing.domain.subscription.answers import CancelAnswered, CancelPreview, OrderAnswered, Preview
from billing.domain.subscription.reports import LookAgain, PaymentReported
from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.state import SubscriptionState
from workflows import (
    first_period,
    loop,
    opening,
    pg_checks,
    policies,
    possible,
    previewing,
    showing,
    tidying,
    within_bounds,
)
from workflows.orders import (
    AnswerConsent,
    CancelChange,
    CancelSubscription,
    ChangePaymentMethod,
    ChangePlan,
    ChangeTrial,
    Decide,
    Order,
    PauseSubscription,
    ResumeSubscription,
    RetryNow,
    UndoCancel,
)
from workflows.subscription_run import SubscriptionRun


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class SubscriptionWorkflow:
    """Bills one subscriber, period after period, until the subscription ends."""

    @workflow.init
    def __init__(self, start: StartSubscription, carried: SubscriptionState | None = None) -> None:
        self._run = SubscriptionRun(start, carried or _fresh(start))
        self._began_on = workflow.info().get_current_deployment_version()

    @workflow.run
    async def run(self, start: StartSubscription, carried: SubscriptionState | None = None) -> SubscriptionSnapshot:
        """Live until the subscription has ended; answers where it stood then."""
        run, state = self._run, self._run.state
        if carried is None:
            within_bounds.check_start(start)
            if start.billing_day is not None:
                first_period.lay(run, state.due_at, start.billing_day)
            showing.show(run)
            await opening.begin(run)
        else:
            showing.show(run)
            self._tell_that_it_is_open()
        while True:
            while not self._is_over():
                if self._should_roll():
                    workflow.continue_as_new(args=[start, state])
                await self._next_step()
            self._tell_that_it_is_open()
            run.tell_answers()
            await workflow.wait_condition(workflow.all_handlers_finished)
            if self._is_over():
                return showing.snapshot(run)

    # -------------------------------------------------------------- signals: noted here, acted on in the loop

    @workflow.signal(description="A webhook rang: look the payment up. Carries ids only.")
    def payment_reported(self, bell: PaymentReported) -> None:
        """Note the notification; the loop looks."""
        self._run.state.hear(bell)
        self._run.stirred = True

    @workflow.signal(description="PortOne and the ledger differ on something of this subscription: look at it again.")
    def look_again(self, bell: LookAgain) -> None:
        """Note that somebody asked; the main loop looks, at the order that was named too."""
        self._run.state.ask_for_a_look(bell.merchant_uid)
        self._run.stirred = True

    # -------------------------------------------------------------- queries

    @workflow.query(description="Where the subscription stands.")
    def snapshot(self) -> SubscriptionSnapshot:
        """Where the subscription stands."""
        return showing.snapshot(self._run)

    @workflow.query(description="What will be charged next, line by line; with an order, what that change would cost.")
    def preview(self, order: ChangePlan | None = None, at: datetime | None = None) -> Preview:
        """What will be charged next, by the function that charges it.

        A query sees the time of the run's last step, so the caller brings the present one with a change.
        """
        return previewing.preview(self._run, order, max(at or workflow.now(), workflow.now()))

    @workflow.query(description="What a cancel would give back, and what would be owed beside it.")
    def preview_cancel(self, order: CancelSubscription, at: datetime | None = None) -> CancelPreview:
        """What a cancel would come to, by the function that gives back."""
        return previewing.preview_cancel(self._run, order, max(at or workflow.now(), workflow.now()))

    # -------------------------------------------------------------- updates: one order each, answered by the loop

    @workflow.update(
        description="Wait until the first charge is settled, the trial has begun, or the start has failed."
    )
    async def first_outcome(self) -> SubscriptionSnapshot:
        """Answer as soon as the subscription has left `incomplete` and that is in the ledger."""
        await workflow.wait_condition(lambda: self._run.opened)
        return showing.snapshot(self._run)

    @workflow.update(description="Cancel now or at period end; answers whether the next charge was stopped in time.")
    async def cancel(self, order: CancelSubscription) -> CancelAnswered:
        """Cancel, and say whether the next charge was stopped or had already run."""
        answer = await self._run.place(order)
        assert isinstance(answer, CancelAnswered)  # noqa: S101 - what carry_out answers to this order
        return answer

    @workflow.update(description="Take a cancel at period end back.")
    async def undo_cancel(self, order: UndoCancel) -> OrderAnswered:
        """Go on with the next period after all."""
        return await self._answered(order)

    @workflow.update(description="Pause now or at period end, until a day or until somebody resumes.")
    async def pause(self, order: PauseSubscription) -> OrderAnswered:
        """Stop charging."""
        return await self._answered(order)

    @workflow.update(description="Resume on a new billing day or the old one, or take a pause at period end back.")
    async def resume(self, order: ResumeSubscription) -> OrderAnswered:
        """Go on, charging at once what has to be paid for it."""
        return await self._answered(order)

    @workflow.update(description="Change plan, quantity or coupon, now (prorated) or with the next period.")
    async def change_plan(self, order: ChangePlan) -> OrderAnswered:
        """Change what is held; what costs money applies only when it is paid."""
        return await self._answered(order)

    @workflow.update(description="Forget the pending change.")
    async def cancel_change(self, order: CancelChange) -> OrderAnswered:
        """Keep what is held."""
        return await self._answered(order)

    @workflow.update(description="End the trial on another day, or now.")
    async def change_trial(self, order: ChangeTrial) -> OrderAnswered:
        """Move the end of the trial, and the charge behind it."""
        return await self._answered(order)

    @workflow.update(description="Charge another card from now on; an unpaid period is tried with it at once.")
    async def change_payment_method(self, order: ChangePaymentMethod) -> OrderAnswered:
        """Change the billing key; nothing is chargeable on two keys at any moment."""
        return await self._answered(order)

    @workflow.update(description="Charge the unpaid period now; it does not spend the budget of retries.")
    async def retry(self, order: RetryNow) -> OrderAnswered:
        """Charge what is owed now."""
        return await self._answered(order)

    @workflow.update(description="The buyer's explicit answer to a consent that is asked for.")
    async def answer_consent(self, order: AnswerConsent) -> OrderAnswered:
        """Note the buyer's answer, with what was shown to them."""
        return await self._answered(order)

    @workflow.update(description="A person's decision about what stands parked, with who and why.")
    async def decide(self, order: Decide) -> OrderAnswered:
        """Carry a person's decision out."""
        return await self._answered(order)

    # A refused order leaves no event in the history; what passes here is checked again when the loop gets to it.
    @cancel.validator
    def _check_cancel(self, order: CancelSubscription) -> None:
        self._check(order)

    @undo_cancel.validator
    def _check_undo_cancel(self, order: UndoCancel) -> None:
        self._check(order)

    @pause.validator
    def _check_pause(self, order: PauseSubscription) -> None:
        self._check(order)

    @resume.validator
    def _check_resume(self, order: ResumeSubscription) -> None:
        self._check(order)

    @change_plan.validator
    def _check_change_plan(self, order: ChangePlan) -> None:
        self._check(order)

    @cancel_change.validator
    def _check_cancel_change(self, order: CancelChange) -> None:
        self._check(order)

    @change_trial.validator
    def _check_change_trial(self, order: ChangeTrial) -> None:
        self._check(order)

    @change_payment_method.validator
    def _check_change_payment_method(self, order: ChangePaymentMethod) -> None:
        self._check(order)

    @retry.validator
    def _check_retry(self, order: RetryNow) -> None:
        self._check(order)

    @answer_consent.validator
    def _check_answer_consent(self, order: AnswerConsent) -> None:
        self._check(order)

    @decide.validator
    def _check_decide(self, order: Decide) -> None:
        self._check(order)

    def _check(self, order: Order) -> None:
        within_bounds.check(order, workflow.now())
        possible.check(order, self._run.state, self._run.plan, workflow.now(), self._run.customer_uid)
        pg_checks.check(order, self._run.state, self._run.plan)

    async def _answered(self, order: Order) -> OrderAnswered:
        answer = await self._run.place(order)
        assert isinstance(answer, OrderAnswered)  # noqa: S101 - every order but a cancel is answered so
        return answer

    def _is_over(self) -> bool:
        """Whether nothing of an ended subscription is left to do, to answer or to wait for."""
        run, state = self._run, self._run.state
        if state.status not in ENDED or run.orders or run.asking is not None:
            return False
        return not (tidying.is_tidying(run) or state.bells or state.look_asked)

    async def _next_step(self) -> None:
        """Take the next step; where there is none, tell what was answered, and wait: the one wait of a subscription."""
        run = self._run
        rest = await loop.take(run)
        if run.state.status not in ENDED:
            self._tell_that_it_is_open()
        if rest is not None:
            self._tell_that_it_is_open()
            run.tell_answers()
            await run.wait(rest.until, rest.why)

    def _tell_that_it_is_open(self) -> None:
        """Tell how a start came out; of one that failed, when nothing more of it is to be done at once."""
        self._run.opened = self._run.opened or self._run.state.status is not SubscriptionStatus.INCOMPLETE

    def _should_roll(self) -> bool:
        """Whether the run continues as new before its next step.

        After a deploy it does so once, at its next wake: a run keeps its answers to `workflow.patched` until it
        continues as new. Temporal itself tells of a new version to pinned workflows only (decision 0004).
        """
        run = self._run
        if not workflow.all_handlers_finished() or run.orders or run.has_answers or run.refunding is not None:
            return False
        if len(self._run.state.bells) > policies.MOST_CARRIED_BELLS:
            return False
        policy, info = self._run.start.policy, workflow.info()
        version = info.get_current_deployment_version()
        if policy.roll_when_deployed and version is not None and version.deployment_name and version != self._began_on:
            return True
        limit = policy.roll_after_events
        return info.is_continue_as_new_suggested() or (limit is not None and info.get_current_history_length() >= limit)


def _fresh(start: StartSubscription) -> SubscriptionState:
    began_at = workflow.now()
    now = began_at.replace(microsecond=0)
    due_at = start.paid_until or start.trial_ends_at or now + timedelta(days=start.plan.trial_days)
    trial = start.paid_until is None and (start.trial_ends_at is not None or start.plan.trial_days > 0)
    return SubscriptionState(
        anchor=Anchor.at(due_at, start.plan.zone),
        started_at=now,
        began_at=began_at,
        due_at=due_at,
        quantity=start.quantity,
        coupon=start.coupon,
        trial_ends_at=due_at if trial else None,
    )
