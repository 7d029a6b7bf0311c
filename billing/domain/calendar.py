"""When a cycle is due: calendar days in the plan's zone, always from the stored anchor (design section 4).

A date is never computed from the last date: 31 January, 28 February, 31 March.
"""

import calendar as month_lengths
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo


class IntervalUnit(StrEnum):
    """The unit a billing interval is counted in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


MAX_INTERVAL_COUNT = {IntervalUnit.DAY: 365, IntervalUnit.WEEK: 52, IntervalUnit.MONTH: 36, IntervalUnit.YEAR: 3}
"""At most about a year of days or weeks, and three years of months or years, between two charges."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Every `count` days, weeks, months or years.

    Raises:
        ValueError: a count below one or above MAX_INTERVAL_COUNT.
    """

    unit: IntervalUnit
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_INTERVAL_COUNT[self.unit]:
            raise ValueError(f"interval_count must be 1 to {MAX_INTERVAL_COUNT[self.unit]} for {self.unit.value}")

    def __str__(self) -> str:
        return f"every {self.unit.value}" if self.count == 1 else f"every {self.count} {self.unit.value}s"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The local calendar day and wall time of the first due instant, which all later ones are computed from."""

    day: date
    wall_time: time
    zone: str

    @classmethod
    def at(cls, instant: datetime, zone: str) -> Self:
        """The anchor that `instant` (aware) is in `zone`, to the whole second."""
        local = instant.astimezone(ZoneInfo(zone)).replace(microsecond=0)
        return cls(day=local.date(), wall_time=local.time(), zone=zone)


def cycle_date(anchor: Anchor, interval: Interval, cycle: int) -> date:
    """The local calendar day on which `cycle` is due; cycle 1 is the anchor day.

    A day that the month does not have becomes the month's last day; the next month has the anchor day again.
    """
    if cycle < 1:
        raise ValueError("cycles count from 1")
    steps = (cycle - 1) * interval.count
    match interval.unit:
        case IntervalUnit.DAY:
            return anchor.day + timedelta(days=steps)
        case IntervalUnit.WEEK:
            return anchor.day + timedelta(weeks=steps)
        case IntervalUnit.MONTH:
            return _months_later(anchor.day, steps)
        case IntervalUnit.YEAR:
            return _months_later(anchor.day, steps * 12)


def cycle_due(anchor: Anchor, interval: Interval, cycle: int) -> datetime:
    """The instant, in UTC, at which `cycle` is due.

    A wall time that daylight saving skips is shifted forward by the gap; one that occurs twice is taken the first time.
    """
    local = datetime.combine(cycle_date(anchor, interval, cycle), anchor.wall_time, ZoneInfo(anchor.zone))
    # fold=0 reads an overlap as its first occurrence, and a gap with the offset before it, which lands after the gap.
    return local.replace(fold=0).astimezone(UTC)


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    last = month_lengths.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))
