"""Billing keys: issued, looked up, deleted."""

from temporalio import activity

from activities.cards import CARD_IS_GONE, VaultedCards
from activities.errors import of_portone
from billing import portone
from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import KeyOutcome
from billing.domain.pg_capabilities import capability
from billing.portone import PortOneClient, PortOneError
from workflows import ports
from workflows.billing_key.contracts import KeyDeleted
from workflows.contracts import DeleteBillingKey, IssueBillingKey, KeyAnswer

REQUESTER = "extra[requester]"
NO_REASON = "deleted by the merchant"


class BillingKeyActivities(ports.BillingKeyActivities):
    """Calls `/subscribe/customers/{customer_uid}`."""

    def __init__(self, client: PortOneClient, cards: VaultedCards) -> None:
        self._client = client
        self._cards = cards

    @activity.defn
    async def issue_billing_key(self, order: IssueBillingKey) -> KeyAnswer:
        """Issue a key from the vault's card; an open outcome leaves the card there until it expires."""
        card = await self._cards.open(order.vault_handle)
        if card is None:
            return KeyAnswer(outcome=KeyOutcome.CARD_GONE, message=CARD_IS_GONE)
        request = portone.IssueBillingKey(
            card=card,
            pg=order.channel.pg,
            channel_key=order.channel.channel_key,
            customer_id=order.customer.id,
            customer_name=order.customer.name,
            customer_tel=order.customer.tel,
            customer_email=order.customer.email,
        )
        answer = await self._client.issue_billing_key(order.customer_uid, request)
        if answer.outcome in (KeyOutcome.ISSUED, KeyOutcome.REFUSED):
            await self._cards.discard(order.vault_handle)
        return KeyAnswer(
            outcome=answer.outcome,
            key=answer.key.fact() if answer.key else None,
            code=None if answer.code is None else str(answer.code),
            message=answer.message,
        )

    @activity.defn
    async def find_billing_key(self, customer_uid: str) -> BillingKeyFact | None:
        """The key, or None when PortOne has none."""
        try:
            key = await self._client.find_billing_key(customer_uid)
        except PortOneError as error:
            raise of_portone(error) from None
        return key.fact() if key else None

    @activity.defn
    async def discard_card(self, vault_handle: str) -> None:
        """Forget a card that is no longer needed."""
        await self._cards.discard(vault_handle)

    @activity.defn
    async def delete_billing_key(self, order: DeleteBillingKey) -> KeyDeleted:
        """Delete the key, where there is one. Where the PG wants to know who asks, it is told."""
        unanswered = activity.info().attempt - 1
        try:
            found = await self._client.find_billing_key(order.customer_uid)
            if found is None:
                return KeyDeleted(unanswered=unanswered)
            row = capability(found.pg_provider or "")
            asks = row is not None and REQUESTER in row.required.get("delete", ())
            key = await self._client.delete_billing_key(
                order.customer_uid, reason=order.reason or NO_REASON, requester="admin" if asks else None
            )
        except PortOneError as error:
            raise of_portone(error) from None
        return KeyDeleted(key=key.fact() if key else None, unanswered=unanswered)
