"""Refunds that a subscription makes by itself: each one a RefundWorkflow, so that no two of a payment ever race."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, repeat

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from billing.domain.books import PaidWith
from billing.domain.both_sides import money_held
from billing.domain.facts import PaymentFact
from billing.domain.instants import AT_ONCE
from billing.domain.money import Money
from billing.domain.records import RefundState
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.subscription.choices import RefundAtCancel
from billing.domain.subscription.records import RefundsFor, RefundUnderWay
from workflows import bookkeeping, owing, policies
from workflows.contracts import refund_workflow_id
from workflows.owing import StartOwedRefund
from workflows.refund import RefundWorkflow
from workflows.subscription_run import SubscriptionRun


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


def begin(run: SubscriptionRun, refunds: Sequence[RefundUnderWay], whom: RefundsFor) -> None:
    """Let these refunds be made, one after the other, while commands are heard; they are told of when they are over."""
    state = run.state
    state.refunds, state.refunds_for = list(refunds), whom
    state.refunds_at, state.refund_tries = None, 0
    state.refunds_told_at = workflow.now() + policies.REFUND_TOLD_AFTER


def are_under_way(run: SubscriptionRun) -> bool:
    """Whether a refund is being made, or its outcome is still to be told."""
    return bool(run.state.refunds)


def next_at(run: SubscriptionRun) -> datetime | None:
    """When something is to be done about them by ourselves; None while only their outcome is waited for."""
    state, child = run.state, run.refunding
    if child is not None and not child.done() and _next(run) is not None:
        return state.refunds_told_at if run.asking is not None else None
    return state.refunds_at or AT_ONCE


async def go_on(run: SubscriptionRun) -> bool:
    """Begin the next refund, or take the outcome of the one that is being made; whether all of them are over."""
    state, current = run.state, _next(run)
    if current is None:
        return True
    if run.refunding is None:
        await _begin_one(run, current)
    elif run.refunding.done():
        current.settled, run.refunding = _settled(current.refund, run.refunding), None
        state.refunds_at, state.refund_tries = None, 0
    else:
        _tell_that_it_takes_long(run)
    return False


def _next(run: SubscriptionRun) -> RefundUnderWay | None:
    return next((each for each in run.state.refunds if each.settled is None), None)


async def _begin_one(run: SubscriptionRun, current: RefundUnderWay) -> None:
    state, start = run.state, current.refund
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
        state.refunds_at = workflow.now() + ladder[min(state.refund_tries, len(ladder) - 1)]
        state.refund_tries += 1
        return
    run.refunding, state.refunds_at = child, None

    def stir(_child: object) -> None:
        run.stirred = True

    child.add_done_callback(stir)


def _settled(start: StartRefund, child: ChildWorkflowHandle[RefundWorkflow, RefundSettled]) -> RefundSettled:
    try:
        return child.result()
    except ChildWorkflowError as error:
        # Somebody terminated it: what became of it the next look at the payment tells.
        message = str(error.cause or error)
        return RefundSettled(refund_id=start.refund_id, state=RefundState.UNKNOWN, message=message)


def _tell_that_it_takes_long(run: SubscriptionRun) -> None:
    """Whoever canceled is answered what is known: the refund is on its way, and it is told when it has come through."""
    whom = run.state.refunds_for
    if run.asking is None or whom is None or whom.cancel is None:
        run.state.refunds_told_at = workflow.now() + policies.REFUND_AGAIN_DAILY
        return
    message = "the refund is on its way and PortOne has not proven it yet; an event tells when it has"
    run.asking.answer = whom.cancel.model_copy(
        update={"refund_state": RefundState.UNKNOWN.value, "refund_message": message}
    )
    run.told_later(run.asking)
    run.asking = None


# ---------------------------------------------------------------- what is refunded


def of_order(
    run: SubscriptionRun,
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
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        imp_uid=imp_uid,
    )
    return RefundUnderWay(refund=start, amount=amount, returned=returned)


def of_payment(run: SubscriptionRun, row: PaymentFact, reason: str) -> RefundUnderWay:
    """The refund of all that PortOne holds by one payment."""
    held = Money(money_held(row), row.amount.currency)
    return of_order(run, row.merchant_uid, held, reason, imp_uid=row.imp_uid)


def of_cancel(run: SubscriptionRun, how: RefundAtCancel, reason: str) -> list[RefundUnderWay]:
    """What goes back with a cancel: what is owed for the running period and as credit, or all that its orders hold.

    The newest order first. The books are true (`bookkeeping.follow`), so no order is asked for more than PortOne still
    holds of it here. What goes back uses up the credit that the rest has become.
    """
    currency, books = run.plan.price.currency, bookkeeping.books_of(run)
    wanted = to_give_back(run, how, workflow.now())
    bookkeeping.keep(run, books.settled(workflow.now()))
    return [
        of_order(run, order.merchant_uid, Money(part, currency), reason, returned=order.returned)
        for order, part in books.through(wanted)
    ]


async def given_back_at_cancel(run: SubscriptionRun) -> RefundSettled:
    """What came of the refunds of a cancel together; what PortOne refuses stays owed, as credit, and stands parked.

    That has a workflow of its own that outlives the subscription (`workflows.owed_refund`). Refused or unknown as soon
    as one part of it is, with that part's reason, and what of it did not go back as `remaining`.
    """
    state, currency = run.state, run.plan.price.currency
    reason = state.refunds_for.reason if state.refunds_for is not None else ""
    total, told, owed = Money(0, currency), None, list[StartOwedRefund]()
    for each in state.refunds:
        settled = each.settled
        assert settled is not None  # noqa: S101 - asked when all are over
        order = next(
            (paid for paid in bookkeeping.books_of(run).orders if paid.merchant_uid == each.refund.merchant_uid),
            PaidWith(each.refund.merchant_uid, None, 0, each.returned),
        )
        if settled.state is RefundState.REFUNDED:
            total += each.amount
            bookkeeping.gave_back(run, order, each.amount.amount)
        else:
            owed.append(owing.of(run, order, each.amount, settled, reason))
        if told is None or settled.state is not RefundState.REFUNDED:
            told = settled
    assert told is not None  # noqa: S101 - there is a refund
    state.refunds, state.refunds_for = [], None
    await owing.stand(run, owed, f"{total} went back")
    return told.model_copy(update={"amount": total, "remaining": sum(each.amount.amount for each in owed)})


def to_give_back(run: SubscriptionRun, how: RefundAtCancel, at: datetime) -> int:
    """What a cancel at `at` gives back, in minor units: pure, so that a preview tells what is given."""
    books = bookkeeping.books_of(run)
    match how:
        case RefundAtCancel.NONE:
            return 0
        case RefundAtCancel.PRORATED:
            return min(books.owed(at), books.held)
        case RefundAtCancel.FULL:
            return books.held
