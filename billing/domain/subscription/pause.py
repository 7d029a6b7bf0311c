"""A pause: nothing is charged until somebody resumes, or until the day that was named."""

from datetime import datetime

from pydantic import BaseModel

from billing.domain.subscription.choices import ResumeAnchor


class Pause(BaseModel):
    """A pause that was asked for, or that runs: `since` is when it began, None while it does not run."""

    at_period_end: bool = False
    since: datetime | None = None
    resumes_at: datetime | None = None
    anchor: ResumeAnchor = ResumeAnchor.NEW

    def ends_by_itself(self, at: datetime | None, anchor: ResumeAnchor) -> None:
        """It ends at `at`, on that billing day; None leaves it to somebody."""
        self.resumes_at, self.anchor = at, anchor

    def comes_with_the_period(self) -> None:
        """It begins with the end of the running period."""
        self.at_period_end = True

    def is_taken_back(self) -> None:
        """It will not come, or not by itself."""
        self.at_period_end, self.resumes_at = False, None

    def begin(self, at: datetime) -> None:
        """It runs from now on."""
        self.since, self.at_period_end = at, False

    def its_day_has_come(self) -> None:
        """The day that was named is here: it does not come again."""
        self.resumes_at = None

    def resumes_on(self, at: datetime | None) -> None:
        """The day that was named is this one after all."""
        self.resumes_at = at

    def is_over(self) -> None:
        """It runs no more."""
        self.since = None
