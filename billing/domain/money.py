"""Money as whole minor units and a currency; PortOne's decimal numbers exist only on the wire."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

MAX_AMOUNT = 100_000_000
"""The most one charge may take, in minor units of its currency (100 million won)."""

_BIGINT_MAX = 2**63 - 1
_NUMBER = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,6})?", re.ASCII)

# ISO 4217: the currencies in use, by how many decimals their minor unit has.
_CODES_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
        "CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
        "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
        "MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD "
        "SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER "
        "ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

MINOR_DIGITS: Mapping[str, int] = MappingProxyType(
    {code: digits for digits, codes in _CODES_BY_DIGITS.items() for code in codes.split()}
)
"""Decimals of the minor unit by ISO 4217 code: KRW 0, USD 2."""


def _digits(currency: str) -> int:
    try:
        return MINOR_DIGITS[currency]
    except (KeyError, TypeError):
        raise ValueError(f"unknown currency {currency!r}: an ISO 4217 code in capitals is needed") from None


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: whole minor units (won, cents) of one currency.

    May be negative (a credit); what may be charged is judged where it is charged. `str()` is for people:
    "9,900 KRW", "9.99 USD".

    Raises:
        ValueError: an amount that is no whole number (a bool, a float) or does not fit the ledger's 64 bits, or a
            currency that ISO 4217 does not have.
    """

    amount: int
    currency: str = "KRW"

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise ValueError(f"amount must be a whole number of minor units, got {self.amount!r}")
        if abs(self.amount) > _BIGINT_MAX:
            raise ValueError("amount does not fit 64 bits")
        _digits(self.currency)

    def __str__(self) -> str:
        return f"{self.on_wire():,} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same_currency(other).amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same_currency(other).amount, self.currency)

    def _same_currency(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
        return other

    def on_wire(self) -> int | Decimal:
        """PortOne's number in major units: 9900 for 9,900 won, Decimal("9.99") for 999 US cents."""
        digits = _digits(self.currency)
        return Decimal(self.amount).scaleb(-digits) if digits else self.amount

    @classmethod
    def from_wire(cls, amount: float | str | Decimal, currency: str) -> "Money":
        """The exact minor units of PortOne's number in major units; a float is read as the shortest text it prints.

        Raises:
            ValueError: no finite number, a fraction of a minor unit (9.5 won), or an unknown currency.
        """
        if isinstance(amount, bool) or (isinstance(amount, str) and _NUMBER.fullmatch(amount) is None):
            raise ValueError(f"not an amount: {amount!r}")
        try:
            number = Decimal(repr(amount) if isinstance(amount, float) else amount)
        except (InvalidOperation, TypeError) as error:
            raise ValueError(f"not an amount: {amount!r}") from error
        digits = _digits(currency)
        if not number.is_finite() or abs(number.adjusted()) > len(str(_BIGINT_MAX)):
            raise ValueError(f"not an amount: {amount!r}")
        # Integers from here on: decimal arithmetic would round to the context's 28 digits and call it exact.
        numerator, denominator = number.as_integer_ratio()
        minor_units, rest = divmod(numerator * 10**digits, denominator)
        if rest:
            raise ValueError(f"{amount!r} is not a whole number of minor units of {currency}")
        return cls(minor_units, currency)
