"""When a declined charge is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.domain.instants import require_utc

MAX_ATTEMPTS = 15


@dataclass(frozen=True, slots=True)
class RetryLadder:
    """The days between one failed attempt of a cycle and the next.

    `after_days[n]` lies between failed attempt n+1 and attempt n+2: (1, 3, 5, 7) tries on day 0, 1, 4, 9 and 16.
    An empty ladder never tries again. At most 15 attempts, the card schemes' limit for 30 days (anchors/billing.md
    section 2c).

    Raises:
        ValueError: a distance under a day, or more attempts than the schemes allow.
    """

    after_days: tuple[int, ...] = (1, 3, 5, 7)

    def __post_init__(self) -> None:
        if any(days < 1 for days in self.after_days):
            raise ValueError(f"after_days must be one day or more each, got {self.after_days}")
        if len(self.after_days) >= MAX_ATTEMPTS:
            raise ValueError(f"at most {MAX_ATTEMPTS - 1} retries, got {len(self.after_days)}")

    def next_attempt_at(self, failed_attempts: int, failed_at: datetime) -> datetime | None:
        """The UTC instant of the next attempt, None when the ladder is exhausted.

        Args:
            failed_attempts: how many attempts of this cycle failed, 1 or more; a retry asked for by hand is not
                counted by the caller, so it does not spend the budget.
            failed_at: when the last of them failed, aware UTC.

        Raises:
            ValueError: no attempt failed yet, or `failed_at` is not UTC.
        """
        require_utc("failed_at", failed_at)
        if failed_attempts < 1:
            raise ValueError(f"failed_attempts must be 1 or more, got {failed_attempts}")
        if failed_attempts > len(self.after_days):
            return None
        return failed_at + timedelta(days=self.after_days[failed_attempts - 1])
