"""An event as an endpoint receives it: the body, and the headers that sign it (Standard Webhooks)."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from standardwebhooks import Webhook

from billing.domain.instants import require_utc, rfc3339

_SECRET_BYTES = 32
USER_AGENT = "gudok-events/1"


def new_secret() -> str:
    """A secret for one endpoint, as Standard Webhooks writes it: `whsec_` and base64 of 32 random bytes."""
    return secret_of(secrets.token_bytes(_SECRET_BYTES))


def secret_of(random_bytes: bytes) -> str:
    """The same of bytes that nobody can guess."""
    return "whsec_" + base64.b64encode(random_bytes).decode()


def event_body(type_name: str, at: datetime, data: Mapping[str, Any]) -> str:
    """The JSON that is signed and sent as it is: `type`, when it happened, `data`; always the same for one event.

    Raises:
        ValueError: `at` is not aware UTC.
    """
    body = {"type": type_name, "timestamp": rfc3339(at), "data": dict(data)}
    return json.dumps(body, separators=(",", ":"), sort_keys=False)


def signed_headers(event_id: str, body: str, signing: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of one attempt, signed with every secret that is in force, the newest first.

    Args:
        event_id: the `webhook-id`; the same for every attempt.
        body: exactly what is sent.
        signing: `whsec_` secrets; two while one replaces the other.
        now: of this attempt, aware UTC. The library relabels any other zone as UTC instead of converting it.

    Raises:
        ValueError: `now` is not aware UTC.
    """
    require_utc("now", now)
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(event_id, now, body) for secret in signing),
    }
