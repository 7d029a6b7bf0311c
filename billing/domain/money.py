"""Amounts: whole minor units and a currency, never a float (design section 4)."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self

MAX_AMOUNT = 100_000_000
"""The largest amount one charge may have, in minor units; a typing slip of three zeros must not reach a card."""

MINOR_DIGITS = {
    "KRW": 0,
    "JPY": 0,
    "VND": 0,
    "USD": 2,
    "EUR": 2,
    "GBP": 2,
    "CNY": 2,
    "HKD": 2,
    "TWD": 2,
    "SGD": 2,
    "THB": 2,
    "AUD": 2,
    "CAD": 2,
    "CHF": 2,
    "PHP": 2,
    "MYR": 2,
    "IDR": 2,
    "BRL": 2,
    "MXN": 2,
    "NZD": 2,
}
"""Digits after the decimal point by ISO 4217 code; KRW has no minor unit."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of `amount` minor units of `currency`.

    Raises:
        ValueError: not an int (a bool is not one), or a currency that is not known here.
    """

    amount: int
    currency: str = "KRW"

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise ValueError("amount must be a whole number of minor units")
        if self.currency not in MINOR_DIGITS:
            raise ValueError(f"currency {self.currency!r} is not known")

    def __str__(self) -> str:
        digits = MINOR_DIGITS[self.currency]
        if digits == 0:
            return f"{self.amount:,} {self.currency}"
        return f"{Decimal(self.amount).scaleb(-digits):,.{digits}f} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + other._in(self.currency), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - other._in(self.currency), self.currency)

    def _in(self, currency: str) -> int:
        if self.currency != currency:
            raise ValueError(f"cannot mix {self.currency} with {currency}")
        return self.amount

    def on_wire(self) -> int | Decimal:
        """The number PortOne wants: 9900 for 9,900 KRW, 9.99 for 999 US cents."""
        digits = MINOR_DIGITS[self.currency]
        return self.amount if digits == 0 else Decimal(self.amount).scaleb(-digits)

    @classmethod
    def from_wire(cls, amount: float | str | Decimal, currency: str) -> Self:
        """Read PortOne's number exactly.

        Raises:
            ValueError: the number has a fraction of a minor unit, or is not a finite number.
        """
        if currency not in MINOR_DIGITS:
            raise ValueError(f"currency {currency!r} is not known")
        try:
            minor = Decimal(str(amount)).scaleb(MINOR_DIGITS[currency])
            whole = minor.to_integral_value()
        except (InvalidOperation, ValueError) as error:
            raise ValueError("amount is not a number") from error
        if not minor.is_finite() or minor != whole:
            raise ValueError(f"amount has a fraction of a minor unit of {currency}")
        return cls(int(whole), currency)
