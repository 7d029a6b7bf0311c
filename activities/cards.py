"""A card on its way from the one-time vault to PortOne: in memory, for one request."""

from datetime import UTC, datetime

from billing.ledger import CardGoneError, CardVault
from billing.portone import Card


class VaultedCards:
    """Opens and discards cards; an expired or used one is None, never an error with data in it."""

    def __init__(self, vault: CardVault) -> None:
        self._vault = vault

    async def open(self, handle: str) -> Card | None:
        """The card behind a handle, or None when it is gone."""
        try:
            return Card.model_validate(await self._vault.open(handle, datetime.now(UTC)))
        except CardGoneError:
            return None

    async def discard(self, handle: str) -> None:
        """Forget a card that was accepted or refused."""
        await self._vault.discard(handle)


CARD_IS_GONE = "the card is no longer in the vault, so PortOne was not asked to take it; it has to be entered again"
"""Why nothing was sent; goes with the code `billing.domain.outcomes.CARD_GONE`."""
