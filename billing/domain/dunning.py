"""When a declined charge is tried again, how long access lasts meanwhile, and what happens at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.declines import DeclineClass
from billing.domain.instants import require_utc
from billing.domain.states import DunningState

MAX_ATTEMPTS = 15
WINDOW_DAYS = 30


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


class EndAction(StrEnum):
    """What becomes of a subscription whose period stays unpaid: ended, kept without access, or left past due."""

    CANCEL = "cancel"
    UNPAID = "unpaid"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class DunningPolicy:
    """How an unpaid period is dealt with; access is counted apart from the retries.

    Args:
        after_days: days between one failed attempt and the next, as in `RetryLadder`.
        grace_days: days of access from the first failure of the period on; 0 takes it away at once.
        end_action: at the end.
        max_attempts: on one card within `window_days`, over all subscriptions; the card schemes allow 15 in 30 days
            (anchors/billing.md section 2c), so a policy can only be stricter.
        window_days: 30 or more.

    Raises:
        ValueError: a distance under a day, more attempts than the schemes allow, or a negative grace.
    """

    after_days: tuple[int, ...] = (1, 3, 5, 7)
    grace_days: int = 7
    end_action: EndAction = EndAction.CANCEL
    max_attempts: int = MAX_ATTEMPTS
    window_days: int = WINDOW_DAYS

    def __post_init__(self) -> None:
        if self.grace_days < 0:
            raise ValueError(f"grace_days must be 0 or more, got {self.grace_days}")
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS or self.window_days < WINDOW_DAYS:
            raise ValueError(
                f"at most {MAX_ATTEMPTS} attempts in {WINDOW_DAYS} days or more, "
                f"got {self.max_attempts} in {self.window_days}"
            )
        if len(self.ladder.after_days) >= self.max_attempts:
            raise ValueError(f"at most {self.max_attempts - 1} retries, got {len(self.after_days)}")

    @property
    def ladder(self) -> RetryLadder:
        """The retries alone."""
        return RetryLadder(self.after_days)

    def next_attempt_at(
        self, decline: DeclineClass, failed_attempts: int, failed_at: datetime, planned: datetime | None = None
    ) -> datetime | None:
        """The UTC instant of the next attempt after a decline; None when none will come before the card changes.

        After a hard decline that is at once, after soft ones when the ladder is exhausted. A changed card is tried at
        once by the caller, and a retry by hand is not counted.

        Args:
            decline: of the last attempt.
            failed_attempts: of this period, 1 or more.
            failed_at: when the last of them failed, UTC.
            planned: an attempt that was planned before the last one, which was made by hand; it is not lost by it.

        Raises:
            ValueError: no attempt failed yet, or `failed_at` is not UTC.
        """
        following = planned or self.ladder.next_attempt_at(failed_attempts, failed_at)
        return None if decline is DeclineClass.HARD else following

    def next_allowed(self, attempts: Sequence[datetime], at: datetime) -> datetime:
        """The earliest UTC instant from `at` on at which one more attempt keeps the card within its budget.

        Args:
            attempts: when the card was charged or tried, whatever came of it, in any order; those that the clock of
                another subscription puts after `at` count too.
            at: when it would be tried, UTC.

        Raises:
            ValueError: an instant that is not UTC.
        """
        require_utc("at", at)
        for attempt in attempts:
            require_utc("attempts", attempt)
        window = timedelta(days=self.window_days)
        counted = sorted(attempt for attempt in attempts if attempt + window > at)
        if len(counted) < self.max_attempts:
            return at
        return counted[-self.max_attempts] + window

    def suspended_at(self, first_failed_at: datetime) -> datetime:
        """The UTC instant at which access ends, counted from the period's first failure; retries do not move it.

        Raises:
            ValueError: `first_failed_at` is not UTC.
        """
        require_utc("first_failed_at", first_failed_at)
        return first_failed_at + timedelta(days=self.grace_days)

    def ends_at(self, first_failed_at: datetime) -> datetime:
        """The UTC instant from which, when no attempt is to come, the end action is due.

        The customer has as long to bring another card after a hard decline as the retries of a soft one take, and
        never less than the grace.

        Raises:
            ValueError: `first_failed_at` is not UTC.
        """
        require_utc("first_failed_at", first_failed_at)
        return first_failed_at + timedelta(days=max(sum(self.after_days), self.grace_days))

    def state_at(
        self, at: datetime, first_failed_at: datetime | None, next_attempt_at: datetime | None
    ) -> DunningState:
        """Where the dunning of a period stands.

        Args:
            at: UTC.
            first_failed_at: the period's first failure; None when nothing failed, or the period was paid since.
            next_attempt_at: the attempt that is planned; None when none is.

        Raises:
            ValueError: an instant that is not UTC.
        """
        require_utc("at", at)
        if first_failed_at is None:
            return DunningState.CLEAR
        if next_attempt_at is None and at >= self.ends_at(first_failed_at):
            return DunningState.ENDED
        if at >= self.suspended_at(first_failed_at):
            return DunningState.SUSPENDED
        return DunningState.GRACE if next_attempt_at is None else DunningState.RETRYING
