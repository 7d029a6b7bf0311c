"""How far a request may reach: the bounds within which everything here can be computed, all in one place.

The api refuses what lies beyond them and names field and bound; the workflows refuse it once more, for whoever speaks
to Temporal directly. Each check answers the words of a refusal, or None.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from billing.domain.calendar import check_billing_day, time_zone
from billing.domain.coupons import Coupon
from billing.domain.plans import PlanTerms

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Between these lies every instant that is named to us: any zone, any period and any notice fits behind them."""

MAX_PAUSE_DAYS = 1_095
"""How far ahead a pause may end by itself: as long as the longest period."""

MAX_SKIPPED_PERIODS = 120
"""Periods skipped before the next charge: ten years of months, as far as a pause may reach."""

MAX_CYCLES = 9_999
"""Periods of a fixed term, and of a coupon."""

MAX_QUANTITY = 100_000

MAX_METADATA, MAX_METADATA_KEY, MAX_METADATA_VALUE = 50, 40, 500
"""Entries, and characters of a key and of a value: Stripe's."""

MAX_REASON = 200
MAX_WHO = 80
MAX_LOCALE, MAX_IP, MAX_USER_AGENT = 35, 45, 400
"""Characters of who did something and why, and of where a consent came from."""

# Names of zoneinfo that mean another zone on another machine, or none at all.
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory", "leapseconds", "tzdata.zi"})
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}\Z")
_LINES = str.maketrans("", "", "\n\r\t")


def instant_fault(instant: datetime) -> str | None:
    """What is wrong with an instant that somebody named."""
    if instant.utcoffset() != timedelta(0):
        return "must be an instant in UTC"
    if not EARLIEST <= instant < LATEST:
        return f"must lie between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d}"
    return None


def ahead_fault(instant: datetime, now: datetime, days: int) -> str | None:
    """What is wrong with an instant that must come within so many days."""
    return None if instant <= now + timedelta(days=days) else f"must lie at most {days} days ahead"


def text_fault(text: str, longest: int, *, lines: bool = False) -> str | None:
    """What is wrong with a text for people: no control characters, no halves of characters; line ends if allowed."""
    if len(text) > longest:
        return f"is too long: the limit is {longest} characters"
    if not (text.translate(_LINES) if lines else text).isprintable():
        return "must not have control characters"
    return None


@cache
def zone_names() -> frozenset[str]:
    """The names of IANA's time zones, as this machine knows them."""
    return frozenset(name for name in available_timezones() if _ZONE.match(name) and name not in _NO_ZONES)


def zone_fault(name: str) -> str | None:
    """What is wrong with the name of a time zone; asked of the name, so that every machine says the same."""
    if not _ZONE.match(name) or name in _NO_ZONES or name.startswith(("posix/", "right/")):
        return "is not an IANA time zone"
    try:
        time_zone(name)
    except ValueError:
        return "is not an IANA time zone"
    return None


def number_fault(number: int | None, low: int, high: int) -> str | None:
    """What is wrong with a number that has to lie between two others, or be None."""
    return None if number is None or low <= number <= high else f"must be {low} to {high}"


def metadata_fault(metadata: Mapping[str, str]) -> str | None:
    """What is wrong with a caller's own notes."""
    if len(metadata) > MAX_METADATA:
        return f"has too many entries: the limit is {MAX_METADATA}"
    for key, value in metadata.items():
        fault = text_fault(key, MAX_METADATA_KEY) or (None if key else "must not be empty")
        if fault is not None:
            return f"a key {fault}"
        if (fault := text_fault(value, MAX_METADATA_VALUE, lines=True)) is not None:
            return f"a value {fault}"
    return None


def plan_fault(terms: PlanTerms) -> tuple[str, str] | None:
    """(field, what is wrong with it) of the terms of a plan, beyond what they check themselves."""
    return _first(
        ("plan.name", text_fault(terms.name, len(terms.name))),
        ("plan.time_zone", zone_fault(terms.zone)),
        ("plan.max_cycles", number_fault(terms.max_cycles, 1, MAX_CYCLES)),
        ("plan.version", number_fault(terms.version, 1, 2**31 - 1)),
    )


def billing_day_fault(billing_day: int, terms: PlanTerms) -> str | None:
    """What is wrong with a day of the month as the billing day of a plan."""
    try:
        check_billing_day(billing_day, terms.interval)
    except ValueError as error:
        return str(error)
    return None


def coupon_fault(coupon: Coupon) -> tuple[str, str] | None:
    """(field, what is wrong with it) of a coupon, beyond what it checks itself."""
    return _first(
        ("coupon.name", text_fault(coupon.name, len(coupon.name))),
        ("coupon.duration_cycles", number_fault(coupon.duration_cycles, 1, MAX_CYCLES)),
    )


def _first(*checked: tuple[str, str | None]) -> tuple[str, str] | None:
    return next(((field, fault) for field, fault in checked if fault is not None), None)
