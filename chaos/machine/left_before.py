"""What another billing loop has left on a key that a subscription is started on: the shop bills with gudok from now."""

from dataclasses import dataclass

from billing.domain.takeover import TakeOver
from chaos.machine.agreed import PRICE

_PREFIX = "old_"


@dataclass(frozen=True, slots=True)
class LeftBefore:
    """A key that was issued elsewhere, with what was charged and is scheduled on it; amounts in minor units.

    Args:
        paid_days: until when its period is paid, from now on; None where its subscription is charged at once.
        charged: what was taken from it the day before; None where nothing was.
        scheduled: what the old loop has scheduled on it, for when the paid days are over, or for the month after.
        take_over: what the start makes of it.
    """

    paid_days: int | None = None
    charged: int | None = None
    scheduled: int | None = None
    take_over: TakeOver = TakeOver.REFUSE


def order_left(customer_uid: str, what: str) -> str:
    """The order number under which the loop before charges a key."""
    return f"{_PREFIX}{customer_uid}_{what}"


def is_left_before(merchant_uid: str) -> bool:
    """Whether an order is one of the loop before."""
    return merchant_uid.startswith(_PREFIX)


AS_IT_COSTS = PRICE.amount
CHEAPER = 7000
