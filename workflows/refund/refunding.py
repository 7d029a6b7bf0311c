"""Refunds that a subscription makes by itself: each one a RefundWorkflow, so that no two of a payment ever race."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, repeat

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from billing.domain.books import PaidWith
from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.records import RefundState
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.subscription import returns
from billing.domain.subscription.choices import RefundAtCancel
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.refunds import RefundsFor, RefundUnderWay
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import net_amount
from workflows import policies
from workflows.contracts import refund_workflow_id
from workflows.refund import owing
from workflows.refund.owing import StartOwedRefund
from workflows.refund.workflow import RefundWorkflow
from workflows.subscription.desk import Desk
from workflows.subscription.ledger import record


async def refund_to_the_end(start: StartRefund) -> RefundSettled:
    """Refund; waits while another refund of the same order is made, however long that takes."""
    waits = chain(policies.REFUND_BUSY, repeat(policies.REFUND_BUSY_HOURLY))
    while True:
        try:
            return await workflow.execute_child_workflow(
                RefundWorkflow.run,
                start,
                id=refund_workflow_id(start.merchant_uid),
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"refund of {start.amount or 'all that is left'} for {start.merchant_uid}",
            )
        except WorkflowAlreadyStartedError:
            await workflow.sleep(next(waits), summary=f"another refund of {start.merchant_uid} is being made")
        except ChildWorkflowError as error:
            # Somebody terminated it: what became of it the next look at the payment tells.
            message = str(error.cause or error)
            return RefundSettled(refund_id=start.refund_id, state=RefundState.UNKNOWN, message=message)


# ---------------------------------------------------------------- under way


def begin(subscription: Subscription, now: datetime, refunds: Sequence[RefundUnderWay], whom: RefundsFor) -> None:
    """Let these refunds be made, one after the other, while commands are heard; they are told of when they are over."""
    subscription.state.refunds.begin(refunds, whom, tell_at=now + policies.REFUND_TOLD_AFTER)


async def go_on(subscription: Subscription, recording: Recording, desk: Desk) -> bool:
    """Begin the next refund, or tell that one takes long; whether all of them are over."""
    refunds = subscription.state.refunds
    current = refunds.next()
    if current is None:
        return True
    if not refunds.begun:
        await record(recording)
        await _begin_one(subscription, desk, current.refund)
    else:
        _tell_that_it_takes_long(subscription, desk)
    return False


async def _begin_one(subscription: Subscription, desk: Desk, start: StartRefund) -> None:
    refunds = subscription.state.refunds
    try:
        child = await workflow.start_child_workflow(
            RefundWorkflow.run,
            start,
            id=refund_workflow_id(start.merchant_uid),
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"refund of {start.amount or 'all that is left'} for {start.merchant_uid}",
        )
    except WorkflowAlreadyStartedError:
        # Another refund of the same order is made at this moment, or ours that was begun before a new run.
        ladder = (*policies.REFUND_BUSY, policies.REFUND_BUSY_HOURLY)
        refunds.try_again(workflow.now() + ladder[min(refunds.tries, len(ladder) - 1)])
        return
    refunds.is_being_made()

    def note(_child: object) -> None:
        refunds.settle(_settled(start, child))
        desk.stir()

    child.add_done_callback(note)


def _settled(start: StartRefund, child: ChildWorkflowHandle[RefundWorkflow, RefundSettled]) -> RefundSettled:
    try:
        return child.result()
    except ChildWorkflowError as error:
        # Somebody terminated it: what became of it the next look at the payment tells.
        message = str(error.cause or error)
        return RefundSettled(refund_id=start.refund_id, state=RefundState.UNKNOWN, message=message)


def _tell_that_it_takes_long(subscription: Subscription, desk: Desk) -> None:
    """Whoever canceled is answered what is known: the refund is on its way, and it is told when it has come through."""
    refunds = subscription.state.refunds
    refunds.is_told()
    if refunds.whom is None or refunds.whom.cancel is None:
        return
    message = "the refund is on its way and PortOne has not proven it yet; an event tells when it has"
    desk.answer_asking(
        refunds.whom.cancel.model_copy(update={"refund_state": RefundState.UNKNOWN.value, "refund_message": message})
    )


# ---------------------------------------------------------------- what is refunded


def of_order(
    subscription: Subscription,
    merchant_uid: str,
    amount: Money,
    reason: str,
    *,
    imp_uid: str | None = None,
    returned: int = 0,
) -> RefundUnderWay:
    """The refund of a part of an order, or of one payment of it."""
    start = StartRefund(
        refund_id=f"r{workflow.uuid4().hex[:24]}",
        merchant_uid=merchant_uid,
        amount=amount,
        reason=reason,
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        imp_uid=imp_uid,
    )
    return RefundUnderWay(refund=start, amount=amount, returned=returned)


def of_payment(subscription: Subscription, row: PaymentFact, reason: str) -> RefundUnderWay:
    """The refund of all that PortOne holds by one payment."""
    held = Money(net_amount(row), row.amount.currency)
    return of_order(subscription, row.merchant_uid, held, reason, imp_uid=row.imp_uid)


def of_cancel(subscription: Subscription, now: datetime, how: RefundAtCancel, reason: str) -> list[RefundUnderWay]:
    """What goes back with a cancel: what is owed for the running period and as credit, or all that its orders hold.

    The newest order first. The books are true (`bookkeeping.follow`), so no order is asked for more than PortOne still
    holds of it here. What goes back uses up the credit that the rest has become.
    """
    currency, books = subscription.terms.plan.price.currency, subscription.terms.books()
    wanted = subscription.terms.gives_back(how, now)
    subscription.keep(books.settled(now))
    return [
        of_order(subscription, order.merchant_uid, Money(part, currency), reason, returned=order.returned)
        for order, part in books.through(wanted)
    ]


async def given_back_at_cancel(subscription: Subscription, recording: Recording) -> RefundSettled:
    """What came of the refunds of a cancel together; what PortOne refuses stays owed, as credit, and stands parked.

    That has a workflow of its own that outlives the subscription (`workflows.refund.owed_refund`). Refused or unknown
    as soon as one part of it is, with that part's reason, and what of it did not go back as `remaining`.
    """
    state, currency = subscription.state, subscription.terms.plan.price.currency
    reason = state.refunds.whom.reason if state.refunds.whom is not None else ""
    total, told, owed = Money(0, currency), None, list[StartOwedRefund]()
    for each in state.refunds.are_over():
        settled = each.settled
        assert settled is not None  # noqa: S101 - asked when all are over
        order = next(
            (paid for paid in subscription.terms.books().orders if paid.merchant_uid == each.refund.merchant_uid),
            PaidWith(each.refund.merchant_uid, None, 0, each.returned),
        )
        if settled.state is RefundState.REFUNDED:
            total += each.amount
            returns.gave_back(subscription, order, each.amount.amount)
        else:
            owed.append(owing.of(subscription, workflow.now(), order, each.amount, settled, reason))
        if told is None or settled.state is not RefundState.REFUNDED:
            told = settled
    assert told is not None  # noqa: S101 - there is a refund
    await owing.stand(recording, owed, f"{total} went back")
    return told.model_copy(update={"amount": total, "remaining": sum(each.amount.amount for each in owed)})
