"""The last part of a notice_url: V1 webhooks are unsigned, so the URL is the credential (design section 2).

A token carries the workflow id and the order number and is signed, so a webhook is routed and believed to be meant
for us without a database. It says nothing about the payment: that is always looked up.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass

MAX_TOKEN_LENGTH = 1024

_DOMAIN = b"gudok.notice.v1\n"
_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class NoticeRoute:
    """Where a webhook belongs: the workflow to ring and the order number to look up."""

    workflow_id: str
    merchant_uid: str


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _signature(secret: str, body: str) -> bytes:
    mac = hmac.new(secret.encode(), _DOMAIN + body.encode("ascii"), hashlib.sha256)
    return _encode(mac.digest()).encode("ascii")


def sign_notice(secret: str, workflow_id: str, merchant_uid: str) -> str:
    """A token for one order of one workflow: URL-safe text, the same for the same arguments.

    Args:
        secret: `GUDOK_WEBHOOK_SECRET`, not empty.
        workflow_id: `subscription/{customer_uid}` or the like, on one line.
        merchant_uid: the order number, on one line.

    Raises:
        ValueError: an empty argument, a line break inside one, or text too long to be read back.
    """
    if not secret:
        raise ValueError("an empty secret signs nothing")
    for name, value in (("workflow_id", workflow_id), ("merchant_uid", merchant_uid)):
        if not value or _SEPARATOR in value:
            raise ValueError(f"{name} must be one line of text, not empty")
    body = _encode(f"{workflow_id}{_SEPARATOR}{merchant_uid}".encode())
    token = f"{body}.{_signature(secret, body).decode('ascii')}"
    if len(token) > MAX_TOKEN_LENGTH:
        raise ValueError(f"the token would be {len(token)} characters, at most {MAX_TOKEN_LENGTH} are read back")
    return token


def read_notice(secrets: Sequence[str], token: str) -> NoticeRoute | None:
    """The route inside a token that one of the secrets signed; None for anything else, and never an exception.

    Every secret is tried whether or not an earlier one matched, and compared in constant time, so the answer's
    timing tells a forger nothing.

    Args:
        secrets: the signing secret first, then those it replaced. Empty ones are passed over: they sign nothing.
        token: what stood in the URL; any text of any length.
    """
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        return None
    body, dot, given = token.partition(".")
    if not dot:
        return None
    # A bare string is a sequence of one-letter secrets: taken as the single secret it was meant to be.
    tried = [secrets] if isinstance(secrets, str) else secrets
    matches = [hmac.compare_digest(_signature(secret, body), given.encode("ascii")) for secret in tried if secret]
    if not any(matches):
        return None
    try:
        workflow_id, separator, merchant_uid = urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode().partition("\n")
    except ValueError:
        return None
    return NoticeRoute(workflow_id, merchant_uid) if workflow_id and separator and merchant_uid else None
