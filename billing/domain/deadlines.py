"""When to look at PortOne although nobody rang: the timer, not the webhook, guarantees progress (design section 3)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from billing.domain.instants import require_utc

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_DEFAULT_LADDER = (
    3 * _MINUTE,
    10 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    6 * _HOUR,
    *(day * _DAY for day in range(1, 6)),
)


@dataclass(frozen=True, slots=True)
class DeadlineLadder:
    """Growing distances from the due instant at which an unannounced charge is looked up.

    Each entry is in seconds, measured from the due instant, not from the look before it: 3 and 10 minutes, half an
    hour, 2 and 6 hours, then 1 to 5 days. PortOne does not say how late a schedule may run (facts.md 3.1).

    Raises:
        ValueError: an empty ladder, or one that does not grow.
    """

    after_seconds: tuple[int, ...] = _DEFAULT_LADDER

    def __post_init__(self) -> None:
        if not self.after_seconds or self.after_seconds[0] <= 0:
            raise ValueError("a deadline ladder starts after the due instant")
        if any(later <= earlier for earlier, later in pairwise(self.after_seconds)):
            raise ValueError("a deadline ladder must grow from step to step")

    @property
    def after(self) -> tuple[timedelta, ...]:
        """The same distances as timedeltas."""
        return tuple(timedelta(seconds=seconds) for seconds in self.after_seconds)

    def look_at(self, due_at: datetime, looks: int) -> datetime:
        """The UTC instant of the next look after `looks` of them; past the end one day apart, without an end.

        Raises:
            ValueError: a negative count, or `due_at` is not UTC.
        """
        require_utc("due_at", due_at)
        if looks < 0:
            raise ValueError(f"looks must be 0 or more, got {looks}")
        last = len(self.after_seconds) - 1
        return due_at + timedelta(seconds=self.after_seconds[min(looks, last)], days=max(0, looks - last))

    def exhausted(self, looks: int) -> bool:
        """True when `looks` looks used the ladder up: time to park the cycle for a person, and go on looking daily."""
        return looks >= len(self.after_seconds)


@dataclass(frozen=True, slots=True)
class QuietWindow:
    """How long, and how often, PortOne must know nothing of a charge before it counts as not executed.

    A slow gateway may still commit a charge whose answer was lost (design section 2): absence counts only in looks
    made `minutes` after sending, `looks` of them, `gap_seconds` apart.

    Raises:
        ValueError: a negative length, or no look at all.
    """

    minutes: int = 10
    looks: int = 2
    gap_seconds: int = 60

    def __post_init__(self) -> None:
        if self.minutes < 0 or self.gap_seconds < 0 or self.looks < 1:
            raise ValueError(f"a quiet window needs time that runs forward and at least one look: {self}")

    def look_at(self, sent_at: datetime, looks: int) -> datetime:
        """The UTC instant of the look that follows `looks` counting looks.

        Raises:
            ValueError: a negative count, or `sent_at` is not UTC.
        """
        require_utc("sent_at", sent_at)
        if looks < 0:
            raise ValueError(f"looks must be 0 or more, got {looks}")
        return sent_at + timedelta(minutes=self.minutes, seconds=self.gap_seconds * looks)

    def counts(self, sent_at: datetime, looked_at: datetime) -> bool:
        """True when a look at `looked_at` lies behind the window; an earlier look proves nothing by absence."""
        return looked_at >= self.look_at(sent_at, 0)

    def proves_absence(self, absent_looks: int) -> bool:
        """True when that many counting looks found nothing: the same number may be sent again."""
        return absent_looks >= self.looks
