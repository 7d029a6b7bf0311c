"""Order numbers: PortOne refuses to pay one twice, so the number is the second lock against a second charge.

A cycle keeps one number through all of its retries (design section 2): incarnation, cycle, generation. Lower-case
letters and digits only, because smartro_v2 accepts nothing else and cuts what goes beyond 40 (facts.md 4.3).
"""

import re
import string

MAX_LENGTH = 40
MAX_CYCLE = 99_999
MAX_GENERATION = 701
"""One letter, then two: a to z, aa to zz."""

_ALPHABET = string.digits + string.ascii_lowercase
_MIN_RANDOM_BYTES = 16
_INCARNATION_LENGTH = 19
_PAYMENT_LENGTH = 24
_INCARNATION = re.compile(r"s[0-9a-z]{19}", re.ASCII)
_CYCLE = re.compile(r"(s[0-9a-z]{19})([0-9]{5})([a-z]{1,2})", re.ASCII)
_GIVEN = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)


def _base36(random_bytes: bytes, length: int) -> str:
    if len(random_bytes) < _MIN_RANDOM_BYTES:
        raise ValueError(f"{_MIN_RANDOM_BYTES} random bytes are needed, got {len(random_bytes)}")
    number = int.from_bytes(random_bytes, "big")
    characters = []
    for _ in range(length):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)


def new_incarnation(random_bytes: bytes) -> str:
    """The name of one life of a subscription: "s" and 19 lower-case base-36 characters (98 bits).

    Drawn once by the api at start, so that a restarted subscription never meets the numbers of its earlier life,
    while a reset or continue-as-new keeps them.

    Raises:
        ValueError: fewer than 16 bytes.
    """
    return "s" + _base36(random_bytes, _INCARNATION_LENGTH)


def new_payment_merchant_uid(random_bytes: bytes) -> str:
    """An order number for a one-time payment that came without one: "p" and 24 lower-case base-36 characters.

    Raises:
        ValueError: fewer than 16 bytes.
    """
    return "p" + _base36(random_bytes, _PAYMENT_LENGTH)


def cycle_merchant_uid(incarnation: str, cycle: int, generation: int = 0) -> str:
    """The order number of one cycle: incarnation, five digits, one letter or two; at most 27 characters.

    Args:
        incarnation: what `new_incarnation` gave.
        cycle: 1 to 99,999.
        generation: 0 to 701 (a to z, aa to zz). It moves only when the card behind the cycle changed or the PG never
            takes a number again, and the earlier row is verified unpaid and can never execute.

    Raises:
        ValueError: an argument outside its range; a number is never cut or wrapped into another one's place.
    """
    if _INCARNATION.fullmatch(incarnation) is None:
        raise ValueError(f"not an incarnation: {incarnation!r}")
    if not 1 <= cycle <= MAX_CYCLE:
        raise ValueError(f"cycle must be 1 to {MAX_CYCLE}, got {cycle}")
    if not 0 <= generation <= MAX_GENERATION:
        raise ValueError(f"generation must be 0 to {MAX_GENERATION}, got {generation}")
    return f"{incarnation}{cycle:05d}{_letters(generation)}"


def _letters(generation: int) -> str:
    letters = string.ascii_lowercase
    if generation < len(letters):
        return letters[generation]
    first, second = divmod(generation - len(letters), len(letters))
    return letters[first] + letters[second]


def _generation(letters: str) -> int:
    *first, last = (string.ascii_lowercase.index(letter) for letter in letters)
    return last if not first else len(string.ascii_lowercase) * (first[0] + 1) + last


def change_merchant_uid(incarnation: str, change: int) -> str:
    """The order number of what a plan change charges at once: incarnation, "x", five digits; 26 characters.

    Each try of a change has a number of its own, counted by the subscription, and it is sent to a proven end before
    the next one is drawn.

    Args:
        incarnation: what `new_incarnation` gave.
        change: 1 to 99,999.

    Raises:
        ValueError: an argument outside its range.
    """
    if _INCARNATION.fullmatch(incarnation) is None:
        raise ValueError(f"not an incarnation: {incarnation!r}")
    if not 1 <= change <= MAX_CYCLE:
        raise ValueError(f"change must be 1 to {MAX_CYCLE}, got {change}")
    return f"{incarnation}x{change:05d}"


def parse_cycle_merchant_uid(text: str) -> tuple[str, int, int] | None:
    """(incarnation, cycle, generation) of a number that `cycle_merchant_uid` built, None for any other text."""
    match = _CYCLE.fullmatch(text)
    if match is None or match[2] == "00000":
        return None
    return match[1], int(match[2]), _generation(match[3])


def is_valid_merchant_uid(text: str) -> bool:
    """True for an order number that a caller may give: 1 to 40 of letters, digits, `_` and `-`."""
    return _GIVEN.fullmatch(text) is not None
