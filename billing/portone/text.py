"""Text that came from outside, made safe to keep and to show.

Of what a PG says, words are kept; of digits only those that are known to be harmless: a code in brackets, an amount, a
telephone number, an approval number, PortOne's and our own ids. A text in which card data can be read, in whatever way
it is written, is not kept at all but for the words and codes that the decline table knows.
"""

import re
from decimal import Decimal
from typing import Any

from billing.domain.card_text import Way, card_numbers, plain, ways_to_read
from billing.domain.declines import DECLINES
from billing.domain.facts import mask_to_last_four
from billing.domain.refund_mark import MAX_REASON_LENGTH, mark_of
from billing.portone.echoes import NOT_KEPT, Echoes

MAX_TEXT = 200
"""Characters kept of a text; PortOne's own are below that."""

MAX_NAME = 40
"""Characters kept of the name of a card, a bank or a company."""

MAX_ADDRESS = 500
"""Characters of the address of a receipt; a longer one is not kept."""

UNTOLD = "the PG's words may hold card data and are not kept"
"""Stands in place of a text that held, or may have held, card data."""

# As much of a text is read as could be kept, and what an encoding makes it longer by.
_LONGEST_READ = 2000

_CODE = r"\[(?:[0-9]{4}|(?=[A-Z0-9_]{0,39}[A-Z])(?:[A-Z_]*[0-9]){0,4}[A-Z_]*)\]"
_CODES = re.compile(_CODE)
_KEPT = rf"""
    {_CODE}
  | (?<![0-9A-Za-z])imps?_[0-9]{{6,12}}(?![0-9A-Za-z])
  | (?<![0-9A-Za-z])[A-Z][0-9]{{3,4}}(?![0-9A-Za-z])
  | (?<![0-9A-Za-z.,])(?:[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|[0-9]{{1,6}})
      \s?(?:원|회|개월|개|건|일|시간|분|초|%|won|KRW|USD)
  | (?<![0-9A-Za-z-])(?:0[0-9]{{1,2}}-[0-9]{{3,4}}-[0-9]{{4}}|0[0-9]{{8,10}}|1[568][0-9]{{2}}-[0-9]{{4}})(?![0-9-])
  | 승인번호[\s:=]{{0,3}}[0-9]{{6,10}}(?![0-9])
  | (?<![0-9])(?<![0-9][^0-9A-Za-z가-힣])[0-9](?![^0-9A-Za-z가-힣]?[0-9])
"""
_DIGITS = re.compile(
    rf"""(?P<kept>{_KEPT}) | (?P<token>[^\s()\[\]{{}}<>"'|,:;=]*[0-9][^\s()\[\]{{}}<>"'|,:;=]*)""",
    re.VERBOSE,
)
_SEVERAL_TIMES = re.compile(rf"{re.escape(NOT_KEPT)}(?:[^\w\[]{{0,3}}{re.escape(NOT_KEPT)})+")
_HIDDEN_DIGITS = re.compile(r"[0-9]{4}|[0-9]{2}[-/.][0-9]{2}")
_PROVIDER = re.compile(r"[^0-9\s]*[0-9]?[^0-9\s]*")


def readable(text: str, echoes: Echoes | None = None) -> str:
    """What may be kept of a message or a reason of failure: at most 200 characters, and nothing of a card.

    Args:
        text: In PortOne's or a PG's words.
        echoes: The card of the request that was answered, while it is in memory.
    """
    echoes, text = Echoes() if echoes is None else echoes, text[:_LONGEST_READ]
    if echoes.holds(text) or _may_hold_a_card(text):
        return _known_words(text, echoes)
    kept = _DIGITS.sub(lambda found: _of_digits(found, echoes), plain(text))
    kept = _SEVERAL_TIMES.sub(NOT_KEPT, kept)
    return " ".join(kept.split())[:MAX_TEXT].strip()


def without_echoes(value: Any, echoes: Echoes) -> Any:
    """An answered `response` without the card of its request: what holds a part of it is None, in rows of any depth.

    Texts that a PG writes are made readable; a field that a row cannot do without makes the row unreadable by that, and
    what nobody can read is looked up.
    """
    return _without(value, echoes, "") if echoes else value


def _without(value: Any, echoes: Echoes, field: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, echoes, key) for key, item in value.items() if not echoes.holds(key)}
    if isinstance(value, list):
        return [_without(item, echoes, field) for item in value]
    if isinstance(value, str):
        return _text_without(value, echoes, field)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return None if echoes.holds_number(value) else value
    return value


def _text_without(text: str, echoes: Echoes, field: str) -> str | None:
    if field in _WORDS_OF_A_PG:
        return readable(text, echoes)
    if field == _CARD_NUMBER:
        return None if echoes.is_short(text) else mask_to_last_four(text)
    return None if echoes.holds(text) else text


_CARD_NUMBER = "card_number"
_WORDS_OF_A_PG = frozenset({"message", "fail_reason", "cancel_reason", "reason", "type"})


def _of_digits(found: re.Match[str], echoes: Echoes) -> str:
    text = found[0]
    return text if found["kept"] or text in _KNOWN_CODES or echoes.is_own(text) else NOT_KEPT


def _may_hold_a_card(text: str) -> bool:
    """Whether a card number stands in a text, or digits that somebody encoded."""
    return any(
        any(True for _ in card_numbers(reading)) or (way is Way.DECODED and _HIDDEN_DIGITS.search(reading))
        for reading, way in ways_to_read(text)
    )


def _known_words(text: str, echoes: Echoes) -> str:
    """Of a text that holds card data, what the decline table knows: words of PGs, which no card is."""
    bare = "".join(plain(text).split())
    words = [row.words for row in DECLINES if row.words and "".join(row.words.split()) in bare]
    codes = [code for code in _CODES.findall(plain(text)) if code in _KNOWN_CODES or not echoes.holds(code)]
    codes = [code for code in codes if code in _KNOWN_CODES or re.search("[A-Z]", code)]
    return " ".join([*dict.fromkeys(codes), *dict.fromkeys(words), f"({UNTOLD})"])[:MAX_TEXT]


_KNOWN_CODES = frozenset(f"[{row.code}]" for row in DECLINES if row.code)


def name(text: str) -> str:
    """What may be kept of the name of a card, a bank or a company: its words."""
    if _may_hold_a_card(text[:_LONGEST_READ]):
        return NOT_KEPT
    kept = re.sub(r"\S*[0-9]{2}\S*", NOT_KEPT, plain(text[:_LONGEST_READ]))
    return " ".join(kept.split())[:MAX_NAME].strip()


def provider(text: str) -> str | None:
    """A PG's short name, such as `html5_inicis`: one word with at most one digit; None for what is no such name."""
    fits = len(text) <= MAX_NAME and _PROVIDER.fullmatch(plain(text))
    return text if fits and not _may_hold_a_card(text) else None


def without_card(text: str, limit: int = MAX_ADDRESS) -> str | None:
    """An address or an id as it is; None when a card number can be read in it, or it is too long."""
    if len(text) > limit or _may_be_labelled(text):
        return None
    return None if any(True for reading, _ in ways_to_read(text) for _ in card_numbers(reading)) else text


def _may_be_labelled(text: str) -> bool:
    return re.search(r"(?i)pwd|passw|birth|expir|cvc|cvv|card_?n", plain(text)) is not None


def reason_of_refund(text: str) -> str:
    """Why a refund was made, in the merchant's words and with our mark, without card numbers."""
    mark = mark_of(text)
    words = text.rstrip().removesuffix(f"[{mark}]") if mark else text
    words = plain(words[:_LONGEST_READ])
    if any(True for reading, _ in ways_to_read(words) for _ in card_numbers(reading)):
        words = NOT_KEPT
    shown = " ".join(words.split())[:MAX_REASON_LENGTH].strip()
    return f"{shown} [{mark}]".strip() if mark else shown
