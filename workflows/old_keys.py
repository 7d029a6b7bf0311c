"""Billing keys that are not charged any more: deleted when nothing else can charge them, and not before."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies, portone
from workflows.ports import LedgerActivities, ScheduleActivities
from workflows.subscription_run import SubscriptionRun


async def belongs_to_another(customer_uid: str) -> bool:
    """Whether another living subscription is charged by this key."""
    owner = await workflow.execute_activity_method(
        LedgerActivities.subscription_on_key,
        customer_uid,
        summary=f"who is charged by {customer_uid}",
        **policies.LEDGER,
    )
    return owner is not None and owner != workflow.info().workflow_id


async def delete(run: SubscriptionRun, customer_uid: str, reason: str) -> None:
    """Delete a key that this subscription does not charge; one that cannot go yet is looked at again every period.

    PortOne deletes a key though charges are scheduled on it, and they fail on their day: a schedule that is not ours,
    or another subscription on the same key, keeps it.
    """
    if await _is_deleted(run, customer_uid, reason):
        await run.write("the old key is deleted", deleted_billing_key=customer_uid)
        return
    leave(run, customer_uid)


def leave(run: SubscriptionRun, customer_uid: str) -> None:
    """Keep in mind that a key is to be deleted: it is looked at again with the next period."""
    state = run.state
    state.left_keys = [*(key for key in state.left_keys if key != customer_uid), customer_uid]
    state.left_keys_seen_in = state.cycle


def forget_with_the_next_step(run: SubscriptionRun, customer_uid: str) -> None:
    """Let a key be deleted as soon as nothing else is to be done."""
    leave(run, customer_uid)
    run.state.left_keys_seen_in = 0


def are_left(run: SubscriptionRun) -> bool:
    """Whether keys are left that this period has not looked at yet."""
    return bool(run.state.left_keys) and run.state.left_keys_seen_in != run.state.cycle


async def delete_what_is_left(run: SubscriptionRun) -> None:
    """Delete what is left and can go by now."""
    left, run.state.left_keys = run.state.left_keys, []
    for customer_uid in left:
        if customer_uid != run.customer_uid or run.state.ended_at is not None:
            await delete(run, customer_uid, "replaced by another card")


async def _is_deleted(run: SubscriptionRun, customer_uid: str, reason: str) -> bool:
    try:
        scheduled = await workflow.execute_activity_method(
            ScheduleActivities.has_open_schedules,
            customer_uid,
            summary=f"is anything scheduled on {customer_uid}",
            **policies.TIDY,
        )
    except ActivityError:
        return False
    if scheduled or await belongs_to_another(customer_uid):
        return False
    return await portone.delete_key(run, customer_uid, reason, policies.TIDY)
