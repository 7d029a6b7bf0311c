"""A cancel: with the end of the period, or as it was answered."""

from pydantic import BaseModel

from billing.domain.subscription.answers import CancelAnswered, ChargeAtOrder
from billing.domain.subscription.orders import OpenOrder


class Cancel(BaseModel):
    """A cancel that was asked for; `answered` is what a cancel that ended the subscription was answered.

    `open_order` is the charge that was taken back, for a cancel or another command, where PortOne had not finished a
    payment of it.
    """

    at_period_end: bool = False
    reason: str | None = None
    open_order: OpenOrder | None = None
    answered: CancelAnswered | None = None

    def comes_with_the_period(self, reason: str | None) -> None:
        """The subscription ends with its period."""
        self.at_period_end, self.reason = True, reason or self.reason

    def meets_an_open_payment(self, order: OpenOrder) -> None:
        """What came of a payment of the charge that was taken back is found out after the end."""
        self.open_order = order

    def has_settled(self, merchant_uid: str) -> None:
        """What an order came to is known: no payment of it is open."""
        if self.open_order is not None and self.open_order.merchant_uid == merchant_uid:
            self.open_order = None

    def take_open_order(self) -> OpenOrder | None:
        """The order whose payment PortOne had not finished, told once."""
        order, self.open_order = self.open_order, None
        return order

    def is_taken_back(self) -> None:
        """It does not end with its period; a payment that was open may be so still."""
        self.at_period_end, self.reason = False, None

    def is_answered(self, answered: CancelAnswered) -> None:
        """What the cancel did, as far as it is known."""
        self.answered = answered

    def charge_came_to(self, charge: ChargeAtOrder) -> None:
        """What was open when it was answered is known now."""
        if self.answered is not None:
            self.answered = self.answered.model_copy(update={"charge": charge})
