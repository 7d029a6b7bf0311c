"""What is to be subscribed to instead: plan, quantity and coupon, or one of them."""

from billing.domain.coupons import Coupon
from billing.domain.message import Message
from billing.domain.plans import PlanTerms
from billing.domain.proration import ProrationMode
from billing.domain.records import PendingChange
from billing.domain.subscription.choices import When


class ItemsChange(Message):
    """Another plan, quantity or coupon; what is None stays as it is, or as a change that waits has it.

    With `now` it takes the place of a change that waits.
    """

    plan: PlanTerms | None = None
    quantity: int | None = None
    coupon: Coupon | None = None
    without_coupon: bool = False
    at: When = When.PERIOD_END
    proration: ProrationMode = ProrationMode.PRORATE

    def instead_of(self, held: PendingChange, pending: PendingChange | None) -> PendingChange:
        """What is held after it, whole; what it does not name stays as it is, or as a pending change has it.

        A change that takes effect at once replaces what is held, not what is pending.
        """
        base = (pending or held) if self.at is When.PERIOD_END else held
        coupon = None if self.without_coupon else self.coupon or base.coupon
        anew = self.coupon is not None or (base.coupon_anew and coupon is not None)
        return PendingChange(self.plan or base.plan, self.quantity or base.quantity, coupon, anew)
