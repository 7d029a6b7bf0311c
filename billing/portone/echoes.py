"""The card of one request, looked for in its answer: PortOne, or a PG behind it, may echo what it was sent."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from billing.domain.card_text import LONGEST_READ, Way, ways_to_read

_NUMBER_DIGITS = 12
"""As many digits or more, and a secret is a card number."""

_PART_OF_NUMBER = 8
"""So many digits of the card number in a row are no chance."""

_BEYOND_CHANCE = 6
"""So many digits are looked for inside of longer numbers too; fewer only where they stand alone."""

_SHORTEST_WORD = 6

_EXPIRY = re.compile(r"(?:20)?([0-9]{2})[-/ ]?(0[1-9]|1[0-2])")
_BIRTH_DIGITS = 6
_NO_DIGIT = re.compile(r"[^0-9]")
_GROUPS = re.compile(r"[0-9]+(?:[^0-9A-Za-z]{1,3}[0-9]+)*|[0-9]+(?:[^0-9A-Za-z]{0,2}[년월일][^0-9A-Za-z]{0,2}[0-9]*)+")

NOT_KEPT = "[removed]"


class Echoes:
    """Finds the secrets of one request in any text or number, however they are written.

    Args:
        secrets: As they were sent: card number, expiry as YYYY-MM, birth, password digits, cvc; what is no number, such
            as an API secret, is looked for as it is.
        own: Words of the same request that are no secrets, such as its order number; alone they may come back.
    """

    def __init__(self, secrets: Iterable[str] = (), own: Iterable[str] = ()) -> None:
        self._secrets = tuple(dict.fromkeys(secret for secret in secrets if secret))
        self._own = frozenset(own) - frozenset(self._secrets)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def __repr__(self) -> str:
        return f"Echoes({len(self._secrets)} secrets)"

    def is_own(self, text: str) -> bool:
        """Whether we said exactly this ourselves, and it is no secret."""
        return text in self._own

    def holds(self, text: str) -> bool:
        """Whether a part of a secret stands in a text beyond doubt, or may stand where nobody reads any more."""
        if not self or self.is_own(text):
            return False
        if len(text) > LONGEST_READ or any(word in text for word in self._words):
            return True
        return any(self._in_reading(reading, way) for reading, way in ways_to_read(text))

    def is_short(self, text: str) -> bool:
        """Whether a text is nothing but the expiry, birth, password digits or cvc, of which no part may be shown."""
        return any(_NO_DIGIT.sub("", reading) in self._forms for reading, _ in ways_to_read(text))

    def holds_number(self, number: float | Decimal) -> bool:
        """The same of a number."""
        return str(number) not in self._own and self.holds(format(number, "f" if isinstance(number, Decimal) else ""))

    def _in_reading(self, reading: str, way: Way) -> bool:
        digits = _NO_DIGIT.sub("", reading)
        if any(part in digits for part in self._parts_of_number):
            return True
        if any(written in reading.lower() for written in self._other_bases):
            return True
        # Numerals are parts of ordinary words: only a whole stretch of them is a number.
        return way is not Way.SPELLED and any(self._stands_in(group) for group in self._groups(reading))

    def _stands_in(self, digits: str) -> bool:
        return digits in self._short or any(form in digits for form in self._long)

    @staticmethod
    def _groups(reading: str) -> Iterator[str]:
        """Digits that stand together, and what two or three neighbours are when they are joined."""
        for run in _GROUPS.finditer(reading):
            groups = re.findall("[0-9]+", run[0])
            for first in range(len(groups)):
                for last in range(first, min(first + 4, len(groups))):
                    yield "".join(groups[first : last + 1])

    @cached_property
    def _numbers(self) -> tuple[str, ...]:
        digits = (_NO_DIGIT.sub("", secret) for secret in self._secrets if self._is_digits(secret))
        return tuple({each for each in digits if len(each) >= _NUMBER_DIGITS})

    @cached_property
    def _parts_of_number(self) -> frozenset[str]:
        """Every stretch of the card number that is no chance, forwards and backwards."""
        ways = [way for number in self._numbers for way in (number, number[::-1])]
        return frozenset(way[i : i + _PART_OF_NUMBER] for way in ways for i in range(len(way) - _PART_OF_NUMBER + 1))

    @cached_property
    def _other_bases(self) -> frozenset[str]:
        return frozenset(format(int(number), base) for number in self._numbers for base in "xo")

    @cached_property
    def _words(self) -> tuple[str, ...]:
        """What is no number; a shorter one would be found in any text."""
        words = (secret for secret in self._secrets if not self._is_digits(secret))
        return tuple(word for word in words if len(word) >= _SHORTEST_WORD)

    @cached_property
    def _forms(self) -> frozenset[str]:
        """Expiry, birth, password digits and cvc, in digits, in every order that is in use."""
        forms: set[str] = set()
        for secret in self._secrets:
            digits = _NO_DIGIT.sub("", secret)
            expiry = _EXPIRY.fullmatch(secret)
            if not self._is_digits(secret) or len(digits) >= _NUMBER_DIGITS:
                continue
            forms.add(digits)
            if expiry and (len(digits) > len("YYMM") or "-" in secret):
                year, month = expiry.groups()
                bare = str(int(month))
                forms |= {f"{year}{month}", f"{month}{year}", f"20{year}{month}", f"{month}20{year}"}
                forms |= {f"20{year}{bare}", f"{bare}20{year}", f"{bare}{year}"}
            if len(digits) == _BIRTH_DIGITS and not expiry:
                year, month, day = digits[:2], digits[2:4], digits[4:]
                forms |= {f"{day}{month}{year}", f"{month}{day}{year}"}
                forms |= {f"{century}{digits}" for century in ("19", "20")}
                forms |= {f"{day}{month}{century}{year}" for century in ("19", "20")}
        return frozenset(forms)

    @cached_property
    def _short(self) -> frozenset[str]:
        return frozenset(form for form in self._forms if len(form) < _BEYOND_CHANCE)

    @cached_property
    def _long(self) -> frozenset[str]:
        return frozenset(form for form in self._forms if len(form) >= _BEYOND_CHANCE)

    @staticmethod
    def _is_digits(secret: str) -> bool:
        return re.fullmatch(r"[0-9][0-9 ./-]*", secret) is not None


def own_words(*said: Any) -> frozenset[str]:
    """Every word and number that a request says, as text."""

    def each(value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            for item in value.values():
                yield from each(item)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from each(item)
        elif value is not None:
            yield str(value)

    return frozenset(word for value in said for word in each(value))
