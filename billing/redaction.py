"""The last net under the logs: what looks like a card, a secret or a notice token is masked.

The first net is that none of them is logged; this one is for what nobody thought of.
"""

import re
from collections.abc import MutableMapping
from typing import Any

MASK = "[redacted]"

SECRET_NAMES = frozenset(
    {
        "card_number",
        "expiry",
        "birth",
        "pwd_2digit",
        "cvc",
        "imp_secret",
        "authorization",
        "access_token",
        "api_key",
        "vault_key",
        "webhook_secret",
    }
)

_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_NOTICE = re.compile(r"(/webhooks/portone/)[^\s\"'?]+")
_LUHN_BASE = 10


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: the event without what must not be written."""
    for name, value in event.items():
        event[name] = MASK if name.lower() in SECRET_NAMES else redact(value)
    return event


def redact(value: Any) -> Any:
    """A value with card numbers and notice tokens masked, however deep they are."""
    if isinstance(value, str):
        return _NOTICE.sub(rf"\1{MASK}", _CARD.sub(_mask_if_card, value))
    if isinstance(value, dict):
        return {name: MASK if str(name).lower() in SECRET_NAMES else redact(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(redact(inner) for inner in value)
    return value


def _mask_if_card(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    return MASK if _is_luhn_valid(digits) else found[0]


def _is_luhn_valid(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled >= _LUHN_BASE else doubled
    return total % _LUHN_BASE == 0
