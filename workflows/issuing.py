"""Issuing a billing key from the card in the one-time vault, and proving that it exists."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import CARD_GONE, KeyOutcome
from workflows import policies
from workflows.contracts import IssueBillingKey, KeyAnswer
from workflows.ports import BillingKeyActivities

NAME_TAKEN = "billing_key_exists"
"""The stable code of a card that was to be issued under a name that has a key."""


class CardGoneError(Exception):
    """The card was no longer in the vault, and PortOne has no key that an earlier sending of it has become."""


def failure_code(outcome: KeyOutcome) -> str:
    """The stable code of a key that was not issued."""
    return CARD_GONE if outcome is KeyOutcome.CARD_GONE else f"billing_key_{outcome.value}"


def name_taken(customer_uid: str) -> str:
    """That a name has a key, and which calls help: PortOne would leave the old key alive under a name of no one's."""
    return (
        f"{customer_uid!r} already names a billing key: delete it first (DELETE /v1/billing-keys/{customer_uid}), "
        'or charge it ("payment_method": {"billing_key": true}), or give the card another customer_uid'
    )


async def find_key(customer_uid: str) -> BillingKeyFact | None:
    """The billing key PortOne has for `customer_uid`, or None."""
    return await workflow.execute_activity_method(
        BillingKeyActivities.find_billing_key, customer_uid, summary=f"look up key {customer_uid}", **policies.LOOK_UP
    )


async def issue_key(order: IssueBillingKey) -> KeyAnswer:
    """Issue a billing key and prove it: an answer that was lost is looked up before the card is sent again.

    The caller has made sure that `customer_uid` had no key, so one that is found is the one just issued.
    """
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
