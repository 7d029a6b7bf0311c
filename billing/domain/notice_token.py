"""The token in a notice_url: V1 webhooks are unsigned, so the URL itself is the credential (design section 2).

`base64url(workflow id + NUL + merchant_uid) "." base64url(HMAC-SHA256)[:26]`: it names the workflow and the order, so
a webhook is routed without a database, and nobody without the secret can make one up.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

_MAC_CHARACTERS = 26
_MAX_TOKEN_LENGTH = 512
_SEPARATOR = "\0"


@dataclass(frozen=True, slots=True)
class NoticeRoute:
    """The workflow a webhook belongs to, and the order number it may speak of."""

    workflow_id: str
    merchant_uid: str


def sign_notice(secret: str, workflow_id: str, merchant_uid: str) -> str:
    """The token for one order of one workflow."""
    body = _encode(f"{workflow_id}{_SEPARATOR}{merchant_uid}".encode())
    return f"{body}.{_mac(secret, body)}"


def read_notice(secrets: Sequence[str], token: str) -> NoticeRoute | None:
    """The route a genuine token carries; None for anything else, whatever it is.

    The first secret signs, all of them verify, so that a secret can be rotated while older schedules still carry it.
    """
    if len(token) > _MAX_TOKEN_LENGTH or not token.isascii():
        return None
    body, dot, mac = token.partition(".")
    # Every secret is tried, so that the time taken does not tell which one matched.
    genuine = [hmac.compare_digest(_mac(secret, body), mac) for secret in secrets]
    if not dot or not any(genuine):
        return None
    try:
        workflow_id, separator, merchant_uid = _decode(body).decode().partition(_SEPARATOR)
    except (binascii.Error, ValueError):
        return None
    return NoticeRoute(workflow_id, merchant_uid) if separator else None


def _mac(secret: str, body: str) -> str:
    digest = hmac.new(secret.encode(), b"gudok-notice-1\n" + body.encode(), hashlib.sha256).digest()
    return _encode(digest)[:_MAC_CHARACTERS]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
