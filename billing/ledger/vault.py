"""The one-time card vault: a sealed card that lives for minutes, and only until it is used (design section 5).

AES-256-GCM with the key outside the database and the handle as associated data, so that a row cannot be put in the
place of another. SQLite overwrites what is deleted (`secure_delete`).
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.ledger.errors import CardGoneError
from billing.ledger.tables import card_vault

_NONCE_BYTES = 12


class CardVault:
    """Seals cards under the first key; opens them with whichever key sealed them, so that keys can be rotated."""

    def __init__(self, engine: AsyncEngine, keys: Sequence[bytes], *, ttl_minutes: int = 15) -> None:
        self._engine = engine
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])
        self._ttl = timedelta(minutes=ttl_minutes)

    async def seal(self, card: Mapping[str, str], at: datetime) -> str:
        """Put a card away until `at` plus the time to live; the answer is the only thing that opens it."""
        handle, nonce = secrets.token_urlsafe(24), secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, json.dumps(dict(card)).encode(), handle.encode())
        row = insert(card_vault).values(
            handle=handle, key_id=self._newest, nonce=nonce, sealed=sealed, expires_at=at + self._ttl
        )
        async with self._engine.begin() as connection:
            await connection.execute(row)
        return handle

    async def open(self, handle: str, at: datetime) -> dict[str, str]:
        """The card behind a handle; it stays until it is discarded, so that an open outcome can be sent again.

        Raises:
            CardGoneError: used, expired (and deleted by this call), tampered with, or never there.
        """
        async with self._engine.begin() as connection:
            row = (await connection.execute(select(card_vault).where(card_vault.c.handle == handle))).first()
            if row is not None and row.expires_at <= at:
                await connection.execute(delete(card_vault).where(card_vault.c.handle == handle))
                row = None
        if row is None or row.key_id not in self._ciphers:
            raise CardGoneError("the card is no longer in the vault")
        try:
            opened = self._ciphers[row.key_id].decrypt(row.nonce, row.sealed, handle.encode())
        except InvalidTag:
            raise CardGoneError("the card in the vault cannot be read") from None
        card: dict[str, str] = json.loads(opened)
        return card

    async def discard(self, handle: str) -> None:
        """Delete a card: it was accepted, or refused."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(card_vault).where(card_vault.c.handle == handle))

    async def purge(self, at: datetime) -> int:
        """Delete every card whose time is over; answers how many there were."""
        async with self._engine.begin() as connection:
            return (await connection.execute(delete(card_vault).where(card_vault.c.expires_at <= at))).rowcount


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"gudok-vault-key-id\n" + key).hexdigest()[:16]
