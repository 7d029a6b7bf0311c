"""Card data as others may write it: every way of reading a text in which a number may hide.

A PG that echoes what it was sent does not keep to our spelling: `4518/4212/3456/7890`, `４５１８…`, `%34%35…`, base64,
a zero-width space inside the number. So a text is read first, in all the ways a machine could, and searched then.
"""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum, auto
from urllib.parse import unquote

LONGEST_READ = 4096
"""Characters of a text that are read; whoever keeps more of it must cut it first."""

_CARD_DIGITS = range(13, 20)
_UNDONE_AT_MOST = 3
_DEPTH = 2

_ESCAPE = re.compile(r"\\+(?:u\{?|x)([0-9A-Fa-f]{2,4})\}?")
_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,6}")
_BASE32 = re.compile(r"[A-Za-z2-7]{16,}")
_HEX = re.compile(r"(?:(?:0x|\\x|%)?[0-9A-Fa-f]{2}[\s:,.-]?){3,}")
_PRINTED = re.compile(r"[\x20-\x7e]{4,}")
_NUMBERLIKE = re.compile(r"(?=.*[0-9])[0-9\s./:-]+")
# From one digit to the next at most three signs that are neither letters nor digits; an underscore counts as one.
_DIGIT_GROUPS = re.compile(r"[0-9]+(?:[\W_]{1,3}[0-9]+)*")

_ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_WORDS = {
    **dict(zip("영일이삼사오육칠팔구", range(10), strict=True)),
    **dict(zip("零一二三四五六七八九", range(10), strict=True)),
    **dict(zip(_ENGLISH, range(10), strict=True)),
    "공": 0,
}
_WORD = re.compile("|".join(_WORDS), re.IGNORECASE)

# First digits, and how long the numbers of that scheme are (ISO/IEC 7812); 9 is Korea's own.
_SCHEMES = (
    (re.compile(r"4"), frozenset({13, 16, 19})),
    (re.compile(r"5|9"), frozenset({16})),
    (re.compile(r"3[47]"), frozenset({15})),
    (re.compile(r"3"), frozenset({14, 16})),
    (re.compile(r"6"), frozenset({16, 17, 18, 19})),
    (re.compile(r"2[2-7]"), frozenset({16})),
)


class Way(Enum):
    """How a reading was come by: as it stands, with numerals in words as digits, or decoded."""

    PLAIN = auto()
    SPELLED = auto()
    DECODED = auto()


def plain(text: str) -> str:
    """The text with escapes undone and every kind of digit as an ASCII digit, without characters that show nothing."""
    for _ in range(_UNDONE_AT_MOST):
        undone = html.unescape(unquote(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)))
        if undone == text:
            break
        text = undone
    return "".join(map(_plain, unicodedata.normalize("NFKC", text)))


def _plain(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else " "
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(character)
    if category in {"Cf", "Mn", "Me"}:
        return ""
    return " " if category[0] in "CZ" else character


def readings(text: str) -> Iterator[str]:
    """The text as it stands and as it reads spelled out and decoded; its first LONGEST_READ characters."""
    yield from (reading for reading, _ in ways_to_read(text))


def ways_to_read(text: str) -> Iterator[tuple[str, Way]]:
    """Each reading of a text, and how it was come by; decoded is from base64, base32 or hex, also twice."""
    text = text[:LONGEST_READ]
    first = plain(text)
    yield first, Way.PLAIN
    if any(map(str.isalpha, first)):
        yield _WORD.sub(lambda found: str(_WORDS[found[0].lower()]), first), Way.SPELLED
    for decoded in {*_decoded(text, _DEPTH), *_decoded(first, _DEPTH)}:
        yield decoded, Way.DECODED


def _decoded(text: str, depth: int) -> Iterator[str]:
    if not depth:
        return
    for raw in _unpacked(text):
        written = raw.decode("latin-1")
        for part in [written] if _NUMBERLIKE.fullmatch(written) else _PRINTED.findall(written):
            if re.search("[0-9]", part):
                yield plain(part)
            yield from _decoded(part, depth - 1)


def _unpacked(text: str) -> Iterator[bytes]:
    joined = re.sub(r"\s+", "", text)
    for token in {*_TOKEN.findall(text), *(_TOKEN.findall(joined) if joined != text else ())}:
        bare = token.rstrip("=").replace("-", "+").replace("_", "/")
        # The number may begin in the middle of a token, so at any of four places.
        for start in range(min(4, len(bare) - 2)):
            body = bare[start:]
            body = body[: len(body) - 1] if len(body) % 4 == 1 else body
            yield base64.b64decode(body + "=" * (-len(body) % 4))
    for run in _BASE32.findall(joined):
        for start in range(8):
            body = run[start:].upper()
            with suppress(binascii.Error):
                yield base64.b32decode(body + "=" * (-len(body) % 8))
    for run in _HEX.findall(text):
        digits = re.sub(r"0x|[^0-9A-Fa-f]", "", run)
        for start in range(2):
            body = digits[start:]
            yield bytes.fromhex(body[: len(body) // 2 * 2])


def passes_luhn(digits: str) -> bool:
    """Whether 13 to 19 digits pass the Luhn check."""
    if len(digits) not in _CARD_DIGITS:
        return False
    values = [int(digit) for digit in reversed(digits)]
    doubled = (d * 2 - 9 if d > 4 else d * 2 for d in values[1::2])  # noqa: PLR2004 - where doubling reaches two digits
    return (sum(values[::2]) + sum(doubled)) % 10 == 0


def is_plausible_card(digits: str) -> bool:
    """Whether digits are as long as the scheme of their first ones has them, and pass the Luhn check."""
    return any(first.match(digits) and len(digits) in long for first, long in _SCHEMES) and passes_luhn(digits)


def card_numbers(reading: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand in a reading: whole groups of digits with at most three signs between two of them."""
    for run in _DIGIT_GROUPS.finditer(reading):
        groups = [(run.start() + g.start(), run.start() + g.end()) for g in re.finditer("[0-9]+", run[0])]
        first = 0
        while first < len(groups):
            last = _last_group(reading, groups, first)
            if last is not None:
                yield groups[first][0], groups[last][1]
                first = last
            first += 1


def _last_group(reading: str, groups: list[tuple[int, int]], first: int) -> int | None:
    digits, found = "", None
    for last in range(first, len(groups)):
        digits += reading[slice(*groups[last])]
        if len(digits) >= _CARD_DIGITS.stop:
            break
        if is_plausible_card(digits):
            found = last
    return found


def holds_card_number(text: str) -> bool:
    """Whether somebody's card number can be read in a text, whoever's it is."""
    return any(True for reading in readings(text) for _ in card_numbers(reading))
