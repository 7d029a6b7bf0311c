"""What the end of a subscription still owes because PortOne refused to give it back: parked, announced, handed on."""

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow

from billing.domain.books import PaidWith
from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.parked import ParkedKind, ParkedRecord
from billing.domain.refund_messages import RefundSettled
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.subscription.ledger import record
from workflows.unexpected_payment import leaving, left_entry

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


def of(
    subscription: Subscription, now: datetime, order: PaidWith, amount: Money, settled: RefundSettled, reason: str
) -> StartOwedRefund:
    """What is owed of one order whose refund came to nothing, or to nothing that is known."""
    refused = settled.state.value == "refused"
    message, at = settled.message or settled.code or settled.state.value, now
    said = "was refused" if refused else "came to nothing that is known"
    parked = ParkedRecord(
        parked_id=f"owed-{settled.refund_id}",
        kind=ParkedKind.REFUND_OWED,
        workflow_id=owed_refund_workflow_id(settled.refund_id),
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
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
        status=subscription.state.status.value,
        reason=reason,
    )


async def stand(recording: Recording, owed: Sequence[StartOwedRefund], summary: str) -> None:
    """Write what went back, and let what is owed stand parked with a workflow that outlives this one."""
    for start in owed:
        leaving.park(recording, start, workflow.now())
    recording.write(summary, workflow.now())
    await record(recording)
    for start in owed:
        await leaving.watch(OWED_REFUND, start, f"{start.amount} of {start.parked.merchant_uid} is owed back")
