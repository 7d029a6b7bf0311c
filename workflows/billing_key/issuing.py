"""Issuing a billing key from the card in the one-time vault, and proving that it exists."""

from temporalio import workflow

from billing.domain.calls import CallKind
from billing.domain.outcomes import CARD_GONE, KeyOutcome
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows import policies
from workflows.charge import portone
from workflows.contracts import IssueBillingKey, KeyAnswer
from workflows.ports import BillingKeyActivities

_TRIES = 3

NAME_TAKEN = "billing_key_exists"
"""The stable code of a card that was to be issued under a name that has a key."""


def failure_code(outcome: KeyOutcome) -> str:
    """The stable code of a key that was not issued."""
    return CARD_GONE if outcome is KeyOutcome.CARD_GONE else f"billing_key_{outcome.value}"


def name_taken(customer_uid: str) -> str:
    """That a name has a key, and which calls help: PortOne would leave the old key alive under a name of no one's."""
    return (
        f"{customer_uid!r} already names a billing key: delete it first (DELETE /v1/billing-keys/{customer_uid}), "
        'or charge it ("payment_method": {"billing_key": true}), or give the card another customer_uid'
    )


async def issue_now(subscription: Subscription, recording: Recording, order: IssueBillingKey) -> KeyAnswer:
    """Issue a billing key and prove it, for somebody who waits: three tries, each looked up before the next one.

    The caller has made sure that `customer_uid` had no key, so one that is found is the one just issued.
    """
    doubt = answer = KeyAnswer(outcome=KeyOutcome.UNKNOWN)
    for _ in range(_TRIES):
        answer = await issue_once(subscription, recording, order)
        if answer.outcome in (KeyOutcome.ISSUED, KeyOutcome.REFUSED):
            return answer
        if answer.outcome is KeyOutcome.CARD_GONE:
            # Of a card that was sent before, a key may still come: that doubt is what there is to say.
            return doubt if doubt.message else answer
        if answer.outcome is KeyOutcome.UNKNOWN:
            doubt = answer
    await discard_card(order.vault_handle)
    return answer


async def issue_once(subscription: Subscription, recording: Recording, order: IssueBillingKey) -> KeyAnswer:
    """Issue a billing key once; an answer that was lost is looked up at once."""
    answer = await portone.issue_key(subscription, recording, order)
    if answer.outcome in (KeyOutcome.ISSUED, KeyOutcome.REFUSED, KeyOutcome.CARD_GONE):
        return answer
    return await found(subscription, order) or answer


async def found(subscription: Subscription, order: IssueBillingKey) -> KeyAnswer | None:
    """The key that a sending without an answer has become, where PortOne shows it."""
    key = await portone.find_key(order.customer_uid)
    if key is None:
        return None
    portone.shown_done(subscription, order.customer_uid, CallKind.ISSUE_KEY)
    await discard_card(order.vault_handle)
    return KeyAnswer(outcome=KeyOutcome.ISSUED, key=key)


async def discard_card(vault_handle: str) -> None:
    """Take a card out of the vault that PortOne's own answer has not already taken out."""
    await workflow.execute_activity_method(
        BillingKeyActivities.discard_card, vault_handle, summary="forget the card", **policies.LEDGER
    )
