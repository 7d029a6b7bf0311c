"""The last net under every log line: card numbers, secrets and capability addresses are masked (reliability.md 6.8).

Code does not log such things in the first place; what is caught here is what a library, an exception or a mistake adds.
"""

import logging
import re
from collections.abc import Mapping, MutableMapping
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from billing.domain.card_text import card_numbers, passes_luhn, plain, readings

MASK = "[redacted]"

SECRET_KEYS = frozenset(
    {
        "access_token",
        "api_key",
        "api_keys",
        "authorization",
        "birth",
        "card_number",
        "cookie",
        "cvc",
        "cvv",
        "event_key",
        "expiry",
        "imp_secret",
        "password",
        "payload_keys",
        "portone_imp_secret",
        "pwd",
        "pwd_2digit",
        "vault_key",
        "webhook_secret",
    }
)
"""Names whose values never reach a log, in any case and with - for _; also behind a prefix as in `x-api-key`."""

_MOST_CARD_DIGITS = 19
_BETWEEN_DIGITS = r"(?:[ \-+\u00a0]{1,2}|%20|%2D)"
_DIGIT_GROUPS = re.compile(rf"\d+(?:{_BETWEEN_DIGITS}\d+)*", re.IGNORECASE)

_SECRET_NAME = "|".join(sorted((k.replace("_", "[_-]") for k in SECRET_KEYS), key=len, reverse=True))
# `card_number=4111`, `"expiry": "2030-01"`, `Authorization: Bearer abc`, `imp_secret=SecretStr('abc')`:
# a value in brackets or quotes ends with them, a bare one where a form field, a header or a repr goes on.
_SECRET_PAIR = re.compile(
    rf"""(?P<name>(?:{_SECRET_NAME})\\?["']?\s*(?:=|:|%3D)\s*)"""
    r"""(?:\w*\([^)]*\)|\[[^\]]*\]|\\?"[^"]*"|\\?'[^']*'|(?:(?:Bearer|Basic)\s+)?[^\s&,;)}\]"']+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_SIGNING_SECRET = re.compile(r"\b(whsec_)[A-Za-z0-9+/=_-]+")
_CAPABILITY = re.compile(r"(/(?:webhooks/portone|checkout)/)[^\s/?#\"'<>\\]+")

_PLAIN = (bool, float, type(None), datetime, date, timedelta)


def redact_text(text: str) -> str:
    """The text without card numbers, values of secret names, bearer tokens and tokens in addresses."""
    text = _CAPABILITY.sub(rf"\1{MASK}", text)
    text = _SECRET_PAIR.sub(rf"\g<name>{MASK}", text)
    text = _SIGNING_SECRET.sub(rf"\1{MASK}", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _mask_hidden(_DIGIT_GROUPS.sub(_mask_cards, text))


def _mask_hidden(text: str) -> str:
    """Mask card numbers that are written in another way: the text as it reads then, or nothing of it where decoded."""
    if not any(True for reading in readings(text) for _ in card_numbers(reading)):
        return text
    read, done, masked = plain(text), 0, []
    for start, end in card_numbers(read):
        masked += [read[done:start], MASK]
        done = end
    left = "".join([*masked, read[done:]])
    return MASK if any(True for reading in readings(left) for _ in card_numbers(reading)) else left


def _mask_cards(match: re.Match[str]) -> str:
    """Mask every run of whole digit groups that together are a card number, the longest first."""
    text = match.group()
    groups = [(g.start(), g.end()) for g in re.finditer(r"\d+", re.sub(r"%2[0D]", "   ", text, flags=re.IGNORECASE))]
    masked, done, first = [], 0, 0
    while first < len(groups):
        last = _last_group_of_card(text, groups, first)
        if last is None:
            first += 1
            continue
        masked += [text[done : groups[first][0]], MASK]
        done, first = groups[last][1], last + 1
    return "".join([*masked, text[done:]])


def _last_group_of_card(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    digits, found = "", None
    for last in range(first, len(groups)):
        digits += text[slice(*groups[last])]
        if len(digits) > _MOST_CARD_DIGITS:
            break
        if passes_luhn(digits):
            found = last
    return found


def is_secret_key(key: object) -> bool:
    """Whether a name says that its value is secret."""
    name = str(key).lower().replace("-", "_")
    return name in SECRET_KEYS or any(name.endswith(f"_{secret}") for secret in SECRET_KEYS)


def redact(value: Any) -> Any:
    """The same value with everything secret in it masked, however deep; objects that are not data become text."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return redact_text(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {redact(key): MASK if is_secret_key(key) else redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    if isinstance(value, int) and not passes_luhn(str(abs(value))):
        return value
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode("utf-8", "replace")
    return redact_text(str(value) if isinstance(value, str | int | Enum) else repr(value))


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask the whole event, as a structlog processor; stands after exceptions became text and before the renderer."""
    masked: dict[str, Any] = redact(event)
    return masked


class RedactingFilter(logging.Filter):
    """For handlers that structlog does not feed: masks the message, its arguments and the traceback of a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, masked."""
        record.msg, record.args = redact_text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        record.exc_text = redact_text(record.exc_text) if record.exc_text else record.exc_text
        record.stack_info = redact_text(record.stack_info) if record.stack_info else record.stack_info
        return True
