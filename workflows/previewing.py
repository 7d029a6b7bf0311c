"""What will be charged, by the very functions that charge it, so that a preview and a charge cannot disagree."""

from temporalio import workflow

from workflows import changing
from workflows.orders import ChangePlan, Preview, When
from workflows.subscription_run import SubscriptionRun


def preview(run: SubscriptionRun, order: ChangePlan | None = None) -> Preview:
    """The next bill, line by line; with an order, what that change would charge now and what the bill would be then."""
    if order is None:
        bill = run.bill()
        return Preview(bill=bill, due_at=run.next_charge_at(), balance=bill.carried)
    after = changing.wanted(run, order)
    if order.at is When.PERIOD_END:
        bill = run.bill_of(run.holding_of(after), run.state.balance)
        return Preview(bill=bill, due_at=run.state.due_at, balance=bill.carried)
    costs = changing.quote(run, order, workflow.now())
    following = run.bill_of(run.holding_of(after), costs.balance)
    return Preview(
        bill=following,
        due_at=costs.period_end,
        balance=costs.balance,
        due_now=costs.due_now,
        new_period=costs.new_period,
    )
