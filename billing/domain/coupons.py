"""A coupon: what it takes off the price of a period, and for how many periods."""

from dataclasses import dataclass
from enum import StrEnum

from billing.domain.money import MAX_AMOUNT, Money

MAX_NAME_LENGTH = 40
MAX_PERCENT = 100


class CouponDuration(StrEnum):
    """For how many billed periods a coupon counts, in Stripe's words."""

    ONCE = "once"
    REPEATING = "repeating"
    FOREVER = "forever"


@dataclass(frozen=True, slots=True)
class Coupon:
    """A discount with an end; either a percentage or an amount.

    Args:
        name: what the customer sees on the bill, 1 to 40 characters.
        percent_off: 1 to 100, of the price of the whole quantity; rounded down to whole minor units.
        amount_off: taken off the price of the whole quantity once a period, in the plan's currency.
        duration: for the first period it meets, for `duration_cycles` of them, or for all.
        duration_cycles: 1 or more, given exactly when the duration is `repeating`.

    Raises:
        ValueError: naming the field outside its range.
    """

    name: str
    percent_off: int | None = None
    amount_off: Money | None = None
    duration: CouponDuration = CouponDuration.ONCE
    duration_cycles: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME_LENGTH:
            raise ValueError(f"name length must be 1 to {MAX_NAME_LENGTH}, got {len(self.name)}")
        if (self.percent_off is None) == (self.amount_off is None):
            raise ValueError("a coupon takes off either percent_off or amount_off")
        if self.percent_off is not None and not 1 <= self.percent_off <= MAX_PERCENT:
            raise ValueError(f"percent_off must be 1 to {MAX_PERCENT}, got {self.percent_off}")
        if self.amount_off is not None and not 1 <= self.amount_off.amount <= MAX_AMOUNT:
            raise ValueError(f"amount_off must be 1 to {MAX_AMOUNT}, got {self.amount_off.amount}")
        if (self.duration is CouponDuration.REPEATING) != (self.duration_cycles is not None):
            raise ValueError("duration_cycles is given exactly when the duration is repeating")
        if self.duration_cycles is not None and self.duration_cycles < 1:
            raise ValueError(f"duration_cycles must be 1 or more, got {self.duration_cycles}")

    def discount(self, price: Money) -> Money:
        """What comes off `price`, from nothing to all of it.

        Raises:
            ValueError: a negative price, or one in another currency than `amount_off`.
        """
        if price.amount < 0:
            raise ValueError(f"a price under 0 has no discount, got {price.amount}")
        if self.amount_off is not None:
            return self.amount_off if (price - self.amount_off).amount > 0 else price
        return Money(price.amount * (self.percent_off or 0) // MAX_PERCENT, price.currency)

    def applies(self, cycles_used: int) -> bool:
        """True when a period after `cycles_used` periods that were billed with it is billed with it too.

        Raises:
            ValueError: a negative count.
        """
        if cycles_used < 0:
            raise ValueError(f"cycles_used must be 0 or more, got {cycles_used}")
        match self.duration:
            case CouponDuration.ONCE:
                return cycles_used < 1
            case CouponDuration.REPEATING:
                return cycles_used < (self.duration_cycles or 0)
            case CouponDuration.FOREVER:
                return True
