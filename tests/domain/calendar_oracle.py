"""The calendar again, by other means: days are walked one by one, and offsets are read from the rule books."""

from datetime import UTC, date, datetime, timedelta, timezone

FIRST_DAY = date(2024, 1, 1)
LAST_DAY = date(2060, 12, 31)
DAYS = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
MONTHS: list[list[date]] = []
for _day in DAYS:
    if _day.day == 1:
        MONTHS.append([])
    MONTHS[-1].append(_day)


def month_days(anchor: date, every: int):
    """The due days of an anchor, `every` months apart: of each such month, the last day not behind the anchor's."""
    first = next(index for index, month in enumerate(MONTHS) if anchor in month)
    return [[day for day in month if day.day <= anchor.day][-1] for month in MONTHS[first::every]]


def walked_days(anchor: date, every: int):
    return [day for n, day in enumerate(DAYS[DAYS.index(anchor) :]) if n % every == 0]


def _nth_sunday(year: int, month: int, which: int) -> date:
    sundays = [day for day in (date(year, month, n) for n in range(1, 29)) if day.isoweekday() == 7]
    return sundays[which - 1]


# Energy Policy Act of 2005: from 02:00 on the second Sunday of March to 02:00 on the first Sunday of November.
_SUMMERS = {
    year: (
        datetime.combine(_nth_sunday(year, 3, 2), datetime.min.time()) + timedelta(hours=2),
        datetime.combine(_nth_sunday(year, 11, 1), datetime.min.time()) + timedelta(hours=2),
    )
    for year in range(2024, 2061)
}


def new_york_to_utc(local: datetime) -> datetime:
    """A wall time that does not exist is read with the winter's offset before it, one that exists twice as summer."""
    starts, ends = _SUMMERS[local.year]
    gap_ends = starts + timedelta(hours=1)
    hours = 4 if gap_ends <= local < ends else 5
    return (local + timedelta(hours=hours)).replace(tzinfo=UTC)


def seoul_to_utc(local: datetime) -> datetime:
    """Nine hours, without daylight saving since 1988."""
    return (local - timedelta(hours=9)).replace(tzinfo=UTC)


ORACLES = {"Asia/Seoul": seoul_to_utc, "America/New_York": new_york_to_utc}


def passages(local: datetime, zone) -> list[datetime]:
    """Every instant at which a clock in the zone shows `local`, found by trying all offsets, earliest first."""
    offsets = (timedelta(minutes=15 * n) for n in range(-60, 61))
    instants = sorted(local.replace(tzinfo=timezone(offset)).astimezone(UTC) for offset in offsets)
    return [instant for instant in instants if instant.astimezone(zone).replace(tzinfo=None, fold=0) == local]
