"""Plans whose days are counted where it is noon now, so that no midnight falls into a test."""

from datetime import UTC, datetime

_HOURS_TO_NOON = 12 - datetime.now(UTC).hour
NOON = f"Etc/GMT{-_HOURS_TO_NOON:+d}"
"""The sign of these zones is the other way round: Etc/GMT-9 is nine hours ahead."""


def thirty_days(amount=9000, name="베이직", **more):
    """A plan of 30 days, so that a day of 9,000 won costs 300 whatever the month."""
    plan = {"name": name, "amount": amount, "interval": "day", "interval_count": 30, "time_zone": NOON}
    return {**plan, **more}


def year(amount=90_000, **more):
    return {**thirty_days(amount, "연간"), "interval": "year", "interval_count": 1, **more}


def coupon(name="쿠폰", **more):
    return {"name": name, "percent_off": 50, "duration": "once", **more}
