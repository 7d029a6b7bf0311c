"""Where the periods lie: the anchor they are counted from, the one that runs, a trial, a part of one."""

from datetime import datetime

from pydantic import BaseModel

from billing.domain.calendar import Anchor
from billing.domain.subscription.skipped import Skipped


class Periods(BaseModel):
    """Where the periods lie.

    `first_cycle` is the cycle that is due at the anchor: a pause, a skipped period or another interval sets a new one.
    `start` and `end` are of the period that was paid for last. `counts_from` is where its days are counted from, where
    that is not its start: it was entered in the middle, or stood still during a pause. `paid_days` of the open period
    are not charged, since it is entered in its middle: at a resume on the old billing day, or at a start with a chosen
    one. `skipped` are those that nothing is charged for.
    """

    anchor: Anchor
    first_cycle: int = 1
    start: datetime | None = None
    end: datetime | None = None
    counts_from: datetime | None = None
    paid_days: int = 0
    trial_ends_at: datetime | None = None
    skipped: Skipped | None = None

    def anchor_at(self, anchor: Anchor, cycle: int) -> None:
        """Count the periods from another anchor, at which `cycle` is due."""
        self.anchor, self.first_cycle = anchor, cycle

    def enter(self, start: datetime, end: datetime) -> None:
        """A period runs."""
        self.start, self.end = start, end

    def count_days_from(self, at: datetime | None) -> None:
        """Count the days of the running period from `at`; None counts them from its start."""
        self.counts_from = at

    def end_trial_at(self, at: datetime) -> None:
        """The trial ends at `at`, and with it the period that runs."""
        self.end = self.trial_ends_at = at

    def trial_is_over(self) -> None:
        """No trial runs any more."""
        self.trial_ends_at = None

    def move(self, end: datetime) -> None:
        """Move the whole running period, so that it ends at `end` and its days keep their worth."""
        if self.start is None or self.end is None:
            return
        by = end - self.end
        self.start, self.end = self.start + by, end
        if self.counts_from is not None:
            self.counts_from += by

    def leave_out(self, paid_days: int) -> None:
        """So many days of the open period are not charged."""
        self.paid_days = paid_days

    def put_off(self, periods: int) -> None:
        """The open period comes so many periods later, or earlier where that is negative; the anchor stays."""
        self.first_cycle -= periods

    def skip(self, skipped: Skipped | None) -> None:
        """These periods are skipped; None where none is."""
        self.skipped = skipped
