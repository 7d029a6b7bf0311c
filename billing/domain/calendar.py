"""Billing dates: calendar days in the plan's time zone, each computed from the anchor, never from the date before.

So 31 January is followed by 28 February and then 31 March, and a clock change moves no later date (design section 4).
"""

import calendar as gregorian
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class IntervalUnit(StrEnum):
    """The calendar unit a plan repeats by."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


MAX_COUNT = {IntervalUnit.DAY: 1095, IntervalUnit.WEEK: 156, IntervalUnit.MONTH: 36, IntervalUnit.YEAR: 3}
"""The longest interval, per unit: three years."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The distance from one cycle to the next; `str()` reads "every month", "every 3 months".

    Raises:
        ValueError: a count under 1 or beyond three years.
    """

    unit: IntervalUnit
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_COUNT[self.unit]:
            raise ValueError(f"interval count must be 1 to {MAX_COUNT[self.unit]} {self.unit}s, got {self.count}")

    def __str__(self) -> str:
        return f"every {self.unit}" if self.count == 1 else f"every {self.count} {self.unit}s"


LAST_DAY = date(9998, 12, 31)
"""Where the calendar ends for us: a year before it does for Python, so that no time zone leads beyond that."""

_FIRST_INSTANT = datetime(1, 1, 3, tzinfo=UTC)
_LAST_INSTANT = datetime.combine(LAST_DAY, time(), tzinfo=UTC)


def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        ValueError: no such zone; the reasons that zoneinfo gives (KeyError, OSError, ValueError) become this one.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"unknown time zone {name!r}") from error


def local_time(instant: datetime, zone: str) -> datetime:
    """An aware instant as a zone reads it; at the very ends of the calendar, the nearest one that every zone has.

    Raises:
        ValueError: no such zone.
    """
    return min(max(instant, _FIRST_INSTANT), _LAST_INSTANT).astimezone(time_zone(zone))


@dataclass(frozen=True, slots=True)
class Anchor:
    """The local calendar day and wall time of the first due instant, and the zone they are read in.

    Raises:
        ValueError: an unknown zone, or a wall time that carries a zone of its own, a fold, or parts of a second
            (PortOne's schedule_at is whole seconds, facts.md 2.6).
    """

    day: date
    wall_time: time
    zone: str

    def __post_init__(self) -> None:
        time_zone(self.zone)
        if self.wall_time.tzinfo is not None or self.wall_time.microsecond or self.wall_time.fold:
            raise ValueError(f"wall_time must be a plain local time in whole seconds, got {self.wall_time!r}")

    @classmethod
    def at(cls, instant: datetime, zone: str) -> "Anchor":
        """The anchor of a subscription whose first cycle falls due at `instant`, cut to the second.

        In the hour that a clock change repeats, the second passage is anchored like the first one. An instant at the
        ends of the calendar counts as the nearest one that every zone can be read at.

        Raises:
            ValueError: an unknown zone, or a naive instant.
        """
        if instant.utcoffset() is None:
            raise ValueError(f"instant must be aware, got {instant.isoformat()}")
        local = local_time(instant, zone)
        return cls(local.date(), local.time().replace(microsecond=0, fold=0), zone)


def _days_later(day: date, days: int) -> date:
    return date.fromordinal(min(day.toordinal() + days, LAST_DAY.toordinal()))


def _months_later(day: date, months: int) -> date:
    year, month_index = divmod(day.year * 12 + day.month - 1 + months, 12)
    month = month_index + 1
    if year > LAST_DAY.year:
        return LAST_DAY
    return date(year, month, min(day.day, gregorian.monthrange(year, month)[1]))


def cycle_date(anchor: Anchor, interval: Interval, cycle: int) -> date:
    """The local calendar day on which a cycle falls due; cycle 1 is the anchor day.

    A day that the month does not have becomes its last one (31 January, 28 February, 31 March), and a yearly
    29 February comes back in leap years. What lies beyond the calendar is its LAST_DAY.

    Raises:
        ValueError: a cycle under 1.
    """
    if cycle < 1:
        raise ValueError(f"cycles are counted from 1, got {cycle}")
    steps = (cycle - 1) * interval.count
    match interval.unit:
        case IntervalUnit.DAY:
            return _days_later(anchor.day, steps)
        case IntervalUnit.WEEK:
            return _days_later(anchor.day, 7 * steps)
        case IntervalUnit.MONTH:
            return _months_later(anchor.day, steps)
        case IntervalUnit.YEAR:
            return _months_later(anchor.day, steps * 12)


def cycle_due(anchor: Anchor, interval: Interval, cycle: int) -> datetime:
    """The UTC instant at which a cycle falls due: the anchor's wall time on the cycle's day.

    A wall time that a clock change skips moves forward by the change (02:30 becomes 03:30); one that it repeats
    means its first passage (anchors/reliability.md F45).

    Raises:
        ValueError: a cycle under 1.
    """
    local = datetime.combine(cycle_date(anchor, interval, cycle), anchor.wall_time, tzinfo=time_zone(anchor.zone))
    return local.astimezone(UTC)


def before_the_first(anchor: Anchor, interval: Interval) -> datetime:
    """The UTC instant one interval before cycle 1: where the period that ends with it began.

    Raises:
        OverflowError, ValueError: a day before the year 1.
    """
    match interval.unit:
        case IntervalUnit.DAY:
            day = anchor.day - timedelta(days=interval.count)
        case IntervalUnit.WEEK:
            day = anchor.day - timedelta(weeks=interval.count)
        case IntervalUnit.MONTH:
            day = _months_later(anchor.day, -interval.count)
        case IntervalUnit.YEAR:
            day = _months_later(anchor.day, -12 * interval.count)
    return datetime.combine(day, anchor.wall_time, tzinfo=time_zone(anchor.zone)).astimezone(UTC)
