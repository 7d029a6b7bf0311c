"""Refunds that a subscription makes by itself: each one a RefundWorkflow, so that no two of a payment ever race."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from billing.domain.money import Money
from billing.domain.proration import unused
from billing.domain.records import RefundState
from workflows.contracts import RefundSettled, StartRefund, refund_workflow_id
from workflows.orders import RefundAtCancel
from workflows.refund import RefundWorkflow
from workflows.subscription_run import SubscriptionRun

BUSY = timedelta(seconds=5)
"""How soon a payment is asked again that another refund is being made of."""


async def refund_order(run: SubscriptionRun, merchant_uid: str, amount: Money | None, reason: str) -> RefundSettled:
    """Refund an order, all that is left of it without an amount; waits while another refund of it is made."""
    start = StartRefund(
        refund_id=f"r{workflow.uuid4().hex[:24]}",
        merchant_uid=merchant_uid,
        amount=amount,
        reason=reason,
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
    )
    while True:
        try:
            return await workflow.execute_child_workflow(
                RefundWorkflow.run,
                start,
                id=refund_workflow_id(merchant_uid),
                static_summary=f"refund of {amount or 'all that is left'} for {merchant_uid}",
            )
        except WorkflowAlreadyStartedError:
            await workflow.sleep(BUSY, summary=f"another refund of {merchant_uid} is being made")


async def refund_period(run: SubscriptionRun, how: RefundAtCancel, reason: str) -> RefundSettled | None:
    """Give back what was paid for the running period, all of it or the days that are left; the newest order first.

    Answers what came of it together: refused or unknown as soon as one part of it is; None when there is nothing to
    give back.
    """
    left = _owed(run, how)
    total = Money(0, run.plan.price.currency)
    state, last = RefundState.REFUNDED, None
    for order in reversed(run.state.period_orders):
        if left.amount <= 0:
            break
        part = order.amount if order.amount.amount <= left.amount else left
        left -= part
        last = await refund_order(run, order.merchant_uid, part, reason)
        if last.state is RefundState.REFUNDED:
            total += part
        else:
            state = last.state
    return last.model_copy(update={"amount": total, "state": state}) if last is not None else None


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
