"""How far a start has come."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel


class OpeningStep(StrEnum):
    """What a start does next."""

    CARD = "card"
    ISSUE = "issue"
    ISSUE_IN_DOUBT = "issue_in_doubt"
    KEY = "key"
    FIRST_SCHEDULE = "first_schedule"
    OVER = "over"


class Opening(BaseModel):
    """How far a start has come; its step is taken at `at`, or at once."""

    step: OpeningStep = OpeningStep.CARD
    tries: int = 0
    at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has begun, or failed."""
        return self.step is OpeningStep.OVER

    def go_to(self, step: OpeningStep) -> None:
        """This is done next."""
        self.step = step

    def wait_until(self, at: datetime | None) -> None:
        """The step is taken at `at`; None takes it at once."""
        self.at = at

    def try_again(self, at: datetime) -> None:
        """It was tried in vain, and is tried again at `at`."""
        self.at = at
        self.tries += 1
