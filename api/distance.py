"""How far a test clock is moved, in the same words on the command line and over HTTP: `31d`, or ISO 8601's `P1Y2M`."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FARTHEST = timedelta(days=36_600)
"""A hundred years: as far as a clock can be moved at once."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SHORT = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_ISO = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,6})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,9})S)?)?",
    re.ASCII,
)
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Distance:
    """Calendar months, then a duration."""

    months: int
    rest: timedelta

    def after(self, start: datetime) -> datetime:
        """The instant this far after `start`, by the calendar of UTC; a day that a month has not is its last day.

        Raises:
            ValueError: farther than a clock can be moved.
        """
        start = start.astimezone(UTC)
        years, month = divmod(start.month - 1 + self.months, _MONTHS)
        try:
            last = calendar.monthrange(start.year + years, month + 1)[1]
            there = start.replace(year=start.year + years, month=month + 1, day=min(start.day, last)) + self.rest
        except (ValueError, OverflowError):
            raise ValueError(_TOO_FAR) from None
        if there - start > FARTHEST:
            raise ValueError(_TOO_FAR)
        return there


def read_distance(text: str) -> Distance:
    """A distance such as 31d, 12h, P1Y or P1M10DT6H.

    Raises:
        ValueError: anything else, nothing at all, or more than a hundred years.
    """
    text = text.strip()
    if (short := _SHORT.fullmatch(text)) is not None:
        distance = Distance(0, timedelta(**{_UNITS[short[2]]: int(short[1])}))
    elif (iso := _ISO.fullmatch(text)) is not None:
        years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
        rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        distance = Distance(years * _MONTHS + months, rest)
    else:
        raise ValueError("must be a number and one of s, m, h, d, w, or an ISO 8601 duration: 31d, P1Y")
    if not distance.months and not distance.rest:
        raise ValueError("must be longer than nothing")
    if timedelta(days=distance.months * 30.44) + distance.rest > FARTHEST:
        raise ValueError(_TOO_FAR)
    return distance


_TOO_FAR = "must be at most a hundred years"
