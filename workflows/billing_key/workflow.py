"""Issuing and deleting a billing key outside a subscription; one at a time for each customer_uid."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError

from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import KeyOutcome
from billing.domain.records import LedgerEntry
from workflows import policies
from workflows.billing_key.issuing import NAME_TAKEN, discard_card, failure_code, name_taken
from workflows.contracts import (
    BillingKeySettled,
    DeleteBillingKey,
    IssueBillingKey,
    KeyAnswer,
    StartDeleteBillingKey,
    StartIssueBillingKey,
)
from workflows.ports import BillingKeyActivities, LedgerActivities, ScheduleActivities


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class IssueBillingKeyWorkflow:
    """Issues a billing key for a customer_uid that has none."""

    @workflow.run
    async def run(self, start: StartIssueBillingKey) -> BillingKeySettled:
        """Refuse a used customer_uid, issue, prove, write."""
        if await _find_key(start.customer_uid) is not None:
            # PortOne would put the new card under the old name and leave the old key alive at the PG.
            await discard_card(start.vault_handle)
            message = name_taken(start.customer_uid)
            return BillingKeySettled(done=False, code=NAME_TAKEN, message=message)
        answer = await _issue(
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
        deleted = await workflow.execute_activity_method(
            BillingKeyActivities.delete_billing_key,
            DeleteBillingKey(customer_uid=start.customer_uid, reason=start.reason),
            summary=f"delete {start.customer_uid}",
            **policies.REPEATABLE,
        )
        await _write("the key is deleted", LedgerEntry(deleted_billing_key=start.customer_uid))
        if deleted.unanswered:
            # The key is gone, and an earlier call that was not answered may still be carried out: it would delete
            # whatever key has this name by then, so the name is held until that cannot be any more.
            wait = timedelta(minutes=start.quiet_minutes)
            await workflow.sleep(wait, summary=f"a call to delete {start.customer_uid} may still be on its way")
        if deleted.key is None and not (deleted.unanswered and start.known):
            message = f"PortOne has no billing key for {start.customer_uid!r}"
            return BillingKeySettled(done=False, code="billing_key_not_found", message=message)
        return BillingKeySettled(done=True, key=deleted.key or BillingKeyFact(customer_uid=start.customer_uid))


async def _write(summary: str, entry: LedgerEntry) -> None:
    await workflow.execute_activity_method(LedgerActivities.record, entry, summary=summary, **policies.LEDGER)


async def _issue(order: IssueBillingKey) -> KeyAnswer:
    """Issue a billing key and prove it: an answer that was lost is looked up before the card is sent again."""
    answer, doubt = KeyAnswer(outcome=KeyOutcome.UNKNOWN), None
    for wait in (*policies.ISSUE_AGAIN_AFTER, None):
        try:
            answer = await workflow.execute_activity_method(
                BillingKeyActivities.issue_billing_key,
                order,
                summary=f"issue {order.customer_uid}",
                **policies.SEND_ONCE,
            )
        except ActivityError as error:
            answer = KeyAnswer(outcome=KeyOutcome.UNKNOWN, message=str(error.cause or error))
        if answer.outcome in (KeyOutcome.ISSUED, KeyOutcome.REFUSED):
            return answer
        if answer.outcome is KeyOutcome.CARD_GONE:
            # Of a card that was sent before, a key may still come: that doubt is what there is to say.
            return doubt or answer
        if answer.outcome is KeyOutcome.UNKNOWN:
            doubt = answer
        key = await _find_key(order.customer_uid)
        if key is None and wait is not None:
            await workflow.sleep(wait, summary=f"outcome of issuing {order.customer_uid} unknown")
            key = await _find_key(order.customer_uid)
        if key is not None:
            await discard_card(order.vault_handle)
            return KeyAnswer(outcome=KeyOutcome.ISSUED, key=key)
    await discard_card(order.vault_handle)
    return answer


async def _find_key(customer_uid: str) -> BillingKeyFact | None:
    return await workflow.execute_activity_method(
        BillingKeyActivities.find_billing_key, customer_uid, summary=f"look up key {customer_uid}", **policies.LOOK_UP
    )
