"""Cancel: the next charge is stopped if it still can be, and the caller is told which one won, in the same answer."""

from datetime import datetime

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.money import Money
from billing.domain.records import RefundState
from billing.domain.states import CycleState
from workflows import arbiter, bookkeeping, ending, leaving, refunding, telling
from workflows.consent_need import withdraw
from workflows.orders import (
    CancelAnswered,
    CancelSubscription,
    ChargeAtOrder,
    OrderAnswered,
    RefundAtCancel,
    UndoCancel,
    When,
)
from workflows.pending_change import void_the_change
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun

BY_REQUEST = "canceled by request"


async def carry_out(run: SubscriptionRun, order: CancelSubscription) -> CancelAnswered:
    """Stop the next charge if it still can be, cancel now or at the end of the period, and say what happened."""
    number = run.merchant_uid if run.charging else None
    stopped = await arbiter.stop_the_charge(run, ending=True)
    state = run.state
    refunded, owed, standing = None, None, None
    if stopped.charge is ChargeAtOrder.REVOKED:
        run.close_number(CycleState.REVOKED, order.reason or BY_REQUEST)
    void_the_change(run, "canceled")
    withdraw(run)
    if order.at is When.NOW or nothing_is_left_to_use(run, workflow.now()):
        reason = order.reason or state.cancel_reason or BY_REQUEST
        gives_back = order.refund is not RefundAtCancel.NONE
        by_net_paid = gives_back and await bookkeeping.follow(run)
        await ending.cancel(run, reason)
        standing = None if state.standing is None else tuple(state.standing)
        if gives_back:
            give_back = refunding.give_back if by_net_paid else refunding.refund_period
            refunded = await give_back(run, order.refund, reason)
        if by_net_paid or not gives_back:
            owed = bookkeeping.books_of(run).owed(workflow.now())
        if by_net_paid and refunded is not None:
            # Of a full refund also what was used was to go back.
            owed = max(owed or 0, refunded.remaining or 0)
    else:
        await _end_with_the_period(run, order.reason)
        standing = await leaving.what_stands(run)
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
        refund_message=refunded.message if refunded and refunded.state is not RefundState.REFUNDED else None,
        standing=standing,
        owed=Money(owed, run.plan.price.currency) if owed is not None else None,
    )


async def undo(run: SubscriptionRun, _order: UndoCancel) -> OrderAnswered:
    """Go on with the next period after all; its charge is planned again.

    What the cancel had voided, a pause or a change that was to come, stays void.
    """
    run.state.cancel_at_period_end, run.state.cancel_reason = False, None
    run.tell(EventType.SUBSCRIPTION_CANCEL_UNDONE, "will not end with its period", telling.subscription(run))
    await run.write("the cancel is taken back")
    await arbiter.plan_again(run, "the cancel was taken back")
    return OrderAnswered(snapshot=snapshot(run))


def nothing_is_left_to_use(run: SubscriptionRun, at: datetime) -> bool:
    """A period that is not paid, or that is paused, has no end to wait for."""
    ends_at = run.state.period_end
    return run.state.paused_at is not None or ends_at is None or ends_at <= at


async def _end_with_the_period(run: SubscriptionRun, reason: str | None) -> None:
    state = run.state
    again = state.cancel_at_period_end
    state.cancel_at_period_end = True
    state.cancel_reason = reason or state.cancel_reason
    state.pause_at_period_end, state.resumes_at = False, None
    if not again:
        told = telling.subscription(run, state.cancel_reason)
        run.tell(EventType.SUBSCRIPTION_CANCEL_SCHEDULED, "will end with its period", told)
    await run.write("cancel at period end")
