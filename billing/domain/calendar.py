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


LONGEST_MONTH = 31
"""Days, and the last day of the month that can be chosen as the billing day."""

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

    Args:
        day: of cycle 1.
        wall_time: of every cycle.
        zone: IANA name.
        billing_day: the day of the month that was chosen, where one was: the day of cycle 1 is that one, or the last
            of a month that does not have it. None counts from `day` itself.

    Raises:
        ValueError: an unknown zone, a billing day that the day is not on, or a wall time that carries a zone of its
            own, a fold, or parts of a second (PortOne's schedule_at is whole seconds, facts.md 2.6).
    """

    day: date
    wall_time: time
    zone: str
    billing_day: int | None = None

    def __post_init__(self) -> None:
        time_zone(self.zone)
        if self.billing_day is not None:
            check_billing_day(self.billing_day)
            if self.day != _months_later(self.day, 0, self.billing_day):
                raise ValueError(f"{self.day} is not on billing day {self.billing_day}")
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


def _months_later(day: date, months: int, billing_day: int | None = None) -> date:
    """So many months later, on the same day of the month or on the billing day; the last one where there is no such."""
    year, month_index = divmod(day.year * 12 + day.month - 1 + months, 12)
    month = month_index + 1
    if year > LAST_DAY.year:
        return LAST_DAY
    return date(year, month, min(billing_day or day.day, gregorian.monthrange(year, month)[1]))


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
            return _months_later(anchor.day, steps, anchor.billing_day)
        case IntervalUnit.YEAR:
            return _months_later(anchor.day, steps * 12, anchor.billing_day)


def cycle_due(anchor: Anchor, interval: Interval, cycle: int) -> datetime:
    """The UTC instant at which a cycle falls due: the anchor's wall time on the cycle's day.

    A wall time that a clock change skips moves forward by the change (02:30 becomes 03:30); one that it repeats
    means its first passage (anchors/reliability.md F45).

    Raises:
        ValueError: a cycle under 1.
    """
    local = datetime.combine(cycle_date(anchor, interval, cycle), anchor.wall_time, tzinfo=time_zone(anchor.zone))
    return local.astimezone(UTC)


def check_billing_day(billing_day: int, interval: Interval | None = None) -> None:
    """Whether a day of the month can be chosen as the billing day, of a plan with that interval.

    Raises:
        ValueError: not 1 to 31, or a plan of days or weeks, which knows no day of the month.
    """
    if not 1 <= billing_day <= LONGEST_MONTH:
        raise ValueError(f"must be 1 to {LONGEST_MONTH}")
    if interval is not None and interval.unit not in (IntervalUnit.MONTH, IntervalUnit.YEAR):
        raise ValueError(f"is a day of the month: not with a plan of {interval.unit}s")


def anchor_on(at: datetime, zone: str, interval: Interval, billing_day: int | None) -> Anchor:
    """The anchor of periods on that day of every month that they meet, laid so that `at` is in the first of them.

    On the billing day itself the first period begins at `at`. Otherwise it ends with the next such day, in this month
    or the next one, also where the interval is longer, and `at` is in its midst: its days before that are not billed.

    Raises:
        ValueError: an unknown zone, a naive instant, or as `check_billing_day`.
    """
    start = Anchor.at(at, zone)
    if billing_day is None:
        return start
    check_billing_day(billing_day, interval)
    first = _months_later(start.day, 0, billing_day)
    if first != start.day:
        ends = first if first > start.day else _months_later(start.day, 1, billing_day)
        months = interval.count * (12 if interval.unit is IntervalUnit.YEAR else 1)
        first = _months_later(ends, -months, billing_day)
    return Anchor(first, start.wall_time, zone, billing_day)


def days_later(at: datetime, days: int, zone: str) -> datetime:
    """The same wall time so many calendar days later in that zone, or earlier; in UTC.

    Raises:
        ValueError: an unknown zone.
    """
    local = at.astimezone(time_zone(zone)).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=time_zone(zone)).astimezone(UTC)


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
