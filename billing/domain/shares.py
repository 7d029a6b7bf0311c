"""The share of a period's amount that falls on some of its days, so that all shares together are the amount again."""

from datetime import datetime

from billing.domain.calendar import time_zone
from billing.domain.instants import require_utc


def share(amount: int, from_day: int, to_day: int, days: int) -> int:
    """The part of `amount` that falls on the days `from_day` to `to_day` (without it) of `days`.

    Each bound is rounded by itself, so shares of adjacent spans add up: `share(a, 0, k) + share(a, k, n)` is
    `share(a, 0, n)`, and the share of all days is the amount. A negative amount gives the same share, negative.

    Args:
        amount: of the whole period, in minor units.
        from_day: first day, counted from 0.
        to_day: the day after the last one.
        days: of the whole period, 1 or more.

    Raises:
        ValueError: no days, or a span that does not lie within them.
    """
    if days < 1 or not 0 <= from_day <= to_day <= days:
        raise ValueError(f"not a span of a period of {days} days: {from_day} to {to_day}")
    if amount < 0:
        return -share(-amount, from_day, to_day, days)
    return amount * to_day // days - amount * from_day // days


def day_of(period_start: datetime, period_end: datetime, at: datetime, zone: str) -> tuple[int, int]:
    """(the day that `at` falls on, counted from 0; the days of the period), by the calendar of `zone`.

    The day of the start is 0, whatever the hour; on the calendar day of the end every day is used up. A period within
    one calendar day counts as one day.

    Raises:
        ValueError: an instant that is not UTC, a period that does not run forward, `at` outside it, or an unknown zone.
    """
    for name, instant in (("period_start", period_start), ("period_end", period_end), ("at", at)):
        require_utc(name, instant)
    if not period_start <= at <= period_end or period_start == period_end:
        raise ValueError(f"{at.isoformat()} is not in {period_start.isoformat()} to {period_end.isoformat()}")
    local = time_zone(zone)
    first, last, day = (instant.astimezone(local).date() for instant in (period_start, period_end, at))
    return (day - first).days, max(1, (last - first).days)
