"""The one-time card vault: a sealed card that lives for minutes, and only until it is used (design section 5).

AES-256-GCM with the key outside the database and the handle as associated data, so that a row cannot be put in the
place of another. On SQLite a deleted card is overwritten (`secure_delete`) and its traces leave the write-ahead log
with it; on PostgreSQL the sealed bytes stay in the heap until it is vacuumed, unreadable without the key.
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.ledger.engine import empty_write_ahead_log, writing
from billing.ledger.errors import CardGoneError
from billing.ledger.tables import card_vault

KEY_BYTES = 32
_NONCE_BYTES = 12

# Sealed bytes are as long as what they hide: without padding they would tell a 15-digit card from a 16-digit one.
_PADDED_BYTES = 256


class CardVault:
    """Seals cards under the first key; opens them with whichever key sealed them, so that keys can be rotated.

    Raises:
        ValueError: no key, or a key that is not 32 bytes.
    """

    def __init__(
        self, engine: AsyncEngine, keys: Mapping[str, bytes] | Sequence[bytes], *, ttl_minutes: int = 15
    ) -> None:
        every = list(keys.values()) if isinstance(keys, Mapping) else list(keys)
        if not every or any(len(key) != KEY_BYTES for key in every):
            raise ValueError(f"the card vault needs at least one key, each of {KEY_BYTES} bytes")
        self._engine = engine
        self._ciphers = {_key_id(key): AESGCM(key) for key in every}
        self._newest = _key_id(every[0])
        self._ttl = timedelta(minutes=ttl_minutes)
        self._forgetting = asyncio.Lock()
        self._asked = self._forgotten = 0

    async def seal(self, card: Mapping[str, str], at: datetime) -> str:
        """Put a card away until `at` plus the time to live; the answer is the only thing that opens it."""
        handle, nonce = secrets.token_urlsafe(24), secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps(dict(card)).encode().ljust(_PADDED_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, plain, handle.encode())
        row = insert(card_vault).values(
            handle=handle, key_id=self._newest, nonce=nonce, sealed=sealed, expires_at=at + self._ttl
        )
        async with writing(self._engine) as connection:
            await connection.execute(row)
        return handle

    async def open(self, handle: str, at: datetime) -> dict[str, str]:
        """The card behind a handle; it stays until it is discarded, so that an open outcome can be sent again.

        Raises:
            CardGoneError: discarded, expired (and deleted by this call), tampered with, or never there.
        """
        expired = False
        async with writing(self._engine) as connection:
            row = (await connection.execute(select(card_vault).where(card_vault.c.handle == handle))).first()
            if row is not None and row.expires_at <= at:
                expired = True
                await connection.execute(delete(card_vault).where(card_vault.c.handle == handle))
        if expired:
            await self._forget()
        if row is None or expired or row.key_id not in self._ciphers:
            raise CardGoneError("the card is no longer in the vault")
        try:
            opened = self._ciphers[row.key_id].decrypt(row.nonce, row.sealed, handle.encode())
        except InvalidTag:
            raise CardGoneError("the card in the vault cannot be read") from None
        card: dict[str, str] = json.loads(opened)
        return card

    async def discard(self, handle: str) -> None:
        """Delete a card: it was accepted, or refused. Doing it again does nothing."""
        async with writing(self._engine) as connection:
            await connection.execute(delete(card_vault).where(card_vault.c.handle == handle))
        await self._forget()

    async def purge(self, at: datetime) -> int:
        """Delete every card whose time is over; answers how many there were."""
        expired = delete(card_vault).where(card_vault.c.expires_at <= at).returning(card_vault.c.handle)
        async with writing(self._engine) as connection:
            gone = len((await connection.execute(expired)).all())
        await self._forget()
        return gone

    async def _forget(self) -> None:
        """Let SQLite's log forget what was deleted before this call.

        Once for all who wait for the same turn: it writes the whole log into the file, for one card or for twenty.
        """
        self._asked += 1
        mine = self._asked
        async with self._forgetting:
            if self._forgotten < mine:
                asked = self._asked
                await empty_write_ahead_log(self._engine)
                self._forgotten = asked


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"gudok-vault-key-id\n" + key).hexdigest()[:16]
