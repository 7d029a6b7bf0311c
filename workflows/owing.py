"""What the end of a subscription still owes because PortOne refused to give it back: parked, announced, handed on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy

from billing.domain.books import PaidWith
from billing.domain.events import EventType
from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.parked import ParkedKind, ParkedRecord
from billing.domain.refund_messages import RefundSettled
from workflows import left_entry

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun

OWED_REFUND = "OwedRefundWorkflow"


def owed_refund_workflow_id(refund_id: str) -> str:
    """The workflow id of a refund that is still owed: one for each refund that was refused."""
    return f"owed-refund/{refund_id}"


class StartOwedRefund(Message):
    """See to it that `amount` of an order goes back, or that a person decides otherwise.

    `returned` is what PortOne had given back of the payment before, in minor units: what goes back beyond it, by
    whomever, is of this amount. `refund_id` is the refund that did not succeed, `message` why not. `status` is that of
    the subscription that has ended.
    """

    refund_id: str
    amount: Money
    returned: int
    refused: bool
    message: str
    parked: ParkedRecord
    status: str
    reason: str | None = None


def of(run: "SubscriptionRun", order: PaidWith, amount: Money, settled: RefundSettled, reason: str) -> StartOwedRefund:
    """What is owed of one order whose refund came to nothing, or to nothing that is known."""
    refused = settled.state.value == "refused"
    message, at = settled.message or settled.code or settled.state.value, workflow.now()
    said = "was refused" if refused else "came to nothing that is known"
    parked = ParkedRecord(
        parked_id=f"owed-{settled.refund_id}",
        kind=ParkedKind.REFUND_OWED,
        workflow_id=owed_refund_workflow_id(settled.refund_id),
        customer_uid=run.start.customer_uid,
        subscription_id=run.start.subscription_id,
        reason=f"{amount} of order {order.merchant_uid} is owed back, and its refund {said}: {message}",
        merchant_uid=order.merchant_uid,
        parked_at=at,
        revision=left_entry.revision_at(at),
        known=(f"owed: {amount}", f"refund {settled.refund_id}: {settled.state.value}"),
        imp_uid=order.imp_uid,
    )
    return StartOwedRefund(
        refund_id=settled.refund_id,
        amount=amount,
        returned=order.returned,
        refused=refused,
        message=message,
        parked=parked,
        status=run.state.status.value,
        reason=reason,
    )


async def stand(run: "SubscriptionRun", owed: Sequence[StartOwedRefund], summary: str) -> None:
    """Write what went back, and let what is owed stand parked with a workflow that outlives this one."""
    for start in owed:
        run.note_parked(start.parked)
        data = left_entry.parked_data(start.parked, start.status)
        run.tell(EventType.SUBSCRIPTION_PARKED, f"parked: {start.parked.reason}"[:500], data)
    await run.write(summary)
    for start in owed:
        await workflow.start_child_workflow(
            OWED_REFUND,
            start,
            id=start.parked.workflow_id,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"{start.amount} of {start.parked.merchant_uid} is owed back",
        )
