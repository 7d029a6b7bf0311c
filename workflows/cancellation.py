"""Cancel: the next charge is stopped if it still can be, and the caller is told which one won, in the same answer."""

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.states import CycleState, SubscriptionStatus
from workflows import arbiter, refunding, telling
from workflows.orders import (
    CancelAnswered,
    CancelSubscription,
    ChargeAtOrder,
    OrderAnswered,
    RefundAtCancel,
    UndoCancel,
    When,
)
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun


async def carry_out(run: SubscriptionRun, order: CancelSubscription) -> CancelAnswered:
    """Stop the next charge if it still can be, cancel now or at the end of the period, and say what happened."""
    number = run.merchant_uid if run.charging else None
    stopped = await arbiter.stop_the_charge(run, ending=True)
    state = run.state
    reason = order.reason or "canceled by request"
    # A period that is not paid has nothing left to use, so its end is now.
    now = order.at is When.NOW or state.period_end is None or state.period_end <= workflow.now()
    refunded = None
    if state.ended_at is None:
        _close_what_will_not_be_charged(run, stopped.charge, reason)
        if now:
            state.end(SubscriptionStatus.CANCELED, workflow.now(), reason)
            run.tell(EventType.SUBSCRIPTION_CANCELED, f"canceled: {reason}", telling.subscription(run))
        else:
            state.cancel_at_period_end = True
            state.pause_at_period_end = False
            run.tell(EventType.SUBSCRIPTION_CANCEL_SCHEDULED, "will end with its period", telling.subscription(run))
        await run.write("canceled" if now else "cancel at period end")
        if now and order.refund is not RefundAtCancel.NONE:
            refunded = await refunding.refund_period(run, order.refund, reason)
    return CancelAnswered(
        status=state.status,
        charge=stopped.charge,
        merchant_uid=number,
        charged_imp_uid=stopped.payment.imp_uid if stopped.payment else None,
        charged_amount=stopped.payment.amount if stopped.payment else None,
        cancel_at_period_end=state.cancel_at_period_end,
        ends_at=state.ended_at or state.period_end,
        refunded=refunded.amount if refunded else None,
        refund_state=refunded.state.value if refunded else None,
    )


async def undo(run: SubscriptionRun, _order: UndoCancel) -> OrderAnswered:
    """Go on with the next period after all; its charge is planned again."""
    run.state.cancel_at_period_end = False
    run.tell(EventType.SUBSCRIPTION_CANCEL_UNDONE, "will not end with its period", telling.subscription(run))
    await run.write("the cancel is taken back")
    await arbiter.plan_again(run, "the cancel was taken back")
    return OrderAnswered(snapshot=snapshot(run))


def _close_what_will_not_be_charged(run: SubscriptionRun, charge: ChargeAtOrder, reason: str) -> None:
    if charge is ChargeAtOrder.REVOKED:
        run.close_number(CycleState.REVOKED, reason)
    elif run.state.cycle_state in (CycleState.PLANNED, CycleState.GATED):
        run.close_number(CycleState.SKIPPED, reason)
