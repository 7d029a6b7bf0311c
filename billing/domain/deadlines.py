"""When to look though nobody rang: the timer, not the webhook, guarantees progress (design section 3)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class DeadlineLadder:
    """Looks at growing distances, in seconds after the due instant; then once a day, for as long as it takes.

    PortOne does not say how late a schedule may run (facts.md 3.1), so the first look leaves it three minutes,
    and the later ones follow Kill Bill's janitor: minutes, hours, then days.
    """

    after_seconds: tuple[int, ...] = (
        3 * _MINUTE,
        10 * _MINUTE,
        30 * _MINUTE,
        2 * _HOUR,
        6 * _HOUR,
        1 * _DAY,
        2 * _DAY,
        3 * _DAY,
        4 * _DAY,
        5 * _DAY,
    )

    def look_at(self, due_at: datetime, looks: int) -> datetime:
        """The instant of the next look after `looks` looks that found nothing."""
        last = len(self.after_seconds) - 1
        days_beyond = max(0, looks - last)
        return due_at + timedelta(seconds=self.after_seconds[min(looks, last)], days=days_beyond)

    def exhausted(self, looks: int) -> bool:
        """Whether the ladder is used up, so that a person must be told; the daily looks go on."""
        return looks >= len(self.after_seconds)


@dataclass(frozen=True, slots=True)
class QuietWindow:
    """How long absence proves nothing: a slow gateway may still commit what it never answered (reliability.md D3).

    After `minutes` since the sending, `looks` look-ups `gap_seconds` apart must all find nothing
    before the same order number may be sent again.
    """

    minutes: int = 10
    looks: int = 2
    gap_seconds: int = 60
