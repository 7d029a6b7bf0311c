"""The last charge of a subscription that is over, whose outcome nobody knows: parked with a run that outlives it."""

from datetime import datetime

from temporalio import workflow

from billing.domain.parked import ParkedKind, ParkedRecord
from billing.domain.subscription.orders import OpenOrder
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.subscription.ledger import record
from workflows.unexpected_payment import leaving, left_entry
from workflows.unexpected_payment.contracts import LEFT_CHARGE, StartLeftCharge, left_charge_workflow_id


async def leave(subscription: Subscription, recording: Recording, order: OpenOrder, why: str) -> None:
    """Let an order stand parked of which PortOne has shown a payment, or that it ran; its own run finds out the rest.

    `why` says what is not known of it, for people.
    """
    left = StartLeftCharge(
        parked=_parked(subscription, workflow.now(), order, why),
        amount=order.amount,
        billing_key=order.customer_uid,
        status=subscription.state.status.value,
        known_failures=tuple(subscription.state.period.known_failures),
    )
    leaving.park(recording, left, workflow.now())
    recording.write(f"what became of {order.merchant_uid} is not known", workflow.now())
    await record(recording)
    await leaving.watch(LEFT_CHARGE, left, f"what became of {order.amount}, order {order.merchant_uid}")


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
