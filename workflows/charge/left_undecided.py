"""The last charge of a subscription that is over, whose outcome nobody knows: parked with a run that outlives it."""

from datetime import datetime

from temporalio import workflow
from temporalio.workflow import ParentClosePolicy

from billing.domain.events import EventType
from billing.domain.parked import ParkedKind, ParkedRecord
from billing.domain.subscription.orders import OpenOrder
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.subscription.ledger import record
from workflows.unexpected_payment import left_entry
from workflows.unexpected_payment.contracts import StartLeftCharge, left_charge_workflow_id
from workflows.unexpected_payment.left_charge import LeftChargeWorkflow


async def leave(
    subscription: Subscription, recording: Recording, order: OpenOrder, why: str, *, seen: bool = False
) -> None:
    """Let an order stand parked, and its own run find out what became of it.

    `seen` says that PortOne has shown a payment of it that had not failed.
    """
    parked = _parked(subscription, workflow.now(), order, why)
    start = StartLeftCharge(
        parked=parked,
        amount=order.amount,
        billing_key=order.customer_uid,
        status=subscription.state.status.value,
        known_failures=tuple(subscription.state.period.known_failures),
        seen=seen,
    )
    recording.note_parked(parked)
    data = left_entry.parked_data(parked, start.status)
    recording.emit(EventType.SUBSCRIPTION_PARKED, f"parked: {parked.reason}"[:500], data, workflow.now())
    recording.write(f"what became of {order.merchant_uid} is not known", workflow.now())
    await record(recording)
    await workflow.start_child_workflow(
        LeftChargeWorkflow.run,
        start,
        id=parked.workflow_id,
        parent_close_policy=ParentClosePolicy.ABANDON,
        static_summary=f"what became of {order.amount}, order {order.merchant_uid}",
    )


def _parked(subscription: Subscription, now: datetime, order: OpenOrder, why: str) -> ParkedRecord:
    return ParkedRecord(
        parked_id=f"charge-{order.merchant_uid}",
        kind=ParkedKind.CHARGE_LEFT,
        workflow_id=left_charge_workflow_id(order.merchant_uid),
        customer_uid=subscription.start.customer_uid,
        subscription_id=subscription.start.subscription_id,
        reason=f"whether {order.amount} of order {order.merchant_uid} was paid is not known: {why}",
        merchant_uid=order.merchant_uid,
        parked_at=now,
        revision=left_entry.revision_at(now),
        known=(f"billing key {order.customer_uid}", why),
    )
