"""Who is asking: API keys for `/v1`, source addresses for the webhook URLs that carry no token."""

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence

from fastapi import Request

from api.errors import Problem

Network = str | ipaddress.IPv4Network | ipaddress.IPv6Network


def require_api_key(request: Request, keys: Sequence[str]) -> str:
    """A name for the API key of the request, which is not the key: its scope for Idempotency-Keys.

    Accepts `Authorization: Bearer <key>`, and HTTP Basic with the key as the user.

    Raises:
        Problem: 401, for a missing or wrong key.
    """
    sent = _sent_key(request.headers.get("authorization", ""))
    # Every key is compared, so that the time taken does not tell which one was close.
    matches = [hmac.compare_digest(sent.encode(), key.encode()) for key in keys]
    if not sent or not any(matches):
        raise Problem(401, "unauthorized", "Send an API key: `Authorization: Bearer <key>`, or Basic with it as user")
    return hashlib.sha256(keys[matches.index(True)].encode()).hexdigest()[:16]


def _sent_key(header: str) -> str:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
        except ValueError:
            return ""
    return ""


def client_address(request: Request, trusted_proxies: Sequence[Network]) -> str:
    """The address a request came from, counted from the right past the proxies we trust (reliability.md 6.5.1).

    Without trusted proxies `X-Forwarded-For` is not looked at; the peer is the client.
    """
    peer = request.client.host if request.client else ""
    if not is_within(peer, trusted_proxies):
        return peer
    hops = [hop.strip() for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    for hop in reversed(hops):
        if not is_within(hop, trusted_proxies):
            return hop
    return peer


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(str(network), strict=False) for network in networks)
