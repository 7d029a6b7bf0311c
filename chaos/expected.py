"""The expected book: when each period of a life is due and what it costs, from what was asked and how it was answered.

Written apart from the product, with months counted by hand, so that one mistake cannot stand on both sides.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from chaos.books import Due

SEOUL = timezone(timedelta(hours=9))
"""Korea has had no summer time since 1988."""

_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2


def month_days(year: int, month: int) -> int:
    """How many days a month has."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == _FEBRUARY and leap else _DAYS[month - 1]


def months_after(anchor: datetime, months: int) -> datetime:
    """So many months after an instant, by the calendar of Seoul: the same day, or the month's last one."""
    local = anchor.astimezone(SEOUL)
    year, month = local.year, local.month
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    day = min(local.day, month_days(year, month))
    return local.replace(year=year, month=month, day=day).astimezone(UTC)


@dataclass(slots=True)
class _Count:
    """From a period on: its instant, and how the later ones are counted."""

    period: int
    anchor: datetime


@dataclass(slots=True)
class ExpectedLife:
    """One life, from what its caller was told; `uncertain_from` is where nobody can say any more.

    `terminated_at` is when an operator ended its run, which ends nothing that is due.
    """

    life: str
    price: int
    counts: list[_Count] = field(default_factory=list)
    prices: list[tuple[datetime, int]] = field(default_factory=list)
    credits: dict[int, int] = field(default_factory=dict)
    ends_at: datetime | None = None
    ends_at_period_end: bool = False
    terminated_at: datetime | None = None
    paused_at: datetime | None = None
    uncertain_from: datetime | None = None

    def begins(self, first_due: datetime) -> None:
        """The first period is due then; in a trial that is its end."""
        self.counts = [_Count(1, first_due)]

    def goes_on_with(self, period: int, at: datetime) -> None:
        """From this period on the days are counted anew."""
        self.counts = [*(count for count in self.counts if count.period < period), _Count(period, at)]
        self.paused_at = None

    def resumes(self, following: int, begun: datetime, end: datetime) -> None:
        """After a pause: on with the period that is paid for, or at once with the next one, if that was refunded."""
        if following > 1 and self.due_of(following - 1) > begun:
            self.goes_on_with(following - 1, begun)
        self.goes_on_with(following, end)

    def costs(self, price: int, since: datetime) -> None:
        """Periods that are due after `since` cost this."""
        self.prices.append((since, price))

    def doubt(self, at: datetime) -> None:
        """A command was not answered for good: what is due after it nobody can say from outside."""
        self.uncertain_from = min(self.uncertain_from or at, at)

    def due_of(self, period: int) -> datetime:
        """When a period is due."""
        count = max((each for each in self.counts if each.period <= period), key=lambda each: each.period)
        return months_after(count.anchor, period - count.period)

    def next_due(self, after: datetime) -> datetime:
        """The first instant after this one at which a period is due."""
        period = 1
        while (due := self.due_of(period)) <= after:
            period += 1
        return due

    def due(self, now: datetime) -> list[Due]:
        """Every period that is due by now; a payment that comes late moves nothing."""
        found, period = [], 1
        while self.counts and (at := self.due_of(period)) <= now:
            limits = (self.ends_at, self.paused_at, self.uncertain_from)
            if any(limit is not None and at >= limit for limit in limits):
                break
            found.append(Due(self.life, period, at, self._price_at(at) - self.credits.get(period, 0)))
            period += 1
        return found

    def _price_at(self, at: datetime) -> int:
        known = [price for since, price in self.prices if since < at]
        return known[-1] if known else self.price
