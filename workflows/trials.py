"""A trial: changed while it runs, and brought to its end where no card stands behind it."""

from temporalio import workflow

from billing.domain.calendar import Anchor
from billing.domain.events import EventType
from billing.domain.plans import TrialEnd
from billing.domain.states import CycleState, SubscriptionStatus
from workflows import arbiter, pausing, telling
from workflows.bells import answer_stale_bells
from workflows.orders import ChangeTrial, OrderAnswered
from workflows.reminders import TRIAL
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun


async def change(run: SubscriptionRun, order: ChangeTrial) -> OrderAnswered:
    """End the trial at another instant, or now; the charge behind it moves with it."""
    stopped = await arbiter.stop_the_charge(run)
    if run.state.status is not SubscriptionStatus.TRIALING or stopped.stands_in_the_way:
        # Its charge ran first: the trial is over, and how it ended is told.
        over = run.state.status is not SubscriptionStatus.TRIALING
        code = "not_trialing" if over else f"charge_{stopped.charge.value}"
        message = "the trial had already ended" if over else "its charge ran first, and what came of it is open"
        return OrderAnswered(
            snapshot=snapshot(run), done=False, code=code, message=message, charge=stopped.charge,
            merchant_uid=stopped.merchant_uid, charged=stopped.payment.amount if stopped.payment else None,
        )  # fmt: skip
    state = run.state
    ends_at = (order.ends_at or workflow.now()).replace(microsecond=0)
    state.anchor = Anchor.at(ends_at, run.plan.zone)
    state.due_at = state.period_end = state.trial_ends_at = ends_at
    if TRIAL in state.announced:
        state.announced = [each for each in state.announced if each != TRIAL]
    run.tell(EventType.SUBSCRIPTION_TRIAL_CHANGED, f"the trial ends {run.local(ends_at)}", telling.subscription(run))
    await run.write(f"the trial ends {run.local(ends_at)}")
    await arbiter.plan_again(run, "the trial ends on another day")
    return OrderAnswered(snapshot=snapshot(run), charge=stopped.charge)


async def wait_for_a_card(run: SubscriptionRun) -> None:
    """Wait for a payment method until the period begins; without one, pause or end as the plan says."""
    due_at = run.state.due_at
    await run.hear(due_at, f"until a payment method is there, or {run.local(due_at)}")
    await answer_stale_bells(run)
    if workflow.now() < due_at or run.orders:
        return
    run.close_number(CycleState.SKIPPED, "no payment method")
    if run.plan.trial_end_without_card is TrialEnd.PAUSE:
        await pausing.begin(run, "the trial ended without a payment method")
        return
    run.state.end(SubscriptionStatus.CANCELED, workflow.now(), "the trial ended without a payment method")
    run.tell(EventType.SUBSCRIPTION_CANCELED, "the trial ended without a payment method", telling.subscription(run))
    await run.write("the trial ended without a payment method")
