"""When a declined charge is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetryLadder:
    """`after_days[n]` days lie between failed attempt n + 1 and the next one."""

    after_days: tuple[int, ...] = (1, 3, 5, 7)

    def next_attempt_at(self, failed_attempts: int, failed_at: datetime) -> datetime | None:
        """The instant of the next attempt after `failed_attempts` failures, or None when the ladder is used up."""
        if not 1 <= failed_attempts <= len(self.after_days):
            return None
        return failed_at + timedelta(days=self.after_days[failed_attempts - 1])
