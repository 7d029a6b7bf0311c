"""What is subscribed to: plan, quantity and coupon, and the change that waits for the next period."""

from pydantic import BaseModel

from billing.domain.coupons import Coupon
from billing.domain.plans import PlanTerms
from billing.domain.records import PendingChange


class Items(BaseModel):
    """What is subscribed to; a plan of None stands for what the start said.

    `counted_coupon` is the coupon that the running period has used up a cycle of. A pending change comes with the open
    period, or with the cycle `pending_from` where the open one is owed as it is.
    """

    plan: PlanTerms | None = None
    quantity: int = 1
    coupon: Coupon | None = None
    coupon_cycles_used: int = 0
    counted_coupon: Coupon | None = None
    pending: PendingChange | None = None
    pending_from: int | None = None

    def wait_for(self, change: PendingChange, from_cycle: int | None = None) -> None:
        """A change comes with the open period, or with that of `from_cycle`."""
        self.pending, self.pending_from = change, from_cycle

    def drop_pending(self) -> PendingChange | None:
        """The change that waits is forgotten; answers it."""
        change, self.pending = self.pending, None
        return change

    def become(self, items: PendingChange, coupon_cycles_used: int) -> None:
        """Subscribe to something else from now on."""
        self.plan, self.quantity, self.coupon = items.plan, items.quantity, items.coupon
        self.coupon_cycles_used, self.pending = coupon_cycles_used, None

    def use_coupon(self) -> None:
        """A bill has used up one cycle of the coupon."""
        self.coupon_cycles_used += 1

    def count_coupon(self, coupon: Coupon | None) -> None:
        """The running period has used up a cycle of this coupon, or of none."""
        self.counted_coupon = coupon
