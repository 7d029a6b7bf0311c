"""Order numbers: one per cycle, kept through all of its retries (design section 2).

PortOne refuses to pay the same order number twice, so the gateway is a second lock.
The number is a pure function of the incarnation, the cycle and the generation: no run id, no clock, no counter of
attempts, so a retry, a reset or a second worker can only ever name the same order.
"""

import re

MAX_LENGTH = 40
"""PortOne's limit; Smartro truncates silently at it (facts.md 4.3)."""

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_INCARNATION_DIGITS = 19
_CYCLE_NUMBER = re.compile(r"(?P<incarnation>s[0-9a-z]{19})(?P<cycle>[0-9]{5})(?P<generation>[a-z])\Z")
_GIVEN = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")


def new_incarnation(random_bytes: bytes) -> str:
    """The id one life of a subscription builds its order numbers from: "s" and 19 lower-case letters or digits.

    Drawn once by the api at the start, from at least 16 random bytes, and carried by the workflow.
    """
    return "s" + _base36(random_bytes)


def new_payment_merchant_uid(random_bytes: bytes) -> str:
    """An order number for a one-time payment whose caller gave none: "p" and 19 lower-case letters or digits."""
    return "p" + _base36(random_bytes)


def cycle_merchant_uid(incarnation: str, cycle: int, generation: int = 0) -> str:
    """The order number of a cycle: incarnation, five digits, a generation letter; at most 40 characters.

    Raises:
        ValueError: a cycle outside 1 to 99,999, or a generation outside 0 to 25.
    """
    if not 1 <= cycle <= 99_999:  # noqa: PLR2004 - five digits
        raise ValueError("cycle must be 1 to 99999")
    if not 0 <= generation < 26:  # noqa: PLR2004 - one letter
        raise ValueError("generation must be 0 to 25")
    return f"{incarnation}{cycle:05d}{chr(ord('a') + generation)}"


def parse_cycle_merchant_uid(text: str) -> tuple[str, int, int] | None:
    """Incarnation, cycle and generation of an order number of ours, or None for any other text."""
    found = _CYCLE_NUMBER.match(text)
    if found is None:
        return None
    return found["incarnation"], int(found["cycle"]), ord(found["generation"]) - ord("a")


def is_valid_merchant_uid(text: str) -> bool:
    """Whether a caller may use `text` as an order number: 1 to 40 of letters, digits, `_` and `-`."""
    return _GIVEN.match(text) is not None


def _base36(random_bytes: bytes) -> str:
    if len(random_bytes) < 16:  # noqa: PLR2004 - 128 bits
        raise ValueError("at least 16 random bytes are needed")
    number = int.from_bytes(random_bytes, "big")
    digits: list[str] = []
    for _ in range(_INCARNATION_DIGITS):
        number, rest = divmod(number, 36)
        digits.append(_ALPHABET[rest])
    return "".join(digits)
