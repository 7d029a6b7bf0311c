"""What an ended subscription still does: it asks what is left on its key, until nothing is on its way any more."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel

from billing.domain.subscription.in_flight import ask_again_at
from billing.domain.takeover import Standing


class AfterEnd(BaseModel):
    """What an ended subscription still does, at `at` or at once, after `tries` in vain.

    `standing` is what somebody else has scheduled on the key, as it was found at the start or the end; None where
    nobody asked.
    """

    at: datetime | None = None
    tries: int = 0
    standing: list[Standing] | None = None

    def at_once(self) -> None:
        """It is done now."""
        self.at = None

    def try_again(self, now: datetime) -> None:
        """It was tried in vain."""
        self.at = ask_again_at(now, self.tries)
        self.tries += 1

    def one_more_try(self) -> None:
        """Something was tried once more."""
        self.tries += 1

    def begin(self) -> None:
        """The subscription has ended."""
        self.tries = 0

    def found(self, standing: Iterable[Standing]) -> None:
        """What stands on the key."""
        self.standing = list(standing)
