"""A cancel: with the end of the period, or as it was answered."""

from pydantic import BaseModel

from billing.domain.subscription.answers import CancelAnswered, ChargeAtOrder


class Cancel(BaseModel):
    """A cancel that was asked for; `answered` is what a cancel that ended the subscription was answered.

    `payment_is_open` says that PortOne had not finished a payment of the charge that was taken back for it.
    """

    at_period_end: bool = False
    reason: str | None = None
    payment_is_open: bool = False
    answered: CancelAnswered | None = None

    def comes_with_the_period(self, reason: str | None) -> None:
        """The subscription ends with its period."""
        self.at_period_end, self.reason = True, reason or self.reason

    def meets_an_open_payment(self) -> None:
        """What came of a payment of the charge that was taken back is found out after the end."""
        self.payment_is_open = True

    def is_taken_back(self) -> None:
        """It does not end with its period."""
        self.at_period_end, self.reason, self.payment_is_open = False, None, False

    def is_answered(self, answered: CancelAnswered) -> None:
        """What the cancel did, as far as it is known."""
        self.answered = answered

    def charge_came_to(self, charge: ChargeAtOrder) -> None:
        """What was open when it was answered is known now."""
        if self.answered is not None:
            self.answered = self.answered.model_copy(update={"charge": charge})
