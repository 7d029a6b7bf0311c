"""A chosen billing day: a short first period that is charged for its days, then whole ones from that day."""

import calendar as gregorian
from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.shares import share
from tests.journeys.cards import GOOD, SOFT, number
from tests.journeys.plans import NOON, paid

PRICE = 31_000


def monthly(amount=PRICE, **more):
    plan = {"name": "월간 이용권", "amount": amount, "interval": "month", "interval_count": 1, "time_zone": NOON}
    return {**plan, **more}


def short(start, next_day):
    """The days to the next billing day, and those of the whole period that ends with it."""
    month = next_day.month - 1 or 12
    days = gregorian.monthrange(next_day.year - (month == 12), month)[1]
    return (next_day - start).days, days


def in_twelve_days(start):
    """A day about twelve days ahead that every month has."""
    day = start + timedelta(days=12)
    while day.day > 28:
        day += timedelta(days=1)
    return day


async def period(stack, uid):
    shown = await stack.subscription(uid)
    return [datetime.fromisoformat(shown[f"current_period_{end}"]) for end in ("start", "end")]


async def test_a_first_period_is_charged_for_the_days_to_the_chosen_billing_day_and_then_whole_ones_follow(stack):
    coming = in_twelve_days(datetime.now(UTC).date())
    once = {"name": "환영", "percent_off": 10, "duration": "once"}
    uid = await stack.start(plan=monthly(tax_free=3_100), quantity=2, coupon=once, billing_day=coming.day)
    start, end = await period(stack, uid)
    left, days = short(start.date(), coming)
    assert end.date() == coming
    first = share(2 * PRICE * 9 // 10, days - left, days, days)
    assert await paid(stack, uid) == [first]
    shown = await stack.subscription(uid)
    assert shown["next_amount"] == 2 * PRICE
    told = await stack.order(uid, "cancel/preview", at="now", refund="prorated")
    assert (told["refund_amount"], told["owed_amount"]) == (first, 0)
    await stack.advance(uid, days=left, hours=1)
    assert await paid(stack, uid) == [first, 2 * PRICE]
    begun, until = await period(stack, uid)
    assert (begun, until.day, until - begun >= timedelta(days=28)) == (end, coming.day, True)
    assert await stack.agree(uid) == 2
    assert "consent.requested" not in await stack.events(uid)


async def test_behind_a_trial_the_preview_says_the_days_of_the_short_period_and_they_are_what_is_charged(stack):
    ends = (datetime.now(UTC) + timedelta(days=5)).replace(microsecond=0)
    coming = in_twelve_days(ends.date())
    uid = await stack.start(plan=monthly(), trial_end=ends.isoformat(), billing_day=coming.day)
    left, days = short(ends.date(), coming)
    first = share(PRICE, days - left, days, days)
    [line] = (await stack.order(uid, "preview", method="GET"))["next_charge"]["lines"]
    assert (line["amount"], line["text"]) == (first, f"월간 이용권, {left} of {days} days")
    later = ends + timedelta(days=1)
    await stack.order(uid, "trial", ends_at=later.isoformat())
    first = share(PRICE, days - left + 1, days, days)
    assert (await stack.subscription(uid))["next_amount"] == first
    await stack.advance(uid, days=6, hours=1)
    assert await paid(stack, uid) == [first]
    assert await period(stack, uid) == [later, ends + timedelta(days=left)]
    await stack.advance(uid, days=left)
    assert await paid(stack, uid) == [first, PRICE]
    assert await stack.agree(uid) == 2


@pytest.mark.parametrize(("days", "stands"), [(3, "registered"), (700, "planned")], ids=["at PortOne", "not yet"])
async def test_a_trial_that_ends_now_is_charged_for_the_days_from_now_and_not_what_was_planned(stack, days, stands):
    begun = datetime.now(UTC).replace(microsecond=0)
    coming = in_twelve_days(begun.date())
    ends = begun + timedelta(days=days)
    uid = await stack.start(plan=monthly(), trial_end=ends.isoformat(), billing_day=coming.day)
    await stack.settled(uid)
    assert (await stack.subscription(uid))["cycle"]["state"] == stands
    left, whole = short(begun.date(), coming)
    answer = await stack.order(uid, "trial", end_now=True)
    first = share(PRICE, whole - left, whole, whole)
    assert (answer["order"]["charge"], answer["order"]["charged_amount"]) == ("paid", first)
    assert [row["amount"] for row in await stack.charges(uid) if row["state"] == "paid"] == [first]
    assert await stack.agree(uid) == 1


async def test_a_change_while_the_short_period_is_owed_leaves_it_at_its_price(stack):
    ends = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    coming = in_twelve_days(ends.date())
    uid = await stack.start(plan=monthly(), trial_end=ends.isoformat(), billing_day=coming.day, card=number(SOFT))
    await stack.advance(uid, days=2, hours=1)
    assert (await stack.subscription(uid))["status"] == "past_due"
    await stack.order(uid, "change-plan", plan=monthly(300_000, interval="year"), at="period_end")
    left, days = short(ends.date(), coming)
    first = share(PRICE, days - left, days, days)
    stack.account().world.store["keys"][uid]["last_four"] = GOOD
    answer = await stack.order(uid, "retry")
    assert (answer["order"]["charge"], answer["order"]["charged_amount"]) == ("paid", first)
    assert await period(stack, uid) == [ends, ends + timedelta(days=left)]
    await stack.advance(uid, days=left)
    assert await paid(stack, uid) == [first, 300_000]
    assert await stack.agree(uid) == 2


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("billing_day", {"billing_day": 0}),
        ("billing_day", {"billing_day": 32}),
        ("billing_day", {"billing_day": "1"}),
        ("billing_day", {"billing_day": 1.5}),
        ("billing_day", {"billing_day": True}),
        ("billing_day", {"plan": monthly(interval="week")}),
        ("billing_day", {"plan": monthly(interval="day", interval_count=30)}),
        ("billing_day", {"paid_until": "{soon}"}),
        ("billing_day", {"take_over": "adopt", "payment_method": {"billing_key": True}}),
        ("plan", {"pg": "danal"}),
    ],
)
async def test_a_billing_day_that_cannot_be_one_is_refused_by_its_field_before_anything_begins(stack, field, more):
    soon = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    asked = {name: value.format(soon=soon) if isinstance(value, str) else value for name, value in more.items()}
    if field == "plan":
        asked["payment_method"] = {"billing_key": True}
    await stack.start(expect=422, **{"plan": monthly(), "billing_day": 5, **asked})
    assert stack.last["errors"][0]["field"].endswith(field)
