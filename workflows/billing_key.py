"""Issuing and deleting a billing key outside a subscription; one at a time for each customer_uid."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from billing.domain.outcomes import KeyOutcome
from billing.domain.records import LedgerEntry
from workflows import policies
from workflows.contracts import (
    BillingKeySettled,
    DeleteBillingKey,
    IssueBillingKey,
    StartDeleteBillingKey,
    StartIssueBillingKey,
)
from workflows.issuing import NAME_TAKEN, discard_card, failure_code, find_key, issue_key, name_taken
from workflows.ports import BillingKeyActivities, LedgerActivities, ScheduleActivities


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class IssueBillingKeyWorkflow:
    """Issues a billing key for a customer_uid that has none."""

    @workflow.run
    async def run(self, start: StartIssueBillingKey) -> BillingKeySettled:
        """Refuse a used customer_uid, issue, prove, write."""
        if await find_key(start.customer_uid) is not None:
            # PortOne would put the new card under the old name and leave the old key alive at the PG.
            await discard_card(start.vault_handle)
            message = name_taken(start.customer_uid)
            return BillingKeySettled(done=False, code=NAME_TAKEN, message=message)
        answer = await issue_key(
            IssueBillingKey(
                customer_uid=start.customer_uid,
                vault_handle=start.vault_handle,
                channel=start.channel,
                customer=start.customer,
            )
        )
        if answer.outcome is not KeyOutcome.ISSUED or answer.key is None:
            code = failure_code(answer.outcome)
            return BillingKeySettled(done=False, code=code, message=answer.message)
        await _write("the key is issued", LedgerEntry(billing_key=answer.key))
        return BillingKeySettled(done=True, key=answer.key)


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class DeleteBillingKeyWorkflow:
    """Deletes a billing key that nothing will charge any more."""

    @workflow.run
    async def run(self, start: StartDeleteBillingKey) -> BillingKeySettled:
        """Refuse while PortOne has a charge scheduled on the key, delete, write."""
        scheduled = await workflow.execute_activity_method(
            ScheduleActivities.has_open_schedules,
            start.customer_uid,
            summary=f"open schedules of {start.customer_uid}",
            **policies.LOOK_UP,
        )
        if scheduled:
            message = f"PortOne has a charge scheduled on {start.customer_uid!r}"
            return BillingKeySettled(done=False, code="billing_key_in_use", message=message)
        order = DeleteBillingKey(customer_uid=start.customer_uid, reason=start.reason)
        key = await workflow.execute_activity_method(
            BillingKeyActivities.delete_billing_key,
            order,
            summary=f"delete {start.customer_uid}",
            **policies.REPEATABLE,
        )
        await _write("the key is deleted", LedgerEntry(deleted_billing_key=start.customer_uid))
        if key is None:
            message = f"PortOne has no billing key for {start.customer_uid!r}"
            return BillingKeySettled(done=False, code="billing_key_not_found", message=message)
        return BillingKeySettled(done=True, key=key)


async def _write(summary: str, entry: LedgerEntry) -> None:
    await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary, **policies.LEDGER)
