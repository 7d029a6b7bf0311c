"""Refunds that a subscription makes by itself, one after the other, and for whom."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from billing.domain.money import Money
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.subscription.answers import CancelAnswered
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.parked_items import ParkedItem


class RefundUnderWay(BaseModel):
    """A refund that a workflow of its own makes: of which order, and what came of it when that is over.

    `returned` is what PortOne had given back of the payment before, in minor units.
    """

    refund: StartRefund
    amount: Money
    returned: int = 0
    settled: RefundSettled | None = None

    def is_settled(self, settled: RefundSettled) -> None:
        """It has come to its end."""
        self.settled = settled


class RefundsFor(BaseModel):
    """For whom refunds are made: a cancel, with all of its answer but them, or a person's decision."""

    reason: str
    cancel: CancelAnswered | None = None
    decision: DecisionTaken | None = None
    item: ParkedItem | None = None


class Refunds(BaseModel):
    """Refunds under way, and `whom` they are for.

    `begun` says that the next one is being made, so that only its outcome is waited for. `at` is when the next one is
    begun, where another refund of its order was being made, after `tries` in vain. Whoever waits for all of them is
    answered at `tell_at` what is known by then.
    """

    under_way: list[RefundUnderWay] = []
    whom: RefundsFor | None = None
    begun: bool = False
    at: datetime | None = None
    tries: int = 0
    tell_at: datetime | None = None

    def begin(self, refunds: Sequence[RefundUnderWay], whom: RefundsFor, tell_at: datetime) -> None:
        """These are made, one after the other."""
        self.under_way, self.whom = list(refunds), whom
        self.at, self.tries, self.tell_at = None, 0, tell_at

    def next(self) -> RefundUnderWay | None:
        """The one that is made next, or is being made."""
        return next((each for each in self.under_way if each.settled is None), None)

    def is_being_made(self) -> None:
        """The next one is being made."""
        self.begun, self.at = True, None

    def try_again(self, at: datetime) -> None:
        """Another refund of its order is being made: it is begun again at `at`."""
        self.at = at
        self.tries += 1

    def settle(self, settled: RefundSettled) -> None:
        """The one that was being made has come to its end."""
        current = self.next()
        if current is not None:
            current.is_settled(settled)
        self.begun, self.at, self.tries = False, None, 0

    def is_told(self) -> None:
        """Whoever waited was answered."""
        self.tell_at = None

    def are_over(self) -> list[RefundUnderWay]:
        """All of them are over: answers them, and none is under way any more."""
        refunds, self.under_way, self.whom = self.under_way, [], None
        return refunds
