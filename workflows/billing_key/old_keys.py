"""Billing keys that are not charged any more: deleted when nothing else can charge them, and not before."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows import policies
from workflows.charge import portone
from workflows.ports import LedgerActivities, ScheduleActivities
from workflows.subscription.ledger import record


async def belongs_to_another(recording: Recording, customer_uid: str) -> bool:
    """Whether another living subscription is charged by this key."""
    # What the ledger is asked about is written there first.
    await record(recording)
    owner = await workflow.execute_activity_method(
        LedgerActivities.subscription_on_key,
        customer_uid,
        summary=f"who is charged by {customer_uid}",
        **policies.LEDGER,
    )
    return owner is not None and owner != workflow.info().workflow_id


async def delete(subscription: Subscription, recording: Recording, customer_uid: str, reason: str) -> None:
    """Delete a key that this subscription does not charge; one that cannot go yet is looked at again every period.

    PortOne deletes a key though charges are scheduled on it, and they fail on their day: a schedule that is not ours,
    or another subscription on the same key, keeps it.
    """
    if await _is_deleted(subscription, recording, customer_uid, reason):
        recording.write("the old key is deleted", workflow.now(), deleted_billing_key=customer_uid)
        return
    leave(subscription, customer_uid)


def leave(subscription: Subscription, customer_uid: str) -> None:
    """Keep in mind that a key is to be deleted: it is looked at again with the next period."""
    subscription.state.old_keys.leave(customer_uid, subscription.state.period.cycle)


def forget_with_the_next_step(subscription: Subscription, customer_uid: str) -> None:
    """Let a key be deleted as soon as nothing else is to be done."""
    leave(subscription, customer_uid)
    subscription.state.old_keys.look_at_once()


def are_left(subscription: Subscription) -> bool:
    """Whether keys are left that this period has not looked at yet."""
    return (
        bool(subscription.state.old_keys.keys)
        and subscription.state.old_keys.seen_in != subscription.state.period.cycle
    )


async def delete_what_is_left(subscription: Subscription, recording: Recording) -> None:
    """Delete what is left and can go by now."""
    for customer_uid in subscription.state.old_keys.take():
        if customer_uid != subscription.terms.customer_uid or subscription.state.ended_at is not None:
            await delete(subscription, recording, customer_uid, "replaced by another card")


async def _is_deleted(subscription: Subscription, recording: Recording, customer_uid: str, reason: str) -> bool:
    try:
        scheduled = await workflow.execute_activity_method(
            ScheduleActivities.has_open_schedules,
            customer_uid,
            summary=f"is anything scheduled on {customer_uid}",
            **policies.TIDY,
        )
    except ActivityError:
        return False
    if scheduled or await belongs_to_another(recording, customer_uid):
        return False
    return await portone.delete_key(subscription, recording, customer_uid, reason, policies.TIDY)
