"""Spans of time as PortOne lists them: half-open, so that a row at a border is read once, and not too long."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.domain.instants import require_utc

PAYMENTS_LONGEST = timedelta(days=90)
"""The longest span of GET /payments/status (facts.md 2.8)."""

SCHEDULES_LONGEST = timedelta(days=89)
"""Three months are the most of GET /subscribe/payments/schedule (facts.md 2.7), and the shortest three have 89 days."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start`, which is inside, to `end`, which is not.

    Raises:
        ValueError: an instant that is not aware UTC, or an end that is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        require_utc("start", self.start)
        require_utc("end", self.end)
        if self.end <= self.start:
            raise ValueError(f"a window ends after it starts, got {self.start.isoformat()} to {self.end.isoformat()}")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"

    def split(self, longest: timedelta) -> tuple["Window", ...]:
        """The same span in windows of at most `longest`, in order, each beginning where the one before ends.

        Raises:
            ValueError: a `longest` of under a second, PortOne's unit.
        """
        if longest < timedelta(seconds=1):
            raise ValueError(f"a window has at least a second, got {longest}")
        parts, start = [], self.start
        while start < self.end:
            end = min(start + longest, self.end)
            parts.append(Window(start, end))
            start = end
        return tuple(parts)
