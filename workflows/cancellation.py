"""Cancel: the next charge is stopped if it still can be, and the caller is told which one won, in the same answer."""

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from billing.domain import refusals
from billing.domain.events import EventType
from billing.domain.money import Money
from billing.domain.records import RefundState
from billing.domain.states import CycleState
from billing.domain.subscription.answers import CancelAnswered, ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import RefundAtCancel, When
from billing.domain.subscription.records import RefundsFor
from workflows import bookkeeping, ending, leaving, refunding, stopping, telling
from workflows.consent_need import withdraw
from workflows.orders import CancelSubscription, UndoCancel
from workflows.pending_change import void_the_change
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun

BY_REQUEST = "canceled by request"


async def carry_out(run: SubscriptionRun, order: CancelSubscription) -> CancelAnswered | None:
    """Stop the next charge if it still can be, cancel now or at the end of the period, and say what happened.

    None where refunds are under way: it is answered when they are over, or soon when that takes long.
    """
    if run.state.ended_at is not None:
        return _told_again(run)
    if order.refund is not RefundAtCancel.NONE and refunding.are_under_way(run):
        message = "a refund of this subscription is being made; ask again in a moment"
        raise ApplicationError(message, type="charge_running", non_retryable=True)
    number = run.merchant_uid if run.charging else None
    stopped = await stopping.stop_the_charge(run, ending=True)
    charge = ChargeAtOrder.UNKNOWN if stopped.unfinished else stopped.charge
    state = run.state
    now = order.at is When.NOW or nothing_is_left_to_use(run, workflow.now())
    if now and order.refund is not RefundAtCancel.NONE:
        # Where PortOne cannot be asked, nothing is voided and nothing ends.
        await bookkeeping.follow(run)
    if charge is ChargeAtOrder.REVOKED:
        run.close_number(CycleState.REVOKED, order.reason or BY_REQUEST)
    void_the_change(run, "canceled")
    withdraw(run)
    told = CancelAnswered(
        status=state.status,
        charge=charge,
        merchant_uid=number,
        charged_imp_uid=stopped.payment.imp_uid if stopped.payment else None,
        charged_amount=stopped.payment.amount if stopped.payment else None,
    )
    if now:
        return await _end_now(run, order, told)
    await _end_with_the_period(run, order.reason)
    standing = await leaving.what_stands(run)
    return _as_it_stands(run, told).model_copy(update={"standing": standing})


async def _end_now(run: SubscriptionRun, order: CancelSubscription, told: CancelAnswered) -> CancelAnswered | None:
    state = run.state
    if told.charge is ChargeAtOrder.UNKNOWN and state.charge is None and state.row_look_at is None:
        # PortOne has not finished a payment of the number: what it comes to is found out after the end.
        state.row_look_at = workflow.now()
    reason = order.reason or state.cancel_reason or BY_REQUEST
    gives_back = order.refund is not RefundAtCancel.NONE
    await ending.cancel(run, reason)
    refunds = refunding.of_cancel(run, order.refund, reason) if gives_back else []
    state.canceled = told = _as_it_stands(run, told)
    if not refunds:
        return told
    refunding.begin(run, refunds, RefundsFor(reason=reason, cancel=told))
    return None


async def given_back(run: SubscriptionRun) -> CancelAnswered | None:
    """The refunds of a cancel are over: what came of them is written, and told."""
    whom = run.state.refunds_for
    refunded = await refunding.given_back_at_cancel(run)
    if whom is None or whom.cancel is None:
        return None
    owed = max(bookkeeping.books_of(run).owed(workflow.now()), refunded.remaining or 0)
    done = refunded.state is RefundState.REFUNDED
    run.state.canceled = whom.cancel.model_copy(
        update={
            "refunded": refunded.amount,
            "refund_state": refunded.state.value,
            "refund_message": None if done else refunded.message,
            # Of a full refund also what was used was to go back.
            "owed": Money(owed, run.plan.price.currency),
        }
    )
    return run.state.canceled


def _as_it_stands(run: SubscriptionRun, told: CancelAnswered) -> CancelAnswered:
    state = run.state
    owed = None
    if state.ended_at is not None:
        owed = Money(bookkeeping.books_of(run).owed(workflow.now()), run.plan.price.currency)
    return told.model_copy(
        update={
            "status": state.status,
            "cancel_at_period_end": state.cancel_at_period_end,
            "ends_at": state.ended_at or state.period_end,
            "standing": None if state.standing is None or state.ended_at is None else tuple(state.standing),
            "owed": owed,
        }
    )


def _told_again(run: SubscriptionRun) -> CancelAnswered:
    """It has ended, and something of it is still on its way: what is known by now, as often as it is asked.

    Raises:
        ApplicationError: `SubscriptionEnded`, where it was not a cancel that ended it.
    """
    told = run.state.canceled
    if told is None:
        message = refusals.told("SubscriptionEnded", f"the subscription is {run.state.status.value}")
        raise ApplicationError(message, type="SubscriptionEnded", non_retryable=True)
    return _as_it_stands(run, told)


async def undo(run: SubscriptionRun, _order: UndoCancel) -> OrderAnswered:
    """Go on with the next period after all; its charge is planned again.

    What the cancel had voided, a pause or a change that was to come, stays void.
    """
    run.state.cancel_at_period_end, run.state.cancel_reason = False, None
    run.tell(EventType.SUBSCRIPTION_CANCEL_UNDONE, "will not end with its period", telling.subscription(run))
    run.state.plans_again = "the cancel was taken back"
    await run.write("the cancel is taken back")
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
