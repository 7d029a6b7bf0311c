"""A trial: changed while it runs, and brought to its end where no card stands behind it."""

from datetime import datetime

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.plans import TrialEnd
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.records import Purpose
from billing.domain.verdict import Finding
from workflows import attempts, consent_need, consenting, dunning, first_period, pausing, scheduling, stopping, telling
from workflows.attempts import Proven
from workflows.orders import ChangeTrial
from workflows.reminders import TRIAL
from workflows.settling import settle, stand
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_skipped


async def change(run: SubscriptionRun, order: ChangeTrial) -> OrderAnswered | None:
    """End the trial on another day, and move the charge behind it; or end it now, and charge at once.

    A trial that is ended now is over whatever its charge comes to: declined, the subscription is `past_due`.
    """
    ends_now, ends_at = order.ends_at is None, (order.ends_at or workflow.now()).replace(microsecond=0)
    stopped = await stopping.stop_the_charge(run)
    if stopped.unfinished or stopped.charge not in (ChargeAtOrder.NONE_PLANNED, ChargeAtOrder.REVOKED):
        return _answer_the_charge_ran_first(run, stopped, ends_now=ends_now)
    _end_at(run, ends_at)
    wanted = consent_need.need_at(run, ends_at) if ends_now else None
    if wanted is not None and order.consent is not None:
        consenting.grant_at_once(run, wanted, order.consent)
    run.tell(
        EventType.SUBSCRIPTION_TRIAL_CHANGED,
        f"the trial ends {run.local(run.state.due_at)}",
        telling.subscription(run),
    )
    intents = [run.intent()] if run.state.open_order == run.would_open() else []
    await run.write(f"the trial ends {run.local(run.state.due_at)}", intents=intents)
    if ends_now:
        return await _charge_at_once(run, stopped)
    run.state.plans_again = "the trial ends on another day"
    return OrderAnswered(snapshot=snapshot(run), charge=stopped.charge)


def _answer_the_charge_ran_first(run: SubscriptionRun, stopped: stopping.Stopped, *, ends_now: bool) -> OrderAnswered:
    """The trial had ended by itself, or its charge is in doubt; who wanted it to end has what they wanted."""
    code, message = "not_trialing", "its charge ran first: the trial is over"
    if stopped.unfinished:
        code, message = "charge_unfinished", "PortOne has not finished a payment of its charge; nothing was changed"
    elif stopped.charge is ChargeAtOrder.MISMATCH:
        code, message = "charge_mismatch", "its charge ran first and is not as ordered; decide that first"
    done = ends_now and code == "not_trialing"
    return OrderAnswered(
        snapshot=snapshot(run),
        done=done,
        code=None if done else code,
        message=None if done else message,
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


def _end_at(run: SubscriptionRun, ends_at: datetime) -> None:
    state = run.state
    first_period.lay(run, ends_at, state.anchor.billing_day)
    state.period_end = state.trial_ends_at = ends_at
    state.announced = [each for each in state.announced if each != TRIAL]


async def _charge_at_once(run: SubscriptionRun, stopped: stopping.Stopped) -> OrderAnswered | None:
    state = run.state
    if run.bill().amount.amount == 0:
        await settle_skipped(run)
        return OrderAnswered(snapshot=snapshot(run))
    if not state.has_card:
        await end_without_a_card(run)
        return OrderAnswered(snapshot=snapshot(run))
    revoked = stopped.charge is ChargeAtOrder.REVOKED and not scheduling.can_reschedule(run)
    if revoked or state.open_order not in (None, run.would_open()):
        await stopping.renumber(run, "the trial ends now")
    state.move(CycleState.VERIFYING)
    attempts.begin(run, Purpose.TRIAL_END)
    return None


async def charged(run: SubscriptionRun, proven: Proven) -> OrderAnswered:
    """The charge at the end of the trial is proven: record it, and answer what came of it."""
    number, verdict = run.merchant_uid, dunning.as_declined(proven.verdict)
    if verdict.finding is Finding.PENDING:
        await stand(run, CycleState.UNKNOWN, verdict)
    else:
        await settle(run, verdict)
    outcomes = {
        Finding.PAID: ChargeAtOrder.PAID,
        Finding.DECLINED: ChargeAtOrder.DECLINED,
        Finding.PENDING: ChargeAtOrder.UNKNOWN,
    }
    charge = outcomes.get(verdict.finding, ChargeAtOrder.MISMATCH)
    open_or_wrong = charge in (ChargeAtOrder.MISMATCH, ChargeAtOrder.UNKNOWN)
    return OrderAnswered(
        snapshot=snapshot(run),
        done=not open_or_wrong,
        code=f"charge_{charge.value}" if open_or_wrong else None,
        message=verdict.reason if charge is not ChargeAtOrder.PAID else None,
        charge=charge,
        merchant_uid=number,
        charged=verdict.payment.amount if charge is ChargeAtOrder.PAID and verdict.payment else None,
    )


async def end_without_a_card(run: SubscriptionRun) -> None:
    """Pause, or end, as the plan says: a period is due, after a trial or a free one, and there is nothing to charge."""
    trial = run.state.status is SubscriptionStatus.TRIALING
    reason = "the trial ended without a payment method" if trial else "there is no payment method for the next period"
    run.close_number(CycleState.SKIPPED, "no payment method")
    run.state.open_order = None
    if run.plan.trial_end_without_card is TrialEnd.PAUSE:
        await pausing.begin(run, reason)
        return
    run.state.end(SubscriptionStatus.CANCELED, workflow.now(), reason)
    run.tell(EventType.SUBSCRIPTION_CANCELED, reason, telling.subscription(run))
    await run.write(reason)
