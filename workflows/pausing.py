"""A pause: nothing is charged, and nothing asked of PortOne, until somebody resumes or until the day that was named."""

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import When
from workflows import consent_need, stopping, telling
from workflows.orders import PauseSubscription
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun

BY_REQUEST = "paused by request"


async def pause(run: SubscriptionRun, order: PauseSubscription) -> OrderAnswered:
    """Stop the next charge if it still can be, pause now or with the end of the period, and say what happened."""
    stopped = await stopping.stop_the_charge(run)
    state = run.state
    if stopped.stands_in_the_way:
        return _not_paused(run, stopped, "the next charge ran first and was not paid; it is not paused")
    if stopped.charge is ChargeAtOrder.REVOKED:
        run.close_number(CycleState.REVOKED, order.reason or BY_REQUEST)
    now = order.at is When.NOW or state.period_end is None or state.period_end <= workflow.now()
    if not now and (why := _why_not_with_this_period(run, order)) is not None:
        # Only a charge that won this very race moves the end of the period so: what is asked for has no meaning now.
        return _not_paused(run, stopped, why)
    consent_need.withdraw(run)
    state.resumes_at, state.resume_anchor = order.resumes_at, order.resume_anchor
    if now:
        await begin(run, order.reason or BY_REQUEST)
    else:
        state.pause_at_period_end = True
        told = telling.subscription(run, order.reason)
        run.tell(EventType.SUBSCRIPTION_PAUSE_SCHEDULED, "will pause with its period", told)
        await run.write("pause at period end")
    return OrderAnswered(
        snapshot=snapshot(run),
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


def _why_not_with_this_period(run: SubscriptionRun, order: PauseSubscription) -> str | None:
    if run.term_is_paid:
        return "the next charge ran first, and the period it paid for is the last one"
    ends_at = run.state.period_end
    if order.resumes_at is not None and ends_at is not None and order.resumes_at <= ends_at:
        return f"the next charge ran first, and the period it paid for ends {run.local(ends_at)}, after resumes_at"
    return None


def _not_paused(run: SubscriptionRun, stopped: stopping.Stopped, message: str) -> OrderAnswered:
    return OrderAnswered(
        snapshot=snapshot(run),
        done=False,
        code=f"charge_{stopped.charge.value}",
        message=message,
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid,
        charged=stopped.payment.amount if stopped.payment else None,
    )


async def begin(run: SubscriptionRun, reason: str) -> None:
    """Be paused from this moment on."""
    run.state.become(SubscriptionStatus.PAUSED)
    run.state.paused_at = workflow.now()
    run.state.pause_at_period_end = False
    run.tell(EventType.SUBSCRIPTION_PAUSED, f"paused: {reason}", telling.subscription(run, reason))
    await run.write("paused")


def why(run: SubscriptionRun) -> str:
    """Until when it is paused, in words."""
    resumes_at = run.state.resumes_at
    return f"paused until {run.local(resumes_at)}" if resumes_at is not None else "paused until somebody resumes"
