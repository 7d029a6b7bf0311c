"""Refunds that a subscription makes by itself: each one a RefundWorkflow, so that no two of a payment ever race."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, repeat

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from billing.domain.both_sides import money_held
from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.proration import unused
from billing.domain.records import RefundState
from workflows import bookkeeping, owing, patches, policies
from workflows.contracts import RefundSettled, StartRefund, refund_workflow_id
from workflows.orders import RefundAtCancel
from workflows.owing import StartOwedRefund
from workflows.ports import PaymentActivities
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


async def refund_order(run: SubscriptionRun, merchant_uid: str, amount: Money | None, reason: str) -> RefundSettled:
    """Refund what an order is booked with, all that is left of it without an amount."""
    return await refund_to_the_end(_start(run, merchant_uid, amount, reason))


async def refund_payment(run: SubscriptionRun, row: PaymentFact, reason: str) -> RefundSettled:
    """Refund all that PortOne holds by one payment."""
    held = Money(money_held(row), row.amount.currency)
    start = _start(run, row.merchant_uid, held, reason)
    return await refund_to_the_end(start.model_copy(update={"imp_uid": row.imp_uid}))


def _start(run: SubscriptionRun, merchant_uid: str, amount: Money | None, reason: str) -> StartRefund:
    return StartRefund(
        refund_id=f"r{workflow.uuid4().hex[:24]}",
        merchant_uid=merchant_uid,
        amount=amount,
        reason=reason,
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
    )


# ---------------------------------------------------------------- what a cancel gives back


async def give_back(run: SubscriptionRun, how: RefundAtCancel, reason: str) -> RefundSettled | None:
    """Give back what is owed for the running period and as credit, or all that its orders hold; the newest order first.

    The books are true (`bookkeeping.follow`), so no order is asked for more than PortOne still holds of it here. What
    goes back uses up the credit that the rest has become; what PortOne refuses stays owed, as credit.
    That stands parked, with a workflow of its own that outlives the subscription (`workflows.owed_refund`).
    Answers what came of it together: refused or unknown as soon as one part of it is, with that part's reason, and
    what of it did not go back as `remaining`; None when there is nothing to give back.
    """
    currency, books, wanted = run.plan.price.currency, bookkeeping.books_of(run), to_give_back(run, how, workflow.now())
    bookkeeping.keep(run, books.settled(workflow.now()))
    total, told, owed = Money(0, currency), None, list[StartOwedRefund]()
    for order, part in books.through(wanted):
        settled = await refund_order(run, order.merchant_uid, Money(part, currency), reason)
        if settled.state is RefundState.REFUNDED:
            total += Money(part, currency)
            bookkeeping.gave_back(run, order, part)
        else:
            owed.append(owing.of(run, order, Money(part, currency), settled, reason))
        if told is None or settled.state is not RefundState.REFUNDED:
            told = settled
    if told is None:
        return None
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


# ---------------------------------------------------------------- as runs do that began before


async def refund_period(run: SubscriptionRun, how: RefundAtCancel, reason: str) -> RefundSettled | None:
    """Give back what was paid for the running period, all of it or the days that are left; the newest order first.

    Never more than PortOne still holds of each order: what went back before, here or elsewhere, is not given twice.
    Answers what came of it together: refused or unknown as soon as one part of it is; None when there is nothing to
    give back.
    """
    left = _owed(run, how)
    total = Money(0, run.plan.price.currency)
    state, last = RefundState.REFUNDED, None
    for order in reversed(run.state.period_orders):
        if left.amount <= 0:
            break
        kept = await _kept(order.merchant_uid, order.imp_uid) if workflow.patched(patches.FOREIGN_FACTS) else None
        most = order.amount if kept is None else Money(kept, order.amount.currency)
        part = most if most.amount <= left.amount else left
        if part.amount <= 0:
            continue
        left -= part
        last = await refund_order(run, order.merchant_uid, part, reason)
        if last.state is RefundState.REFUNDED:
            total += part
        else:
            state = last.state
    return last.model_copy(update={"amount": total, "state": state}) if last is not None else None


async def _kept(merchant_uid: str, imp_uid: str | None) -> int:
    """What PortOne still holds of an order's own payment, in minor units."""
    rows: Sequence[PaymentFact] = await workflow.execute_activity_method(
        PaymentActivities.find_payments, merchant_uid, summary=f"what is left of {merchant_uid}", **policies.LOOK_UP
    )
    return sum(money_held(row) for row in rows if imp_uid in (None, row.imp_uid))


def _owed(run: SubscriptionRun, how: RefundAtCancel) -> Money:
    state, currency = run.state, run.plan.price.currency
    paid = Money(sum(order.amount.amount for order in state.period_orders), currency)
    if how is RefundAtCancel.FULL or state.paid_by is None or state.period_start is None or state.period_end is None:
        return paid
    start, end = run.whole_period()
    rest = unused(state.paid_by, start, end, min(max(workflow.now(), start), end))
    # A credit is money that was paid for more than is held now; what is owed was used without being paid.
    rest -= Money(state.balance, currency)
    return rest if rest.amount < paid.amount else paid
