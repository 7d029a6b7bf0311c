"""Text that came from outside, made safe to keep and to show."""

import re
from collections.abc import Iterable

MAX_TEXT = 500
"""Characters kept of a message; PortOne's own are below 200."""

# A PG may echo what it was sent: any run of 13 to 19 digits, spaced or hyphenated, may be a card number.
_CARD_LIKE = re.compile(r"(?<![0-9])(?:[0-9][ .-]?){12,18}[0-9](?![0-9])")

# Shorter values (two password digits, a cvc) occur in any text by chance; replacing them would only scramble it.
_SHORTEST_SECRET = 6


def readable(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without control characters, card-like digit runs and the given secrets, at most 500 characters."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[removed]")
    text = _CARD_LIKE.sub("[removed]", text)
    text = "".join(character if character.isprintable() else " " for character in text)
    return text[:MAX_TEXT].strip()
