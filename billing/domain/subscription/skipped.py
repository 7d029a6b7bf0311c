"""Periods that are skipped: nothing is charged for them, and nothing is given."""

from datetime import datetime

from pydantic import BaseModel


class Skipped(BaseModel):
    """Skipped periods, one after the other: `periods` of them from `begins_at` on.

    `begun` says that the first of them was written as begun: from then on the service is not given.
    """

    periods: int
    begins_at: datetime
    begun: bool = False

    def more(self, periods: int) -> "Skipped":
        """The same, and so many more; fewer where that is negative."""
        return Skipped(periods=self.periods + periods, begins_at=self.begins_at, begun=self.begun)

    def has_begun(self) -> "Skipped":
        """The first of them has begun."""
        return Skipped(periods=self.periods, begins_at=self.begins_at, begun=True)
