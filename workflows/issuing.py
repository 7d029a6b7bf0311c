"""Issuing a billing key from the card in the one-time vault, and proving that it exists."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import KeyOutcome
from workflows import policies
from workflows.contracts import IssueBillingKey, KeyAnswer
from workflows.ports import BillingKeyActivities


async def find_key(customer_uid: str) -> BillingKeyFact | None:
    """The billing key PortOne has for `customer_uid`, or None."""
    return await workflow.execute_activity_method(
        BillingKeyActivities.find_billing_key, customer_uid, summary=f"look up key {customer_uid}", **policies.LOOK_UP
    )


async def issue_key(order: IssueBillingKey) -> KeyAnswer:
    """Issue a billing key and prove it: an answer that was lost is looked up before the card is sent again.

    The caller has made sure that `customer_uid` had no key, so one that is found is the one just issued.
    """
    answer = KeyAnswer(outcome=KeyOutcome.UNKNOWN)
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
        key = await find_key(order.customer_uid)
        if key is None and wait is not None:
            await workflow.sleep(wait, summary=f"outcome of issuing {order.customer_uid} unknown")
            key = await find_key(order.customer_uid)
        if key is not None:
            await discard_card(order.vault_handle)
            return KeyAnswer(outcome=KeyOutcome.ISSUED, key=key)
    await discard_card(order.vault_handle)
    return answer


async def discard_card(vault_handle: str) -> None:
    """Take a card out of the vault that PortOne's own answer has not already taken out."""
    await workflow.execute_activity_method(
        BillingKeyActivities.discard_card, vault_handle, summary="forget the card", **policies.LEDGER
    )
