"""The secrets of event endpoints, sealed: AES-256-GCM under keys outside the database, bound to their endpoint."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from billing.ledger.errors import LedgerError

KEY_BYTES = 32
_NONCE_BYTES = 12


class SecretSeal:
    """Seals under the first key; opens with whichever key sealed, so that keys can be rotated.

    Raises:
        ValueError: no key, or a key that is not 32 bytes.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"event secrets need at least one key, each of {KEY_BYTES} bytes")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])

    def seal(self, secret: str, endpoint_id: str) -> str:
        """The secret as it may be stored for this endpoint and no other."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, secret.encode(), endpoint_id.encode())
        return f"{self._newest}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, endpoint_id: str) -> str:
        """The secret again.

        Raises:
            LedgerError: its key is not here, or it was tampered with.
        """
        key_id, _, text = sealed.partition(".")
        if key_id not in self._ciphers:
            raise LedgerError(f"the key {key_id} that sealed the secret of endpoint {endpoint_id} is not configured")
        try:
            raw = base64.b64decode(text, validate=True)
            return self._ciphers[key_id].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], endpoint_id.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise LedgerError(f"the secret of endpoint {endpoint_id} cannot be read") from None

    def is_current(self, sealed: str) -> bool:
        """Whether it was sealed under the first key."""
        return sealed.partition(".")[0] == self._newest


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"gudok-event-key-id\n" + key).hexdigest()[:16]
